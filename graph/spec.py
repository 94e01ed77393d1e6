"""Spec: the pure data from which a workflow is compiled, and its validation.

A spec says which phases there are, in which order, and what is known of their tasks. The tasks of an `implement` phase
come from the plan, and those of a `debug` phase from a failed test, so a spec names only the rules for them.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from stretto.agents import paths
from stretto.agents.task import Budget, Frozen, RoleName
from stretto.graph import dag
from stretto.state.errors import BadInput
from stretto.state.ids import task_id, workflow_id

Kind = Literal["research", "plan", "implement", "test", "debug", "document", "review"]
Priority = Literal["critical", "high", "medium", "low"]
Merge = Literal["auto", "ask", "never"]
Asked = Literal["", "auto", "solo", "serial", "parallel"]
GATES = ("plan", "merge")

overlap = paths.overlap


class TaskSpec(Frozen):
    """A task known before the run. `depends_on` names tasks of the same phase.

    `known` is what a program found out beforehand, a line for each; a debugger's report holds it as it is.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    title: str
    role: RoleName
    prompt: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    budget: Budget = Budget()


class Track(Frozen):
    """A phase of a plan, as a part of an `implement` phase that begins and ends by itself.

    `number` is the plan's, `tasks` are names of tasks of the phase, `after` the tracks whose tasks those wait for.
    `checks` prove it when its tasks are done; without any, the project's own tests do.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    number: int = Field(ge=1)
    tasks: tuple[str, ...]
    after: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()


class PhaseSpec(Frozen):
    """One phase. `after` empty means: after the phase listed before it.

    With `links`, the documents that a `document` phase changed must hold no relative link that leads nowhere.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    kind: Kind
    after: tuple[str, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()
    links: bool = False
    tracks: tuple[Track, ...] = ()


class Caps(Frozen):
    """What a workflow may use in all, from its beginning on, resumed or not; None is no cap.

    Agents are attempts that are begun, retries among them; tokens are input and output; `seconds` are those in which it
    is driven. What belongs to it (a run of /subagents for it) is counted in.
    """

    agents: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    usd: float | None = Field(default=None, gt=0)
    tool_calls: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, gt=0)

    def given(self) -> dict[str, float]:
        """Those that there are."""
        return self.model_dump(exclude_none=True)


class Limits(Frozen):
    """Bounds of a whole workflow. Seconds; None is no limit."""

    agents: int = Field(default=4, ge=1, le=64)
    attempts: int = Field(default=3, ge=1, le=10)
    debug_rounds: int = Field(default=2, ge=0, le=10)
    task_seconds: float = Field(default=1800, gt=0)
    patience_seconds: float = Field(default=1200, ge=0)
    caps: Caps = Caps()


class Continuation(Frozen):
    """Whose work a workflow goes on with: the other one, the commit of its branch to begin at, and what is done there.

    An empty commit: it begins where the checkout stands.
    """

    workflow_id: str
    commit: str = ""
    inherited: tuple[str, ...] = ()


class Orchestrated(Frozen):
    """A workflow whose tracks end and which stays open, until other commands have tested and documented its work.

    `agents` adaptive: each track asks the ledger for its agents when it begins, and gives them back when it ends.
    `sampling`: how its figures are tracked while it runs; see `graph.tracking`.
    """

    agents: Literal["", "adaptive"] = ""
    sampling: Literal["", "adaptive", "full"] = ""


class Spec(Frozen):
    """One workflow, before it runs.

    `leave` names phases that are left to other commands: the workflow stops there until one brings their tasks.
    `left_to` tells how many agents those have for a phase, where somebody said so.
    `within` is the workflow that it belongs to, whose caps hold for it, too.
    `parallel` is who does a plan, see `graph.advice`; empty is several agents at once, without a word.
    """

    workflow_id: str
    description: str
    type: str
    template: str
    complexity: Literal["low", "medium", "high", "very_high"]
    priority: Priority = "medium"
    phases: tuple[PhaseSpec, ...] = Field(min_length=1)
    gates: tuple[str, ...] = ()
    merge: Merge = "auto"
    plan_file: str = ""
    first_plan_phase: int = Field(default=1, ge=1)
    test_command: str = ""
    limits: Limits = Limits()
    continues: Continuation | None = None
    leave: tuple[str, ...] = ()
    left_to: dict[str, int] = Field(default_factory=dict)
    orchestrated: Orchestrated | None = None
    within: str = ""
    parallel: Asked = ""

    def phase(self, name: str) -> PhaseSpec:
        """The phase of this name. KeyError if there is none."""
        return {p.name: p for p in self.phases}[name]


def waits(spec: Spec) -> dict[str, tuple[str, ...]]:
    """For each phase, the phases that it comes directly after.

    Raises:
        BadInput: An unknown phase is named, or one name is there twice.
    """
    names = [p.name for p in spec.phases]
    dag.unique(names, "phases")
    found: dict[str, tuple[str, ...]] = {}
    for i, phase in enumerate(spec.phases):
        found[phase.name] = phase.after or tuple(names[max(0, i - 1) : i])
        if unknown := set(phase.after) - set(names):
            raise BadInput(
                f"Phase {phase.name!r} waits for {min(unknown)!r}, which is not a phase of this workflow.",
                field=f"phases.{phase.name}.after",
                allowed=names,
            )
    return found


