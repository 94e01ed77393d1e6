"""One example of a document, run: its lines through the parser and the handlers, its events held against the log."""

import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from stretto.commands.cli import handle
from stretto.commands.coordinating import reading, writing
from stretto.commands.invocation import Invocation
from stretto.commands.parse import parse_line
from stretto.commands.reply import Reply
from stretto.commands.scenario_checks import Checked, check
from stretto.commands.scenario_compare import Compared, compare
from stretto.commands.scenario_document import Bullet, Example, Step
from stretto.commands.scenario_ground import Ground, bare, make
from stretto.commands.scenario_lines import CREATIONS, starts
from stretto.commands.scenario_script import template_of
from stretto.commands.scenario_trouble import troubling
from stretto.commands.scenario_workload import PREFIX, again_after, first_needed, groups
from stretto.commands.scenario_world import World
from stretto.graph import coordination, recovery
from stretto.state.errors import BadInput, InvalidTransition, StrettoError
from stretto.state.machine import FINAL
from stretto.state.rows import WorkflowRow
from stretto.state.wire import Line, parse_event

Outcome = Literal["done", "done with refusals", "failed"]
_NOT_IN_A_DOCUMENT = ("project", "store", "runner", "record")
_PLACES = frozenset({"target", "path"})
"""Keys of bodies that name a place for files."""


class Done(NamedTuple):
    """How one step ended. `why` is the error, or what was refused; `events` are the ids of those it wrote."""

    step: Step
    outcome: Outcome
    why: str = ""
    events: tuple[str, ...] = ()


class Ran(NamedTuple):
    """What became of one example."""

    example: Example
    prepared: tuple[str, ...]
    steps: tuple[Done, ...]
    compared: tuple[Compared, ...]
    bullets: tuple[tuple[Bullet, Checked | None], ...]

    @property
    def holds(self) -> bool:
        """Whether every line is done, every event seen as it should be, and no check failed."""
        done = all(one.outcome != "failed" for one in self.steps)
        return done and all(c.holds for c in self.compared) and all(c is None or c.holds for _, c in self.bullets)


class Rules(NamedTuple):
    """How strictly events are compared."""

    exact: bool = False
    total_order: bool = False


def run_example(
    example: Example,
    root: Path,
    rules: Rules,
    note: Callable[[str], None],
    heard: Callable[[Reply], object] = lambda _: None,
    furnish: Callable[[Path], None] = bare,
) -> Ran:
    """Run an example in an empty folder, which becomes its project.

    `note` is told of each line before it runs, `heard` of every reply, those to the workers' commands too.
    `furnish` is given the folder first.

    Raises:
        StrettoError: The project cannot be made.
    """
    ground = make(root, example, furnish)
    scenario = _Scenario(ground, heard)
    done: list[Done] = []
    for step in example.steps:
        if step.line == first_needed(example.steps):
            note("running the workload")
            scenario.work_through("pre")
        note(f"{step.line}: {first_words(step.text)}")
        done.append(scenario.do(step))
        if step.line == again_after(example.steps) and done[-1].outcome != "failed":
            note("running the workload again")
            scenario.work_through("post")
    scenario.finish()
    with reading(ground.app) as log:
        events = list(log.events())
    compared = compare(example.expected, events, exact=rules.exact, total_order=rules.total_order)
    bullets = tuple((one, check(one.check, events) if one.check else None) for one in example.bullets)
    return Ran(example, (*ground.prepared, *scenario.prepared), tuple(done), tuple(compared), bullets)


def first_words(text: str, longest: int = 76) -> str:
    """The first line of a statement, shortened."""
    line = text.partition("\n")[0].rstrip(" \\")
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


