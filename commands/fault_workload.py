"""The workload of a fault trial: a real workflow of real processes in a scratch project, on the clock of the wall.

Two slots. A chain of tasks of which each waits for the one before, and a shorter chain beside it, by which the load is
set. Each task is an agent of its own: a process that works for a
while in its own worktree and leaves a file, which is proven and landed as everywhere.
"""

import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from stretto.agents.command import CommandRunner
from stretto.agents.git import Git
from stretto.agents.process import run as execute
from stretto.agents.task import Budget
from stretto.commands.replayed import Hashes, hashes
from stretto.commands.scenario_ground import commit
from stretto.graph.run import start
from stretto.graph.spec import Limits, PhaseSpec, Spec, TaskSpec, validate
from stretto.state.log import Log
from stretto.state.moments import moment
from stretto.state.wire import Event

WORKFLOW: Final = "struck_001"
SLOTS: Final = 2
LENGTH: Final = 10
"""Tasks of the long chain."""
WORK_SECONDS: Final = 0.4
LIMIT_SECONDS: Final = 0.9
"""After which the agent is given up that is struck by a cut, and says nothing."""
PATIENT_SECONDS: Final = 10.0
"""After which any other is: longer than a busy machine lets it take."""
SHORT: Final = {0.7: 2, 0.85: 6}
"""Tasks of the short chain, by the load that they keep below; git and the proofs add to what tasks take."""
VICTIM: Final = "a04"
PHASE: Final = "work"
_AGENT = Path(__file__).with_name("fault_agent.py")


class Span(NamedTuple):
    """What a run took: seconds from the first task's start to the last one's end, and the share of the slots used.

    `links` are the seconds of each task of the long chain, in its order: from the end of the one before to its own.
    """

    makespan: float
    load: float
    links: tuple[float, ...]


class Workload:
    """One run, in an empty folder."""

    def __init__(self, root: Path, spec: Spec) -> None:
        self.spec = spec
        self.project, self.store, self.signs = root / "project", root / "store", root / "signs"
        self.signs.mkdir(parents=True)

    async def run(self) -> str:
        """Run to its end; how it ended."""
        await self.prepare()
        words = self.agent()
        result = await start(
            self.spec,
            project=self.project,
            runner=CommandRunner(shlex.join(words), execute, project=self.project),
            store=self.store,
            kind="recovery_test",
            durability="process",
        )
        return result.status

    async def prepare(self) -> None:
        """Make its project."""
        await commit(self.project, {"README.md": "# scratch\n"})

    def agent(self) -> tuple[str, ...]:
        """The program that does a task."""
        return (sys.executable, "-I", "-S", str(_AGENT), str(self.signs), str(WORK_SECONDS))

    def hold(self) -> None:
        """Let the victim's first attempt go no further than its beginning."""
        self._sign(1, "hold").touch()

    def go_on(self) -> None:
        """Let it go further."""
        self._sign(1, "hold").unlink()

    def pid(self, attempt: int) -> int | None:
        """The process of an attempt of the victim, once it is at work."""
        sign = self._sign(attempt, "pid")
        return int(sign.read_text("ascii")) if sign.exists() else None

    def _sign(self, attempt: int, kind: str) -> Path:
        return self.signs / f"{VICTIM}.{attempt}.{kind}"

    def log(self) -> Log:
        """Its log, which must be there."""
        return Log.open(self.store, durability="process")

    def span(self) -> Span:
        """What it took, from its events."""
        with self.log() as log:
            events = list(log.events(WORKFLOW))
        began = {e.data["task_id"]: moment(e.timestamp) for e in reversed(events) if e.type == "TASK_STARTED"}
        ended = {e.data["task_id"]: moment(e.timestamp) for e in events if e.type == "TASK_COMPLETED"}
        whole = max(ended.values()) - min(began.values())
        busy = sum(end - began[task] for task, end in ended.items())
        ids = [f"{PHASE}/{one}" for one in chain_ids("a", LENGTH)]
        ends = [ended[one] for one in ids if one in ended]
        links = tuple(end - before for before, end in pairwise([began[ids[0]], *ends]))
        return Span(whole, busy / (SLOTS * whole), links)

    def told(self, *kinds: str) -> list[Event]:
        """The events of these types about the victim."""
        with self.log() as log:
            return [e for e in log.events(WORKFLOW) if e.type in kinds and e.data["task_id"] == f"{PHASE}/{VICTIM}"]

    def hashes(self) -> Hashes:
        """Of its state, and of a replay of its log."""
        with self.log() as log:
            return hashes(log)

    async def files(self) -> str:
        """Git's id of everything that the agents left."""
        return await Git(self.project).line("rev-parse", f"refs/heads/stretto/{WORKFLOW}:src")


def usual(load: float, limit: float = PATIENT_SECONDS) -> Spec:
    """The two chains that keep below a load; the victim is given up after `limit` seconds."""
    return spec_of([*_chain("a", LENGTH, limit), *_chain("b", SHORT[load], limit)])


def spec_of(tasks: Sequence[TaskSpec]) -> Spec:
    """A workflow of these tasks."""
    limits = Limits(agents=SLOTS, attempts=4, debug_rounds=0, task_seconds=PATIENT_SECONDS)
    phase = PhaseSpec(name=PHASE, kind="implement", tasks=tuple(tasks))
    return validate(
        Spec(
            workflow_id=WORKFLOW,
            description="A workload to be struck",
            type="general_development",
            complexity="low",
            template="recovery-test",
            phases=(phase,),
            limits=limits,
            merge="never",
        )
    )


def chain_ids(name: str, length: int) -> list[str]:
    """The tasks of a chain."""
    return [f"{name}{number:02d}" for number in range(length)]


def _chain(name: str, length: int, limit: float) -> list[TaskSpec]:
    ids = chain_ids(name, length)
    return [task(one, before, limit) for one, before in zip(ids, ["", *ids], strict=False)]


def task(name: str, before: str, limit: float) -> TaskSpec:
    """A task that leaves one file, after another task or at once. `limit` is the victim's."""
    return TaskSpec(
        id=name,
        title=f"Write {name}",
        role="implementer",
        prompt=f"Write {name}.",
        writes=(f"src/{name}.txt",),
        depends_on=(before,) if before else (),
        budget=Budget(seconds=limit if name == VICTIM else PATIENT_SECONDS),
    )
