"""From a planner's `data` to a Plan, and from a debugger's to its tasks.

Models are loose writers: unknown keys are dropped and null counts as absent. What cannot be carried out is an error
that names the field, so that the planner can be told.
"""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from stretto.graph.markdown import block, demote
from stretto.graph.plan import Complexity, Criterion, Plan, PlanTask
from stretto.graph.plan_file import SUFFIX
from stretto.graph.plan_links import relative
from stretto.graph.plan_tasks import check
from stretto.state.errors import BadInput

_TEXTS = ("overview", "technical_design", "testing_strategy", "documentation", "dependencies", "notes")
_COMPLEXITIES: Mapping[str, Complexity] = {"low": "Low", "medium": "Medium", "high": "High"}


def _absent(value: object) -> object:
    return () if value is None else value


def _unsaid(value: object) -> object:
    return "" if value is None else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_absent)]
Said = Annotated[str, BeforeValidator(_unsaid)]


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Task(_Loose):
    id: Said = ""
    title: str
    description: Said = ""
    reads: Texts = ()
    writes: Texts = ()
    depends_on: Texts = ()
    checks: Texts = ()


class _Phase(_Loose):
    name: str
    objective: Said = ""
    complexity: Said = ""
    tasks: tuple[_Task, ...] = Field(min_length=1)
    testing: Texts = ()


class _Data(_Loose):
    title: str
    overview: Said = ""
    success_criteria: Texts = ()
    technical_design: Said = ""
    phases: tuple[_Phase, ...] = Field(min_length=1)
    testing_strategy: Said = ""
    documentation: Said = ""
    dependencies: Said = ""
    notes: Said = ""


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
    """A plan from what a planner returned. Phases are numbered from 1; a task without an id gets `T<phase>.<n>`.

    `reports` and `folder`, where the plan's file will lie, are paths from the project's root. Headings in the texts are
    pushed down below the plan's own.

    Raises:
        BadInput: The data is no plan, or not one that can be carried out (`plan_tasks.check`).
    """
    try:
        given = _Data.model_validate(data)
        plan = Plan.model_validate(
            {
                **{name: demote(block(getattr(given, name)), 3) for name in _TEXTS},
                "title": given.title.strip().removesuffix(SUFFIX.strip()).strip() or given.title,
                "date": date,
                "feature": feature,
                "scope": scope,
                "standards_file": standards_file,
                "research_reports": [relative(r, folder) for r in reports],
                "success_criteria": [Criterion(text=c) for c in given.success_criteria if c.strip()],
                "phases": [_phase(number, phase) for number, phase in enumerate(given.phases, 1)],
            }
        )
    except ValidationError as error:
        raise _bad(error, "The plan") from None
    return check(plan)


def _phase(number: int, given: _Phase) -> dict[str, Any]:
    return {
        **given.model_dump(),
        "number": number,
        "complexity": _COMPLEXITIES.get(given.complexity.strip().lower(), ""),
        "tasks": _named(given.tasks, f"T{number}."),
    }


def _named(given: Sequence[_Task], prefix: str) -> list[dict[str, Any]]:
    taken = {t.id.strip() for t in given}
    free = (name for n in count(1) if (name := f"{prefix}{n}") not in taken)
    return [{**task.model_dump(), "id": task.id.strip() or next(free)} for task in given]


def tasks_from_data(data: Sequence[Any], *, prefix: str = "D") -> tuple[PlanTask, ...]:
    """The tasks of a debugger, or of any list of the planner's form; one without an id gets `<prefix><n>`.

    Raises:
        BadInput: One of them is no task; the field says which.
    """
    try:
        given = TypeAdapter(tuple[_Task, ...]).validate_python(data)
        return TypeAdapter(tuple[PlanTask, ...]).validate_python(_named(given, prefix))
    except ValidationError as error:
        raise _bad(error, "The list of tasks") from None


def _bad(error: ValidationError, noun: str) -> BadInput:
    first = error.errors(include_url=False)[0]
    field = ".".join(map(str, first["loc"]))
    reason = first["msg"].removeprefix("Value error, ")
    return BadInput(f"{noun} cannot be taken: {field}: {reason}.", field=field)
