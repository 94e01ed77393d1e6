"""Spec: the pure data from which a workflow is compiled, and its validation.

A spec says which phases there are, in which order, and what is known of their tasks. The tasks of an `implement` phase
come from the plan, and those of a `debug` phase from a failed test, so a spec names only the rules for them.
"""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from pydantic import Field

from stretto.agents.task import Budget, Frozen, RoleName
from stretto.state.errors import BadInput

Kind = Literal["research", "plan", "implement", "test", "document", "review"]
Priority = Literal["critical", "high", "medium", "low"]
Merge = Literal["auto", "ask", "never"]
GATES = ("plan", "merge")


class TaskSpec(Frozen):
    """A task known before the run. `depends_on` names tasks of the same phase."""

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    title: str
    role: RoleName
    prompt: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    budget: Budget = Budget()


class PhaseSpec(Frozen):
    """One phase. `after` empty means: after the phase listed before it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    kind: Kind
    after: tuple[str, ...] = ()
    tasks: tuple[TaskSpec, ...] = ()


class Limits(Frozen):
    """Bounds of a whole workflow. Seconds; None is no limit."""

    agents: int = Field(default=4, ge=1, le=64)
    attempts: int = Field(default=3, ge=1, le=10)
    debug_rounds: int = Field(default=2, ge=0, le=10)
    task_seconds: float = Field(default=1800, gt=0)
    patience_seconds: float = Field(default=1200, ge=0)


class Spec(Frozen):
    """One workflow, before it runs."""

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
    test_command: str = ""
    limits: Limits = Limits()

    def phase(self, name: str) -> PhaseSpec:
        """The phase of this name. KeyError if there is none."""
        return {p.name: p for p in self.phases}[name]


def order(spec: Spec) -> tuple[PhaseSpec, ...]:
    """The phases in an order that honours `after`; phases free to swap keep the order of the spec.

    Raises:
        BadInput: An unknown phase is named, or the phases wait for each other in a circle.
    """
    names = [p.name for p in spec.phases]
    waits = {p.name: set(p.after) if p.after else set(names[max(0, i - 1) : i]) for i, p in enumerate(spec.phases)}
    for name, needs in waits.items():
        if unknown := needs - set(names):
            raise BadInput(
                f"Phase {name!r} waits for {min(unknown)!r}, which is not a phase of this workflow.",
                field=f"phases.{name}.after",
                allowed=names,
            )
    return tuple(spec.phase(n) for n in _sorted(names, waits, "phases"))


def _sorted(names: Sequence[str], waits: Mapping[str, set[str]], field: str) -> list[str]:
    done: list[str] = []
    while len(done) < len(names):
        ready = [n for n in names if n not in done and waits[n] <= set(done)]
        if not ready:
            circle = _circle(waits, next(n for n in names if n not in done), set(done))
            raise BadInput(f"{field} wait for each other in a circle: {' → '.join(circle)}.", field=field)
        done.append(ready[0])
    return done


def _circle(waits: Mapping[str, set[str]], start: str, done: set[str]) -> list[str]:
    path = [start]
    while True:
        following = min(waits[path[-1]] - done)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)


def validate(spec: Spec) -> Spec:
    """Return `spec` if it can run.

    Raises:
        BadInput: It cannot; the message names the phase or the task: a circle, a duplicate or unknown name, a phase
            that leads nowhere, tests with nothing to test, an unknown gate, two writers of a path without an order.
    """
    _unique([p.name for p in spec.phases], "phases")
    phases = order(spec)
    _no_dead_end(spec)
    if unknown := set(spec.gates) - set(GATES):
        raise BadInput(f"There is no gate {min(unknown)!r}.", field="gates", allowed=GATES)
    if "plan" in spec.gates and not any(p.kind == "plan" for p in phases):
        raise BadInput("A gate 'plan' needs a phase of kind 'plan', and there is none.", field="gates")
    for phase in phases:
        validate_tasks(phase.tasks, f"phases.{phase.name}.tasks")
    return spec


def _unique(names: Sequence[str], field: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise BadInput(f"{field}: {name!r} is there twice.", field=field)


def _no_dead_end(spec: Spec) -> None:
    """Every phase but the last must be waited for, or its work would be lost."""
    names = [p.name for p in spec.phases]
    awaited = {a for i, p in enumerate(spec.phases) for a in (p.after or names[max(0, i - 1) : i])}
    ends = [n for n in names if n not in awaited]
    if len(ends) > 1:
        raise BadInput(
            f"Phase {ends[0]!r} leads nowhere: no phase comes after it, and {ends[-1]!r} is the last.",
            field=f"phases.{ends[0]}",
        )


def validate_tasks(tasks: Sequence[TaskSpec], field: str) -> None:
    """Check the tasks of one phase, or of a plan.

    Raises:
        BadInput: A duplicate id, an unknown dependency, a circle, or two writers of one path without an order.
    """
    ids = [t.id for t in tasks]
    _unique(ids, field)
    for task in tasks:
        if unknown := set(task.depends_on) - set(ids):
            raise BadInput(
                f"Task {task.id!r} depends on {min(unknown)!r}, which is not there.",
                field=f"{field}.{task.id}.depends_on",
                allowed=ids,
            )
    _sorted(ids, {t.id: set(t.depends_on) for t in tasks}, field)
    if clash := next(conflicts(tasks), None):
        one, two, path = clash
        raise BadInput(
            f"Tasks {one!r} and {two!r} both write {path!r}, and neither depends on the other.",
            field=f"{field}.{two}.depends_on",
            next_steps=(f"Make one depend on the other, or divide {path!r} between them.",),
        )


def conflicts(tasks: Sequence[TaskSpec]) -> Iterator[tuple[str, str, str]]:
    """Pairs of tasks that declare writes to one path and have no order between them, with the path."""
    before = ancestors(tasks)
    for i, one in enumerate(tasks):
        for two in tasks[i + 1 :]:
            if one.id in before[two.id] or two.id in before[one.id]:
                continue
            for path in one.writes:
                if any(overlap(path, other) for other in two.writes):
                    yield one.id, two.id, path
                    break


def overlap(one: str, two: str) -> bool:
    """Whether two declared paths or globs may name the same file. A folder covers what is below it."""
    a, b = one.removeprefix("./").rstrip("/"), two.removeprefix("./").rstrip("/")
    return a == b or fnmatchcase(a, b) or fnmatchcase(b, a) or a.startswith(b + "/") or b.startswith(a + "/")


def ancestors(tasks: Sequence[TaskSpec]) -> dict[str, set[str]]:
    """For each task, every task that must finish before it."""
    direct = {t.id: set(t.depends_on) for t in tasks}
    found: dict[str, set[str]] = {}
    for name in _sorted(list(direct), direct, "tasks"):
        found[name] = direct[name].union(*(found[d] for d in direct[name]))
    return found
