"""Planning: one agent turns the reports to a plan file."""

import re
from collections.abc import Sequence
from typing import Any

from stretto.agents.task import Task
from stretto.graph.channels import step_key
from stretto.graph.committing import commit, listing
from stretto.graph.context import Fact, Step
from stretto.graph.numbering import file_name, next_number, number_of
from stretto.graph.plan import Criterion, Plan
from stretto.graph.plan_data import from_data
from stretto.graph.plan_file import render
from stretto.graph.plan_tasks import tasks
from stretto.graph.spec import TaskSpec
from stretto.graph.stages import Closed, artifacts, as_task, why

PLANS = "specs/plans"
_REPORT = re.compile(r"specs/reports/[^*?\[\]]+\.md")
"""A file, and no pattern for some."""
CRITERION_TASKS = "Every task is done and its checks passed"
CRITERION_TESTS = "The project's tests pass"
CRITERION_DOCUMENTS = "The documentation is updated"


class Planning:
    """The planner's `data` becomes `specs/plans/NNN_feature.md`."""

    async def tasks(self, step: Step) -> Sequence[Task]:
        """The planner, told why a person sent the last plan back, if one did."""
        specs = step.phase.tasks or (
            TaskSpec(id="plan", title="Plan the work", role="planner", prompt=f"Plan this: {step.spec.description}"),
        )
        return [as_task(step, s, note=_sent_back(step), inputs=artifacts(step)) for s in specs]

    def started(self, step: Step, tasks: Sequence[Task]) -> tuple[Fact, ...]:
        """PLAN_STARTED, saying whether earlier reports are handed on."""
        return (Fact("PLAN_STARTED", step.phase.name, {"context_preserved": bool(tasks and tasks[0].inputs)}),)

    async def close(self, step: Step) -> Closed:
        """Write the plan and commit it, in the place of one that was sent back."""
        if failure := why(step):
            events = (Fact("PLAN_FAILED", step.phase.name, {"reason": failure}, "error"),)
            return Closed({}, failed=failure, curable=False, events=events)
        data = step.finished[step.tasks[-1].task_id].data
        plan = plan_of(step, data)
        old = str(step.state["verdicts"].get(step_key(step.phase, step.number - 1), {}).get("plan", ""))
        number = number_of(old) or next_number(await listing(step, PLANS))
        path = f"{PLANS}/{file_name(number, plan.title)}"
        left = await commit(step, {path: render(plan)}, f"docs: plan {plan.title}", without=[old] if old else [])
        completed = {"phases": len(plan.phases), "complexity": step.spec.complexity, "tasks": _count(plan)}
        return Closed(
            {"plan": path, "artifacts": left, "notes": list(tasks(plan).notes)},
            metrics={**completed, "artifacts": [path]},
            events=(Fact("PLAN_COMPLETED", step.phase.name, completed),),
        )


def plan_of(step: Step, data: dict[str, Any]) -> Plan:
    """The plan file's model, with the success criteria that the finish can tick from evidence.

    Raises:
        BadInput: The tasks of the plan do not fit together; the message names the task.
    """
    known = [*(a.path for a in artifacts(step)), *(path for task in step.tasks for path in task.reads)]
    reports = [path for path in dict.fromkeys(known) if _REPORT.fullmatch(path)]
    kinds = {p.kind for p in step.spec.phases}
    criteria = [CRITERION_TASKS]
    criteria += [CRITERION_TESTS] if "test" in kinds else []
    criteria += [CRITERION_DOCUMENTS] if "document" in kinds else []
    plan = from_data(data, date=step.run.date, feature=step.spec.description, reports=reports)
    ours = tuple(Criterion(text=c) for c in criteria)
    return plan.model_copy(update={"success_criteria": (*ours, *plan.success_criteria)})


def _count(plan: Plan) -> int:
    return sum(len(p.tasks) for p in plan.phases)


def _sent_back(step: Step) -> str:
    verdict = step.state["verdicts"].get(f"gate:plan~{step.number - 1}", {})
    return f"A person read your last plan and sent it back: {verdict['why']}" if verdict else ""
