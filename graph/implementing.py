"""Implementation: the plan's tasks, each in a workspace of its own, then one commit for each phase of the plan."""

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence

from stretto.agents import reading
from stretto.agents.data import DebuggerData, PlannedTask
from stretto.agents.squash import Group
from stretto.agents.task import Task
from stretto.graph import advising, solo
from stretto.graph.channels import step_key, tasks_of
from stretto.graph.committing import base, shorten, text
from stretto.graph.context import Fact, Step
from stretto.graph.plan import Plan
from stretto.graph.plan_file import complete_phase, parse, tick
from stretto.graph.plan_tasks import tasks as tasks_of_plan
from stretto.graph.spec import TaskSpec, debug_phase
from stretto.graph.stages import Closed, artifacts, as_task, fatal, why
from stretto.graph.track_tests import failing, with_tests


class Implementing:
    """Tasks come from the spec, from the plan, or, after a debug round, from the debugger."""

    async def tasks(self, step: Step) -> Sequence[Task]:
        """What is to be done in this generation, in the order of the plan."""
        if step.number > 1:
            return with_tests(step, after_debugging(step))
        specs = await advising.chosen(step, step.phase.tasks or await self._planned(step))
        return with_tests(step, [as_task(step, s, inputs=artifacts(step)) for s in specs])

    async def _planned(self, step: Step) -> Sequence[TaskSpec]:
        plan = await plan_at(step)
        return tasks_of_plan(plan, first_phase=step.spec.first_plan_phase).tasks if plan else ()

    def started(self, step: Step, tasks: Sequence[Task]) -> tuple[Fact, ...]:
        """IMPLEMENTATION_STARTED; tracks are the tasks that wait for no other."""
        work = [t for t in tasks if t.prompt]
        names = [t.name for t in step.phase.tracks]
        at_once = sum(not t.after for t in step.phase.tracks or work)
        if advising.mode_of(step.run, step.phase.name) == "serial":
            at_once = 1
        data = {"parallel_tracks": at_once, "tasks": len(work), **({"tracks": names} if names else {})}
        return (Fact("IMPLEMENTATION_STARTED", step.phase.name, data),)

    async def close(self, step: Step) -> Closed:
        """Gather what landed in one commit for each phase of the plan, boxes ticked."""
        commits = await squash(step)
        work = [t.task_id for t in step.tasks if t.prompt]
        finished = [t for t in work if t in step.finished]
        done = {"tasks_completed": len(finished), "tasks": len(work), "commits": len(commits)}
        if failure := why(step):
            events = (Fact("IMPLEMENTATION_FAILED", step.phase.name, {**done, "reason": failure}, "error"),)
            return Closed({"commits": commits}, failed=failure, curable=not fatal(step), events=events)
        if bad := failing(step):
            events = (Fact("IMPLEMENTATION_FAILED", step.phase.name, {**done, "reason": bad.why}, "error"),)
            verdict = {"commits": commits, "output": bad.output}
            return Closed(verdict, failed=bad.why, curable=bad.curable, events=events)
        return Closed(
            {"commits": commits, "tasks": sorted(finished)},
            metrics=done,
            events=(Fact("IMPLEMENTATION_COMPLETED", step.phase.name, done),),
        )


def plan_path(step: Step) -> str:
    """The plan that this workflow follows, or an empty string."""
    return str(step.verdict("plan").get("plan", "")) or step.spec.plan_file


async def plan_at(step: Step, *, at_head: bool = False) -> Plan | None:
    """The plan as it stood when the step was opened, or as it stands now."""
    if not (path := plan_path(step)):
        return None
    found = await text(step, path, at_head=at_head)
    return parse(found, source=path) if found is not None else None


def after_debugging(step: Step) -> list[Task]:
    """The debugger's tasks, then whatever an earlier generation left undone, which waits for them."""
    found = debugged(step)
    cures = [as_task(step, _cure(t, found), inputs=artifacts(step)) for t in cures_of(step)] if found else []
    undone = list(_undone(step))
    renamed = {t.task_id: step.task_id(_name(t.task_id)) for t in undone}
    first = tuple(c.task_id for c in cures)
    again = [
        t.model_copy(update={"task_id": renamed[t.task_id], "after": tuple(renamed.get(a, a) for a in t.after) + first})
        for t in undone
    ]
    return [*cures, *again]


