"""A scene: the ground of a scenario, on which a test types the lines of the founding document and others.

A project in git, a pool of 4 agents and 8 GiB, a clock that the test moves, agents that work by rule. Every line goes
through the parser and the handlers, as on the command line; what workflows would do by themselves is done by the
workers of `stretto verify`.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stretto.commands.cli import handle
from stretto.commands.parse import parse_line
from stretto.commands.reply import Reply
from stretto.commands.scenario import Ran, Rules, run_example
from stretto.commands.scenario_document import Example, parse_document
from stretto.commands.scenario_ground import Ground, make
from stretto.commands.scenario_workload import groups
from stretto.commands.scenario_world import World
from stretto.state.allocation import Allocation, in_use
from stretto.state.log import Log
from stretto.state.pool import Agent
from stretto.state.rows import WorkflowRow
from stretto.state.view import fold
from stretto.state.wire import Event

_LINES = Path(__file__).parents[1] / "data" / "seed_lines.json"
_CREATIONS = ("create", "create-workflow", "create-test-workflow")


def raw(number: int) -> str:
    """Line `number` of the 56, as it stands in the document."""
    lines: list[dict[str, Any]] = json.loads(_LINES.read_text("utf-8"))
    return str(lines[number - 1]["raw"])


def run_lines(lines: Sequence[str], root: Path) -> tuple[Ran, list[Reply]]:
    """What lines come to as `stretto verify` runs them, and every reply, the workers' too."""
    (example,) = parse_document("### Lines\n```bash\n" + "\n".join(lines) + "\n```\n", "x")
    heard: list[Reply] = []
    return run_example(example, root, Rules(), lambda _: None, heard.append), heard


class Scene:
    """One ground, and what is done on it."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True)
        self.root = root
        self.ground: Ground = make(root, Example("a scene", 1, (), (), ()))
        self.app = self.ground.app
        self.world = World(self.ground)
        self._pending = False

    # ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> float:
        return self.ground.clock.now()

    def wait(self, seconds: float) -> None:
        """The moment ends, and time passes."""
        self.settle()
        self.ground.clock.pass_to(self.now + seconds)

    def settle(self) -> None:
        """What was created in this moment is admitted, together."""
        if self._pending:
            self._pending = False
            self.world.end_moment()

    def run_on(self) -> None:
        """The workers go on until nothing is left to do."""
        self.settle()
        self.world.run_on()

    # ── lines ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def line(self, number: int) -> Reply:
        """Type one of the 56 lines."""
        return self.say(raw(number))

    def say(self, text: str, body: object = None) -> Reply:
        """Type a line, with a JSON body behind it if there is one; raises what the handler raises."""
        invocation = parse_line(text if body is None else f"{text} '{json.dumps(body)}'", project=str(self.root))
        creates = invocation.command == "coordination-hub" and invocation.operation in _CREATIONS
        if not creates:
            self.settle()
        reply = handle(invocation, self.app)
        self._pending = self._pending or creates
        return reply

    def hub(self, text: str, **body: Any) -> Reply:
        return self.say(f"/coordination-hub {text}", body or None)

    def manager(self, text: str, **body: Any) -> Reply:
        return self.say(f"/resource-manager {text}", body or None)

    def progress(self, text: str, **body: Any) -> Reply:
        return self.say(f"/progress-aggregator {text}", body or None)

    def monitor(self, text: str, **body: Any) -> Reply:
        return self.say(f"/performance-monitor {text}", body or None)

    def recover(self, text: str, **body: Any) -> Reply:
        return self.say(f"/workflow-recovery {text}", body or None)

    def status(self, text: str = "") -> Reply:
        return self.say(f"/workflow-status {text}")

    def create(self, name: str, **body: Any) -> Reply:
        """Create a workflow; its moment goes on."""
        return self.hub(f"create {name}", **body)

    def phases(self, name: str, *phases: tuple[str, float]) -> None:
        """Take phases of a workflow through, each in so many seconds."""
        for phase, seconds in phases:
            self.hub(f"start-phase {name} {phase}")
            self.wait(seconds)
            self.hub(f"complete-phase {name} {phase}")

    def work_through(self, period: str) -> None:
        """The twenty workflows that `stretto verify` runs where a document measures, to their ends."""
        for group in groups(period):
            for text in group:
                self.say(text)
            self.run_on()

    def past(self, name: str, seconds: float, *, phases: tuple[str, ...] = ("work",), **body: Any) -> None:
        """A workflow that came, ran its phases in `seconds` together and was completed."""
        self.create(name, phases=list(phases), **body)
        self.settle()
        self.phases(name, *((phase, seconds / len(phases)) for phase in phases))
        self.hub(f"complete {name}")

    # ── what is to be seen ───────────────────────────────────────────────────────────────────────────────────────────

    def log(self) -> Log:
        log = Log.find(self.app.state)
        assert log
        return log

    def events(self, workflow: str | None = None, kind: str = "") -> list[Event]:
        with self.log() as log:
            return [e for e in log.events(workflow) if e.type.startswith(kind)]

    def types(self, workflow: str | None = None) -> list[str]:
        return [e.type for e in self.events(workflow)]

    def since(self, seq: int) -> list[Event]:
        """The events after one."""
        return [e for e in self.events() if e.seq > seq]

    def last_seq(self) -> int:
        return max((e.seq for e in self.events()), default=0)

    def told(self, kind: str, workflow: str | None = None) -> Mapping[str, Any]:
        """The data of the newest event of a type."""
        return next(e.data for e in reversed(self.events(workflow)) if e.type == kind)

    def row(self, workflow: str) -> WorkflowRow:
        with self.log() as log:
            row = log.workflow(workflow)
        assert row
        return row

    def view(self, workflow: str) -> Any:
        """The workflow folded from its events, by nothing but them."""
        return fold(self.events(workflow))

    def live(self, workflow: str | None = None) -> list[Allocation]:
        with self.log() as log:
            return log.allocations(workflow, live=True)

    def held(self, workflow: str | None = None) -> dict[str, float]:
        return in_use([one for one in self.live(workflow) if one.state == "active"])

    def agents(self) -> dict[str, Agent]:
        with self.log() as log:
            return {one.agent_id: one for one in log.agents()}

    def files(self) -> dict[str, bytes]:
        """Every file of the project but git's, the store's and the environment's."""
        paths = (p for p in self.root.rglob("*") if p.is_file())
        own = (".git", ".stretto", ".venv")
        return {str(r): p.read_bytes() for p in paths if (r := p.relative_to(self.root)).parts[0] not in own}


def most_at_once(events: list[Event]) -> int:
    """How many tasks were under way together, at most."""
    under, most = set[str](), 0
    for event in events:
        if event.type == "TASK_STARTED":
            under.add(event.data["task_id"])
        elif event.type in ("TASK_COMPLETED", "TASK_FAILED"):
            under.discard(event.data["task_id"])
        most = max(most, len(under))
    return most