class _Scenario:
    """The lines of one example, on its ground."""

    def __init__(self, ground: Ground, heard: Callable[[Reply], object]) -> None:
        self._heard = heard
        self._ground = ground
        self._world = World(ground)
        self._pending = False
        """Whether something was created in this moment."""
        self.prepared: list[str] = []
        """The workloads that were run."""

    def do(self, step: Step) -> Done:
        """Carry out one step."""
        self._ground.script.now = step.line
        if step.kind == "other":
            return Done(step, "failed", step.problem)
        try:
            return self._injected(step) if step.kind == "event" else self._commanded(step)
        except StrettoError as error:
            return Done(step, "failed", f"{error.code}: {error.message}")
        except Exception as error:  # noqa: BLE001 - one line that breaks must not hide what the others do
            return Done(step, "failed", f"INTERNAL: {type(error).__name__}: {error}")

    def work_through(self, period: str) -> None:
        """Run the workload from its first creation to its last completion."""
        self._end_moment()
        lines = 0
        for group in groups(period):
            for line in group:
                self._handled(parse_line(line, project=self._ground.app.folder))
                lines += 1
            self._world.end_moment()
            self._world.run_on()
        self.prepared.append(f"{lines} runs of the workload ({PREFIX}{period}_…)")

    def finish(self) -> None:
        """After the last line: the moment ends, and the workers go on until nothing is left to do."""
        self._end_moment()
        self._world.run_on()

    def _end_moment(self) -> None:
        if self._pending:
            self._pending = False
            self._world.end_moment()

    def _commanded(self, step: Step) -> Done:
        invocation = parse_line(step.text, project=self._ground.app.folder)
        if foreign := [name for name in _NOT_IN_A_DOCUMENT if name in invocation.flags]:
            raise BadInput(f"A document does not choose --{foreign[0]}: the verifier does.", field=f"--{foreign[0]}")
        _stays_inside(invocation, self._ground.app.folder)
        creates = _creates(invocation)
        if not creates:
            self._end_moment()
        more, said = self._told(step, invocation) if starts(invocation) else ({}, [])
        reply = self._handled(invocation._replace(flags={**invocation.flags, **more}))
        if creates:
            self._pending = True
        else:
            self._world.type_a_line()
        done = _outcome(step, reply)
        return done._replace(why="; ".join(filter(None, [*said, done.why])))

    def _told(self, step: Step, invocation: Invocation) -> tuple[dict[str, Any], list[str]]:
        """The flags by which a line that starts a workflow is told of those below it, and words for people."""
        script, own = self._ground.script, self._ground.templates.get(step.line, "")
        flags: dict[str, Any] = {"template": own} if own else {}
        said = [f"starts from {own}"] if own else []
        if name := script.meant(step.line):
            flags["workflow-id"] = name
            said.append(f"named {name}, as in the lines below")
        template = template_of(invocation, self._ground.app.project)
        phases = {phase.name for phase in template.phases} if template else set[str]()
        taken = script.taken_up(step.line, script.workflow(step.line))
        if left := [phase for phase in taken if phase in phases]:
            flags["leave"] = [f"{phase}:{taken[phase]}" for phase in left]
            said.append(f"leaves {', '.join(left)} to the lines below")
        return flags, said

    def _handled(self, invocation: Invocation) -> Reply:
        with redirect_stderr(io.StringIO()):  # what handlers say about their progress
            reply = handle(invocation, self._ground.app)
        self._heard(reply)
        return reply

    def _injected(self, step: Step) -> Done:
        """An event that the document lets happen: written as from outside; one of an error fails the work there."""
        self._end_moment()
        line = parse_event(step.text)
        trouble = troubling(step)
        with writing(self._ground.app) as desk:
            row = coordination.row_of(desk.tx, line.workflow_id)
            if row.status in FINAL:
                raise InvalidTransition(
                    f"{row.id} is {row.status}; nothing more can happen to it.", field="workflow_id"
                )
            severity = "critical" if line.data.get("impact") == "critical" else "error" if trouble else "info"
            desk.tx.event(line.type, row.id, line.phase, line.data, severity=severity, source="injected")
            if severity == "critical":
                recovery.noticed(desk.tx, row)
        if trouble:
            self._struck(trouble, row)
        self._world.type_a_line()
        return Done(step, "done", "injected", tuple(desk.tx.ids))

    def _struck(self, line: Line, row: WorkflowRow) -> None:
        """Whoever works in that phase fails: the agents of a driver after they have tried for as long as they may."""
        if row.runner == coordination.RUNNER:
            self._world.fail(row.id, line.phase, str(line.data.get("error") or line.type))
            return
        self._ground.trouble.strike(line)
        self._handled(Invocation("orchestrate", flags={"resume": row.id}))
        self._ground.trouble.over(line)


def _stays_inside(invocation: Invocation, folder: str) -> None:
    """A document writes nowhere but in the folder of its examples, wherever a person might.

    Raises:
        BadInput: A place that a body names is somewhere else.
    """
    project = Path(folder).resolve()
    for body in invocation.json:
        told = cast("dict[str, object]", body) if isinstance(body, dict) else {}
        for field in _PLACES & told.keys():
            place = told[field]
            if isinstance(place, str) and not (project / place).resolve().is_relative_to(project.parent):
                raise BadInput(f"A document writes nothing outside its own folder, and {place!r} is.", field=field)


def _creates(invocation: Invocation) -> bool:
    return invocation.command == "coordination-hub" and invocation.operation in CREATIONS


def _outcome(step: Step, reply: Reply) -> Done:
    """Exit code 3 is no failure: a gate that was asked for, or a phase that is held."""
    if reply.exit_code == 3:
        return Done(step, "done", f"stopped: {reply.text.partition(chr(10))[0]}", reply.events)
    if reply.exit_code:
        return Done(step, "failed", reply.text.partition("\n")[0], reply.events)
    if refused := reply.result.get("refused"):
        return Done(step, "done with refusals", _refusals(refused), reply.events)
    return Done(step, "done", "", reply.events)


def _refusals(refused: object) -> str:
    if not isinstance(refused, Sequence) or isinstance(refused, str):
        return str(refused)
    return "; ".join(str(one) for one in refused)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
