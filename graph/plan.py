"""The plan: what a planner decided, and how far it is done. Pure data; `plan_file` writes and reads it as markdown.

Texts are brought to one form when a plan is made (`Line`: a single line, `Text`: lines without blank ends), so that
a plan written to a file and read again is equal to itself.
"""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from stretto.agents.task import Frozen
from stretto.graph.markdown import block, one_line
from stretto.graph.plan_reading import inside, task_id


def _some(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    return text


def _command(text: str) -> str:
    """A command line; a comment is none, and a backslash at the end would swallow the next one."""
    line = one_line(text).rstrip("\\ ")
    return "" if line.startswith("#") else line


def _kept(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(t for t in texts if t)


Line = Annotated[str, AfterValidator(one_line)]
Name = Annotated[str, AfterValidator(one_line), AfterValidator(_some)]
Text = Annotated[str, AfterValidator(block)]
Id = Annotated[str, AfterValidator(one_line), AfterValidator(task_id)]
Lines = Annotated[tuple[Line, ...], AfterValidator(_kept)]
Paths = Annotated[tuple[Annotated[Line, AfterValidator(inside)], ...], AfterValidator(_kept)]
Commands = Annotated[tuple[Annotated[str, AfterValidator(_command)], ...], AfterValidator(_kept)]
Complexity = Literal["Low", "Medium", "High", ""]
"""Empty: nobody said."""


class Criterion(Frozen):
    """One thing that must be true at the end."""

    text: Name
    done: bool = False


class PlanTask(Frozen):
    """One task of a phase. `depends_on` names tasks of this phase or an earlier one."""

    id: Id
    title: Name
    description: Text = ""
    reads: Paths = ()
    writes: Paths = ()
    depends_on: tuple[Id, ...] = ()
    checks: Commands = ()
    done: bool = False


class PlanPhase(Frozen):
    """Tasks that belong together; `testing` are the commands that must pass after them."""

    number: int = Field(ge=1, le=9999)
    name: Name
    objective: Line = ""
    complexity: Complexity = ""
    tasks: tuple[PlanTask, ...] = ()
    testing: Commands = ()
    completed: bool = False

    @property
    def open(self) -> bool:
        """Whether something is left to do: a box without a tick, or no `[COMPLETED]` on the heading."""
        return not self.completed or any(not t.done for t in self.tasks)


class Plan(Frozen):
    """A whole plan. `research_reports` and `summary` are links as seen from the plan's own folder."""

    title: Name
    date: Line = ""
    feature: Line = ""
    scope: Line = ""
    standards_file: Line = ""
    research_reports: Lines = ()
    summary: Line = ""
    overview: Text = ""
    success_criteria: tuple[Criterion, ...] = ()
    technical_design: Text = ""
    phases: tuple[PlanPhase, ...] = Field(min_length=1)
    testing_strategy: Text = ""
    documentation: Text = ""
    dependencies: Text = ""
    notes: Text = ""
    history: Text = ""

    @model_validator(mode="after")
    def _numbers_rise(self) -> Self:
        numbers = [p.number for p in self.phases]
        if any(a >= b for a, b in pairwise(numbers)):
            raise ValueError(f"the phases are not numbered upwards: {', '.join(map(str, numbers))}")
        return self

    @property
    def tasks(self) -> tuple[PlanTask, ...]:
        """The tasks of all phases, in their order."""
        return tuple(t for p in self.phases for t in p.tasks)


def incomplete(plan: Plan) -> int | None:
    """The number of the first phase with something left to do, or None when the plan is finished."""
    return next((p.number for p in plan.phases if p.open), None)
