"""From a planner's `data` to a Plan, and from a debugger's to the tasks of one.

The data has one shape for every runner (`agents.data`); here it becomes what a plan file holds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError

from stretto.agents.data import BadOutcome, DebuggerData, PlannedPhase, PlannerData, check_data
from stretto.graph.markdown import block, demote
from stretto.graph.plan import Criterion, Plan, PlanPhase, PlanTask
from stretto.graph.plan_file import SUFFIX
from stretto.graph.plan_links import relative
from stretto.graph.plan_tasks import check
from stretto.state.errors import BadInput


def from_data(
    data: Mapping[str, Any],
    *,
    date: str = "",
    feature: str = "",
    scope: str = "",
    standards_file: str = "",
    reports: Sequence[str] = (),
    folder: str = "specs/plans",
) -> Plan:
    """A plan from what a planner returned. Phases are numbered from 1.

    `reports` and `folder`, where the plan's file will lie, are paths from the project's root.

    Raises:
        BadInput: The data is no plan, or not one that can be carried out (`plan_tasks.check`).
    """
    try:
        given = cast("PlannerData", check_data("planner", dict(data)))
    except BadOutcome as error:
        raise BadInput(error.message, field=error.field.removeprefix("data.")) from None
    try:
        plan = Plan(
            title=given.title.removesuffix(SUFFIX.strip()).strip() or given.title,
            date=date,
            feature=feature,
            scope=scope,
            standards_file=standards_file,
            research_reports=tuple(relative(r, folder) for r in reports),
            overview=_below(given.overview),
            success_criteria=tuple(Criterion(text=c) for c in given.success_criteria if c.strip()),
            technical_design=_below(given.technical_design),
            phases=tuple(_phase(number, phase) for number, phase in enumerate(given.phases, 1)),
            testing_strategy=_below(given.testing_strategy),
            documentation=_below(given.documentation),
            dependencies=_below(given.dependencies),
            notes=_below(given.notes),
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        reason = first["msg"].removeprefix("Value error, ")
        raise BadInput(f"The plan cannot be taken: {field}: {reason}.", field=field) from None
    return check(plan)


def _below(text: str) -> str:
    """A text whose headings stay below those of the plan."""
    return demote(block(text), 3)


def _phase(number: int, given: PlannedPhase) -> PlanPhase:
    return PlanPhase(
        number=number,
        name=given.name,
        objective=given.objective,
        complexity=given.complexity,
        tasks=tuple(PlanTask.model_validate(t.model_dump()) for t in given.tasks),
        testing=given.testing,
    )


def cures(found: DebuggerData) -> tuple[PlanTask, ...]:
    """The tasks of a debugger, as those of a plan."""
    return tuple(PlanTask.model_validate(t.model_dump()) for t in found.tasks)
