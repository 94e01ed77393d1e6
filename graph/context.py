"""Run and Step: what a node may use. Built anew for each invocation, never checkpointed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stretto.agents.executor import Executor
from stretto.agents.repository import Repository
from stretto.agents.task import Outcome, Task
from stretto.graph.board import Board
from stretto.graph.channels import State, generation, outcome_of, step_key, tasks_of
from stretto.graph.schedule import tails
from stretto.graph.slots import Slots
from stretto.graph.spec import PhaseSpec, Spec
from stretto.state.log import Log
from stretto.state.rows import Fence

GIVEN = "given:"
"""How the fact begins that holds what was brought to a phase."""


def one_second(task: Task) -> float:
    """The expectation of a scheduler that knows nothing: every task is as long as another."""
    del task
    return 1.0


@dataclass(kw_only=True)
class Run:
    """One invocation of a compiled graph.

    `date` is the day on which the workflow began, so that a resumed run writes the same files; `expect` tells how many
    seconds a task is expected to take; `only` names the phase after which this invocation stops; `capacity` is how much
    there is of everything unless somebody chose otherwise; `turns` is the place of tasks that are done one at a time.
    """

    spec: Spec
    log: Log
    fence: Fence
    executor: Executor
    repository: Repository
    board: Board
    slots: Slots
    date: str
    debug_rounds: int = 2
    only: str = ""
    expect: Callable[[Task], float] = one_second
    capacity: Mapping[str, float] = field(default_factory=dict[str, float])
    tails: dict[str, float] = field(default_factory=dict[str, float])
    turns: Slots = field(default_factory=lambda: Slots(1))

    @property
    def workflow_id(self) -> str:
        """The id of the workflow, which is LangGraph's thread id too."""
        return self.spec.workflow_id

    def given(self, phase: str) -> Any:
        """What was brought to a phase that is left to other commands; None as long as nobody came."""
        return self.log.fact(self.workflow_id, f"{GIVEN}{phase}")

    def emit(self, key: str, *events: "Fact") -> bool:
        """Write events once: a node that runs again after a crash writes nothing new. Returns whether it wrote."""
        name = f"once:{key}"
        if self.log.fact(self.workflow_id, name) is not None:
            return False
        with self.log.write(self.fence) as tx:
            for event in events:
                tx.event(event.type, self.workflow_id, event.phase, event.data, severity=event.severity)
            tx.put_fact(self.workflow_id, name, True)
        return True

    def enter(self, key: str, phase: str, data: Mapping[str, Any], *events: "Fact") -> None:
        """Make `phase` the workflow's current one and write PHASE_STARTED, then `events`; once, as `emit` does."""
        name = f"once:{key}"
        if self.log.fact(self.workflow_id, name) is not None:
            return
        with self.log.write(self.fence) as tx:
            tx.set_phase(self.workflow_id, phase, data)
            for event in events:
                tx.event(event.type, self.workflow_id, event.phase, event.data, severity=event.severity)
            tx.put_fact(self.workflow_id, name, True)

    def remember(self, name: str, value: Any) -> Any:
        """Store a fact of the workflow the first time; afterwards return what was stored."""
        known = self.log.fact(self.workflow_id, name)
        if known is not None:
            return known
        with self.log.write(self.fence) as tx:
            tx.put_fact(self.workflow_id, name, value)
        return value


def tails_of(run: Run, step_tasks: Sequence[Task]) -> dict[str, float]:
    """The longest chain of expected seconds that hangs from each task."""
    ids = {t.task_id for t in step_tasks}
    return tails(
        {t.task_id: run.expect(t) for t in step_tasks},
        {t.task_id: [a for a in t.after if a in ids] for t in step_tasks},
    )


class Fact(NamedTuple):
    """An event about to be written."""

    type: str
    phase: str
    data: Mapping[str, Any]
    severity: str = "info"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One pass through one phase."""

    phase: PhaseSpec
    number: int
    state: State
    run: Run

    @property
    def key(self) -> str:
        """`phase~generation`."""
        return step_key(self.phase, self.number)

    @property
    def spec(self) -> Spec:
        """The workflow's spec."""
        return self.run.spec

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks of this step, once its opening node has made them."""
        return tasks_of(self.state, self.key)

    def outcome(self, task_id: str) -> Outcome | None:
        """The outcome of a task, of this phase or of an earlier one."""
        return outcome_of(self.state, task_id)

    @property
    def finished(self) -> dict[str, Outcome]:
        """The tasks of this step that are done, with their outcomes."""
        outcomes = {t.task_id: self.outcome(t.task_id) for t in self.tasks}
        return {k: o for k, o in outcomes.items() if o and o.status == "completed"}

    @property
    def failures(self) -> dict[str, str]:
        """The tasks of this step that are not done, with the reason."""
        missing = [t.task_id for t in self.tasks if t.task_id not in self.finished]
        outcomes = {t: self.outcome(t) for t in missing}
        return {t: o.error if o else "it never ran" for t, o in outcomes.items()}

    def task_id(self, name: str) -> str:
        """The id of a task of this step: the same on every resume."""
        return f"{self.phase.name}/{name}" + (f"~{self.number}" if self.number > 1 else "")

    def verdict(self, kind: str) -> dict[str, Any]:
        """How the newest finished step of a kind ended; empty if there was none."""
        for phase in reversed(self.spec.phases):
            if phase.kind == kind:
                for number in range(generation(kind, self.state), 0, -1):
                    if found := self.state["verdicts"].get(step_key(phase, number)):
                        return dict(found)
        return {}