def debug_phase(spec: Spec, implement: str) -> PhaseSpec:
    """The debug phase that leads back to the phase `implement`; each has its own if a workflow has several."""
    several = sum(p.kind == "implement" for p in spec.phases) > 1 or any(p.name == "debugging" for p in spec.phases)
    return PhaseSpec(name=f"{implement}-debugging" if several else "debugging", kind="debug")


def order(spec: Spec) -> tuple[PhaseSpec, ...]:
    """The phases in an order that honours `after`; phases free to swap keep the order of the spec.

    Raises:
        BadInput: An unknown phase is named, one name is there twice, or the phases wait for each other in a circle.
    """
    return tuple(spec.phase(n) for n in dag.ordered([p.name for p in spec.phases], waits(spec), "phases"))


def validate(spec: Spec) -> Spec:
    """Return `spec` if it can run.

    Raises:
        BadInput: It cannot; the message names the phase or the task: a bad id, a circle, a duplicate or unknown name, a
            phase that leads nowhere, nothing to implement, an unknown gate, a path outside the project, two writers
            of a path without an order.
    """
    workflow_id(spec.workflow_id)
    phases = order(spec)
    _no_dead_end(spec)
    _something_to_implement(spec)
    if unknown := set(spec.gates) - set(GATES):
        raise BadInput(f"There is no gate {min(unknown)!r}.", field="gates", allowed=GATES)
    if "plan" in spec.gates and not any(p.kind == "plan" for p in phases):
        raise BadInput("A gate 'plan' needs a phase of kind 'plan', and there is none.", field="gates")
    if unknown := set(spec.leave) - {p.name for p in phases}:
        raise BadInput(
            f"The phase {min(unknown)!r}, which is to be left to other commands, is not there.",
            field="--leave",
            allowed=[p.name for p in phases],
        )
    for phase in phases:
        validate_tasks(phase.tasks, f"phases.{phase.name}.tasks")
    return spec


def _no_dead_end(spec: Spec) -> None:
    """Every phase but the last must be waited for, or its work would be lost."""
    awaited = {name for needs in waits(spec).values() for name in needs}
    ends = [p.name for p in spec.phases if p.name not in awaited]
    if len(ends) > 1:
        raise BadInput(
            f"Phase {ends[0]!r} leads nowhere: no phase comes after it, and {ends[-1]!r} is the last.",
            field=f"phases.{ends[0]}",
        )


def _something_to_implement(spec: Spec) -> None:
    """The tasks of an implement phase are its own, or those of a plan that is there before it."""
    plans = {p.name for p in spec.phases if p.kind == "plan"}
    before = dag.ancestors([p.name for p in spec.phases], waits(spec), "phases")
    for phase in spec.phases:
        planned = phase.tasks or spec.plan_file or before[phase.name] & plans
        if phase.kind == "implement" and not planned:
            raise BadInput(
                f"Phase {phase.name!r} has nothing to implement: no tasks, no plan file and no phase of kind 'plan'"
                " before it.",
                field=f"phases.{phase.name}",
                next_steps=("Put a phase of kind 'plan' before it, or give it tasks.",),
            )


def validate_tasks(tasks: Sequence[TaskSpec], field: str) -> None:
    """Check the tasks of one phase, or of a plan.

    Raises:
        BadInput: A duplicate or unusable id, an unknown dependency, a circle, a path outside the project, or two
            writers of one path without an order.
    """
    ids = [t.id for t in tasks]
    dag.unique(ids, field)
    for task in tasks:
        _validate_task(task, ids, f"{field}.{task.id}")
    before = dag.ancestors(ids, {t.id: t.depends_on for t in tasks}, field)
    if clash := next(_conflicts(tasks, before), None):
        one, two, path = clash
        raise BadInput(
            f"Tasks {one!r} and {two!r} both write {path!r}, and neither depends on the other.",
            field=f"{field}.{two}.depends_on",
            next_steps=(f"Make one depend on the other, or divide {path!r} between them.",),
        )


def _validate_task(task: TaskSpec, ids: Sequence[str], field: str) -> None:
    task_id(f"phase/{task.id}", field=f"{field}.id")
    for path in task.reads:
        paths.declared(path, f"{field}.reads")
    for path in task.writes:
        paths.declared(path, f"{field}.writes")
    if unknown := set(task.depends_on) - set(ids):
        raise BadInput(
            f"Task {task.id!r} depends on {min(unknown)!r}, which is not there.",
            field=f"{field}.depends_on",
            allowed=ids,
        )


def conflicts(tasks: Sequence[TaskSpec]) -> Iterator[tuple[str, str, str]]:
    """Pairs of tasks that declare writes to one path and have no order between them, with the path.

    Raises:
        BadInput: The tasks wait for each other in a circle.
    """
    return _conflicts(tasks, ancestors(tasks))


def _conflicts(tasks: Sequence[TaskSpec], before: dict[str, set[str]]) -> Iterator[tuple[str, str, str]]:
    for i, one in enumerate(tasks):
        for two in tasks[i + 1 :]:
            if one.id in before[two.id] or two.id in before[one.id]:
                continue
            shared = (path for path in one.writes if any(overlap(path, other) for other in two.writes))
            if (path := next(shared, None)) is not None:
                yield one.id, two.id, path


def ancestors(tasks: Sequence[TaskSpec]) -> dict[str, set[str]]:
    """For each task, every task of `tasks` that must finish before it.

    Raises:
        BadInput: The tasks wait for each other in a circle.
    """
    ids = {t.id for t in tasks}
    return dag.ancestors([t.id for t in tasks], {t.id: ids.intersection(t.depends_on) for t in tasks}, "tasks")