def cures_of(step: Step) -> list[PlannedTask]:
    """The debugger's tasks. One that bears the name of a task that is still to be done gets another."""
    found = debugged(step)
    tasks = found.tasks if found else ()
    taken = {_name(t.task_id) for t in _undone(step)}
    names = {t.id: f"cure-{t.id}" if t.id in taken else t.id for t in tasks}
    return [
        t.model_copy(update={"id": names[t.id], "depends_on": tuple(names[d] for d in t.depends_on)}) for t in tasks
    ]


def debugged(step: Step) -> DebuggerData | None:
    """What the debug round before this generation found; None if a person's resume began it."""
    key = step_key(debug_phase(step.spec, step.phase.name), step.number - 1)
    found = step.state["verdicts"].get(key, {}).get("data")
    return DebuggerData.model_validate(found) if found else None


def _cure(task: PlannedTask, found: DebuggerData) -> TaskSpec:
    prompt = f"{task.title}\n\n{task.description}\n\nThe cause, as the debugger found it: {found.cause}"
    return TaskSpec(
        id=task.id,
        title=task.title,
        role="implementer",
        prompt=prompt,
        reads=task.reads,
        writes=task.writes,
        depends_on=task.depends_on,
        checks=task.checks,
    )


def _undone(step: Step) -> Iterator[Task]:
    """Tasks of the newest earlier generation that have no completed outcome."""
    for number in range(step.number - 1, 0, -1):
        if earlier := tasks_of(step.state, step_key(step.phase, number)):
            yield from (t for t in earlier if t.prompt and not _completed(step, t.task_id))
            return


def _completed(step: Step, task_id: str) -> bool:
    outcome = step.outcome(task_id)
    return outcome is not None and outcome.status == "completed"


def _name(task_id: str) -> str:
    return task_id.partition("/")[2].partition("~")[0]


async def squash(step: Step) -> list[str]:
    """Rewrite what landed since the last time as one commit for each group; return all such commits of the step.

    Safe to repeat: they are read from the branch, since a driver that died may have made them.
    """
    fact = f"squashed:{step.key}"
    since = step.run.log.fact(step.run.workflow_id, fact) or base(step)
    groups = [g async for g in _groups(step)] if step.finished else []
    await step.run.repository.squash(step.run.workflow_id, groups, since=str(since))
    head = await step.run.repository.tip(step.run.workflow_id)
    with step.run.log.write(step.run.fence) as tx:
        tx.put_fact(step.run.workflow_id, fact, head)
    return await reading.keyed(step.run.repository, base(step), head, _key(step))


async def _groups(step: Step) -> AsyncIterator[Group]:
    """The cures, since others build on them; then a group for each phase of the plan, with its ticks; then the rest."""
    done = {_name(t.task_id): t.task_id for t in step.tasks if t.prompt and t.task_id in step.finished}
    key = _key(step) + hashlib.sha256(repr(sorted(done)).encode()).hexdigest()[:12]
    if cures := _cures(step) & done.keys():
        yield Group(message=shorten(_fix(step)), key=f"{key}/cures", tasks=frozenset(map(done.pop, cures)))
    path = plan_path(step)
    body = await text(step, path, at_head=True) if path else None
    bundle = advising.bundled(step.run, step.phase.name)
    if body and bundle and done:
        yield solo.group(body, path, bundle, done.values(), f"{key}/{solo.NAME}")
        return
    for phase in parse(body).phases if body else ():
        mine = {t.id for t in phase.tasks} & done.keys()
        if not mine or body is None:
            continue
        body = tick(body, sorted(mine))
        if all(t.id in done or t.done for t in phase.tasks):
            body = complete_phase(body, phase.number)
        subject = f"feat: implement Phase {phase.number} - {phase.name}"
        tasks = {done.pop(name) for name in mine}
        yield Group(
            message=shorten(subject),
            key=f"{key}/{phase.number}",
            tasks=frozenset(tasks),
            extra_files={path: body.encode()},
        )
    if done:
        subject = shorten(f"feat: {step.spec.description}")
        yield Group(message=subject, key=f"{key}/rest", tasks=frozenset(done.values()))


def _key(step: Step) -> str:
    """How the keys of the step's commits begin."""
    return f"{step.run.workflow_id}/{step.key}/"


def _cures(step: Step) -> set[str]:
    """The names of the debugger's tasks, after a debug round."""
    return {t.id for t in cures_of(step)} if step.number > 1 else set()


def _fix(step: Step) -> str:
    found = debugged(step)
    cures = found.tasks if found else ()
    return f"fix: {'; '.join(_inner(t.title) for t in cures)}"


def _inner(title: str) -> str:
    """A title as it stands within a line: a first word that is no name or acronym in lower case."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title
