"""Solo: the tasks of a plan as one task, for one agent in one conversation; and what of the plan it has done."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from stretto.agents.squash import Group
from stretto.agents.task import Budget
from stretto.graph import dag
from stretto.graph.committing import shorten
from stretto.graph.plan_file import complete_phase, parse, tick
from stretto.graph.spec import TaskSpec

NAME = "solo"
_HEAD = "Do these {count} tasks yourself, in this order, in this one conversation. You are done when all of them are."
_COMMON = "What holds for all of them:"


def together(tasks: Sequence[TaskSpec], seconds: float) -> TaskSpec:
    """One task that is all of these, in an order that honours what they need.

    What every prompt says is said once. Writes are those of all, or anywhere if one may write anywhere. A budget is the
    sum of theirs; `seconds` is the time of a task that names none.
    """
    named = {t.id: t for t in tasks}
    ready = [named[n] for n in dag.ordered(list(named), {t.id: _needs(t, named) for t in tasks}, "tasks")]
    return TaskSpec(
        id=NAME if NAME not in named else f"{NAME}-all",
        title=ready[0].title if len(ready) == 1 else f"{ready[0].title}, and {len(ready) - 1} more tasks of the plan",
        role=ready[0].role,
        prompt=_prompt(ready),
        reads=_union(t.reads for t in ready),
        writes=_union(t.writes for t in ready) if all(t.writes for t in ready) else (),
        checks=_union(t.checks for t in ready),
        known=_union(t.known for t in ready),
        budget=_budget(ready, seconds),
    )


def _needs(task: TaskSpec, named: Mapping[str, TaskSpec]) -> list[str]:
    return [name for name in task.depends_on if name in named]


def _union(lists: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for one in lists for item in one))


def _prompt(tasks: Sequence[TaskSpec]) -> str:
    if len(tasks) == 1:
        return tasks[0].prompt
    said = [task.prompt.split("\n\n") for task in tasks]
    common = [part for part in said[0] if all(part in other for other in said)]
    own = ["\n\n".join(p for p in parts if p not in common) for parts in said]
    sections = [f"## {task.id}: {task.title}\n\n{text}".strip() for task, text in zip(tasks, own, strict=True)]
    shared = ["\n\n".join((_COMMON, *common))] if common else []
    return "\n\n".join([_HEAD.format(count=len(tasks)), *sections, *shared])


def _budget(tasks: Sequence[TaskSpec], seconds: float) -> Budget:
    budgets = [task.budget for task in tasks]
    return Budget(
        seconds=sum(b.seconds or seconds for b in budgets),
        turns=_sum([b.turns for b in budgets]),
        output_tokens=_sum([b.output_tokens for b in budgets]),
        usd=sum(dollars) if len(dollars := [b.usd for b in budgets if b.usd]) == len(budgets) else None,
        tasks=len(tasks),
    )


def _sum(amounts: Sequence[int | None]) -> int | None:
    """None, which is the runner's own default for each of the tasks, if one names none."""
    known = [a for a in amounts if a]
    return sum(known) if len(known) == len(amounts) else None


def group(body: str, path: str, names: Collection[str], landings: Iterable[str], key: str) -> Group:
    """The one commit of all that a lone agent has done: every box ticked, every phase that is over marked so.

    `body` is the text of the plan and `path` its file; `names` are its tasks that were done.
    """
    mine = [phase for phase in parse(body).phases if any(t.id in names for t in phase.tasks)]
    ticked = tick(body, sorted(names))
    for phase in mine:
        if all(t.id in names or t.done for t in phase.tasks):
            ticked = complete_phase(ticked, phase.number)
    numbers = f"Phase {mine[0].number}" if len(mine) == 1 else f"Phases {mine[0].number} to {mine[-1].number}"
    subject = f"feat: implement {numbers} - {', '.join(p.name for p in mine)}"
    return Group(message=shorten(subject), key=key, tasks=frozenset(landings), extra_files={path: ticked.encode()})
