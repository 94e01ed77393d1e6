"""From a plan to the tasks of an implement phase: sound, in an order that has no two writers at once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from stretto.graph.plan import Plan, PlanPhase, PlanTask
from stretto.graph.spec import TaskSpec, ancestors, overlap
from stretto.state.errors import BadInput


class PlanTasks(NamedTuple):
    """What is left to do of a plan.

    `notes` are sentences about orders that had to be added inside a phase; `phase_of` gives each task's phase number.
    """

    tasks: tuple[TaskSpec, ...]
    notes: tuple[str, ...]
    phase_of: Mapping[str, int]


def check(plan: Plan) -> Plan:
    """Return the plan if its tasks can be put in an order.

    Raises:
        BadInput: An id is there twice, a dependency is unknown or lies in a later phase, or tasks wait for each other
            in a circle. Two writers of a path are no error here, see `tasks`.
    """
    phase_of: dict[str, int] = {}
    for phase, task in _each(plan):
        if task.id in phase_of:
            raise BadInput(
                f"Task id {task.id!r} is there twice, in phases {phase_of[task.id]} and {phase.number}.",
                field=f"phases.{phase.number}.tasks.{task.id}.id",
                next_steps=("Give every task of the plan an id of its own.",),
            )
        phase_of[task.id] = phase.number
    for phase, task in _each(plan):
        for name in task.depends_on:
            _known(phase, task, name, phase_of)
    ancestors([_spec(plan, p, t) for p, t in _each(plan)])
    return plan


def _each(plan: Plan) -> Iterator[tuple[PlanPhase, PlanTask]]:
    return ((phase, task) for phase in plan.phases for task in phase.tasks)


def _known(phase: PlanPhase, task: PlanTask, name: str, phase_of: Mapping[str, int]) -> None:
    if phase_of.get(name, phase.number + 1) <= phase.number:
        return
    where = f"which is in the later phase {phase_of[name]}" if name in phase_of else "which is not in the plan"
    raise BadInput(
        f"Task {task.id!r} of phase {phase.number} depends on {name!r}, {where}.",
        field=f"phases.{phase.number}.tasks.{task.id}.depends_on",
        allowed=[t for t, number in phase_of.items() if number <= phase.number and t != task.id],
    )


def tasks(plan: Plan, first_phase: int = 1) -> PlanTasks:
    """The open tasks from `first_phase` on, for agents in the role implementer.

    Tasks already ticked, and those of phases before `first_phase`, are left out and count as done. Orders that the plan
    does not state are added, so that a model's or a person's plan does not fail for want of them:

    - A task waits for every task of an earlier phase that writes what it reads or writes.
    - Two tasks of one phase that write the same path run in the order of the list; `notes` says so.
    - A task without declared writes may write anywhere, so across phases it is ordered with every other task. Inside a
      phase it is not: each task works in a worktree of its own, and what cannot be merged goes back to be done again.

    Raises:
        BadInput: See `check`; or there is no such phase; or an open phase has no task at all.
    """
    numbers = [p.number for p in plan.phases]
    if first_phase not in range(1, numbers[-1] + 1):
        raise BadInput(f"The plan has no phase {first_phase}.", field="phase", allowed=[str(n) for n in numbers])
    phases = [p for p in check(plan).phases if p.number >= first_phase and p.open]
    if empty := next((p for p in phases if not p.tasks), None):
        raise BadInput(
            f"Phase {empty.number} ({empty.name!r}) is open and has no task.",
            field=f"phases.{empty.number}.tasks",
            next_steps=("Write its tasks as '- [ ] …' lines, or end its heading with [COMPLETED].",),
        )
    return _ordered([(phase, _spec(plan, phase, task)) for phase in phases for task in phase.tasks if not task.done])


def _ordered(found: Sequence[tuple[PlanPhase, TaskSpec]]) -> PlanTasks:
    ids = {t.id for _, t in found}
    specs = [t.model_copy(update={"depends_on": tuple(d for d in t.depends_on if d in ids)}) for _, t in found]
    phase_of = {t.id: phase.number for phase, t in found}
    extra, notes = _implied(specs, phase_of)
    ready = tuple(t.model_copy(update={"depends_on": (*t.depends_on, *extra[t.id])}) for t in specs)
    return PlanTasks(ready, tuple(notes), phase_of)


def _implied(specs: Sequence[TaskSpec], phase_of: Mapping[str, int]) -> tuple[dict[str, list[str]], list[str]]:
    """The dependencies to add for each task. Only between tasks that have no order, so no circle can come of it."""
    before = ancestors(specs)
    extra: dict[str, list[str]] = {t.id: [] for t in specs}
    notes: list[str] = []
    for j, later in enumerate(specs):
        for earlier in reversed(specs[:j]):
            if earlier.id in before[later.id] or later.id in before[earlier.id]:
                continue
            together = phase_of[earlier.id] == phase_of[later.id]
            if path := _clash(earlier, later, together=together):
                extra[later.id].append(earlier.id)
                _follow(before, later.id, earlier.id)
                if together:
                    notes.append(
                        f"{later.id} waits for {earlier.id}: both write {path!r}, and the plan gives them no order."
                    )
    return extra, notes


def _follow(before: dict[str, set[str]], later: str, earlier: str) -> None:
    gained = before[earlier] | {earlier}
    for name, known in before.items():
        if name == later or later in known:
            known.update(gained)


def _clash(earlier: TaskSpec, later: TaskSpec, *, together: bool) -> str:
    """The path for which two tasks cannot run at once, `anything` if it is not known, or an empty string."""
    if not together and not (earlier.writes and later.writes):
        return "anything"
    wanted = later.writes if together else (*later.writes, *later.reads)
    return next((path for path in earlier.writes if any(overlap(path, other) for other in wanted)), "")


def _spec(plan: Plan, phase: PlanPhase, task: PlanTask) -> TaskSpec:
    return TaskSpec(
        id=task.id,
        title=task.title,
        role="implementer",
        prompt=prompt(plan, phase, task),
        reads=task.reads,
        writes=task.writes,
        depends_on=task.depends_on,
        checks=task.checks,
    )


def prompt(plan: Plan, phase: PlanPhase, task: PlanTask) -> str:
    """What the implementer is told: the task first, then what it is a part of."""
    about = f"This task belongs to phase {phase.number}, {phase.name!r}, of the plan {plan.title!r}."
    parts = (
        task.title,
        task.description,
        about,
        f"The phase's objective: {phase.objective}" if phase.objective else "",
        f"What the plan is about:\n\n{plan.overview}" if plan.overview else "",
    )
    return "\n\n".join(p for p in parts if p)
