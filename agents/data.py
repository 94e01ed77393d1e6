"""The `data` of an outcome: what each role must return beside its summary, for every runner alike.

Models are loose writers: unknown keys are dropped, null is an absent list. What a later phase would stumble over (a
wrong type, an unknown dependency, a path out of the project) is an error that names the field.
"""

import re
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import count
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    field_validator,
)

from stretto.agents.roles import ROLES
from stretto.state.errors import BadInput, StrettoError

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class BadOutcome(StrettoError):
    """What an agent returned does not fit its role. `field` is the place, such as `data.phases.0.tasks.1.reads`.

    `wrong` is all that does not fit, a line each.
    """

    code: ClassVar[str] = "BAD_OUTCOME"

    def __init__(self, message: str, *, field: str, wrong: Sequence[str] = ()) -> None:
        super().__init__(message, details={"field": field})
        self.field = field
        self.wrong = tuple(wrong)


def relative_path(text: str) -> str:
    """Return `text` if it is a path, or a glob, below the project.

    Raises:
        ValueError: It is empty, absolute, climbs with `..`, names `.git`, or holds a NUL.
    """
    parts = PurePosixPath(text).parts
    if not parts or "\0" in text:
        raise ValueError("must be a path")
    if text.startswith(("/", "~")) or ".." in parts:
        raise ValueError(f"{text!r} must be relative to the project, without '..'")
    if any(part.lower() == ".git" for part in parts):
        raise ValueError(f"{text!r} lies in git's own folder")
    return text


def _task_name(text: str) -> str:
    if not _ID.fullmatch(text) or ".." in text:
        raise ValueError(f"{text!r} is not an id such as 'T1': letters, digits, '_', '-' and dots, at most 64")
    return text


def _task_name_or_none(text: str) -> str:
    return _task_name(text.strip()) if text.strip() else ""


def _none_is_empty_text(value: object) -> object:
    return "" if value is None else value


def _one_is_many(value: object) -> object:
    """Null is an absent list, and one text a list of one."""
    if value is None or value == "":
        return ()
    return (value,) if isinstance(value, str) else value


def _level(value: object) -> object:
    """`low`, `Medium`, `HIGH`; anything else says nothing."""
    word = value.strip().capitalize() if isinstance(value, str) else ""
    return word if word in LEVELS else ""


def _stripped(text: str) -> str:
    if not (bare := text.strip()):
        raise ValueError("is empty")
    return bare


LEVELS = ("Low", "Medium", "High")
Text = Annotated[str, Field(min_length=1), AfterValidator(_stripped)]
Said = Annotated[str, BeforeValidator(_none_is_empty_text)]
Path = Annotated[str, AfterValidator(relative_path)]
Paths = Annotated[tuple[Path, ...], BeforeValidator(_one_is_many)]
Names = Annotated[tuple[Annotated[str, AfterValidator(_task_name)], ...], BeforeValidator(_one_is_many)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_one_is_many)]
Complexity = Annotated[
    Literal["Low", "Medium", "High", ""], BeforeValidator(_level), WithJsonSchema({"enum": [*LEVELS, ""]})
]


class Loose(BaseModel):
    """Immutable data of which unknown keys are dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class PlannedTask(Loose):
    """One unit of a plan. `writes` empty means anywhere."""

    id: Annotated[str, BeforeValidator(_none_is_empty_text), AfterValidator(_task_name_or_none)] = ""
    title: Text
    description: Said = ""
    reads: Paths = ()
    writes: Paths = ()
    depends_on: Names = ()
    checks: Texts = ()


class PlannedPhase(Loose):
    """One phase of a plan; `testing` are the commands that must pass after it."""

    name: Text
    objective: Said = ""
    complexity: Complexity = ""
    tasks: tuple[PlannedTask, ...] = Field(min_length=1)
    testing: Texts = ()


class ResearcherData(Loose):
    """A report: `report` is markdown."""

    title: Text
    report: Text


class PlannerData(Loose):
    """A plan. A task without an id gets `T<phase>.<n>`."""

    title: Text
    overview: Said = ""
    success_criteria: Texts = ()
    technical_design: Said = ""
    phases: tuple[PlannedPhase, ...] = Field(min_length=1)
    testing_strategy: Said = ""
    documentation: Said = ""
    dependencies: Said = ""
    notes: Said = ""

    @field_validator("phases")
    @classmethod
    def _tasks_fit(cls, phases: tuple[PlannedPhase, ...]) -> tuple[PlannedPhase, ...]:
        given = [
            phase.model_copy(update={"tasks": _named(phase.tasks, f"T{number}.")})
            for number, phase in enumerate(phases, 1)
        ]
        fitting([task for phase in given for task in phase.tasks])
        return tuple(given)


class DebuggerData(Loose):
    """Why something fails, and the tasks that cure it. A task without an id gets `D<n>`."""

    cause: Text
    evidence: Texts = ()
    tasks: tuple[PlannedTask, ...] = ()

    @field_validator("tasks")
    @classmethod
    def _tasks_fit(cls, tasks: tuple[PlannedTask, ...]) -> tuple[PlannedTask, ...]:
        given = _named(tasks, "D")
        fitting(given)
        return given


def _named(tasks: Sequence[PlannedTask], prefix: str) -> tuple[PlannedTask, ...]:
    taken = {t.id for t in tasks}
    free = (name for n in count(1) if (name := f"{prefix}{n}") not in taken)
    return tuple(t if t.id else t.model_copy(update={"id": next(free)}) for t in tasks)


class DocumenterData(Loose):
    """The documents that were written or changed."""

    files: Paths = ()


class NoData(Loose):
    """Roles whose work is in the files and the summary."""


_SHAPES: dict[str, type[Loose]] = {
    "researcher": ResearcherData,
    "planner": PlannerData,
    "debugger": DebuggerData,
    "documenter": DocumenterData,
}


def fitting(tasks: Sequence[PlannedTask]) -> None:
    """Check that the ids of `tasks` are unique, and that they depend on each other without a circle.

    Raises:
        ValueError: They are not; the message names the task.
    """
    ids = [task.id for task in tasks]
    if twice := next((name for name in ids if ids.count(name) > 1), None):
        raise ValueError(f"the task id {twice!r} is there twice")
    for task in tasks:
        if unknown := sorted(set(task.depends_on) - set(ids)):
            raise ValueError(f"task {task.id!r}: depends_on names {unknown[0]!r}, which is no task")
    try:
        TopologicalSorter({task.id: task.depends_on for task in tasks}).prepare()
    except CycleError as error:
        circle = " → ".join(reversed(cast("list[str]", error.args[1])))
        raise ValueError(f"depends_on goes in a circle: {circle}") from error


def shape_of(role: str) -> type[Loose]:
    """The model of this role's data.

    Raises:
        BadInput: There is no such role.
    """
    if role not in ROLES:
        raise BadInput(f"There is no role {role!r}.", field="role", allowed=ROLES)
    return _SHAPES.get(role, NoData)


def needs_data(role: str) -> bool:
    """Whether a completed outcome of this role is nothing without data."""
    return any(field.is_required() for field in shape_of(role).model_fields.values())


def schema_for(role: str) -> dict[str, Any]:
    """The JSON Schema of this role's data, without references. Roles without data have no properties."""
    schema = shape_of(role).model_json_schema()
    return cast("dict[str, Any]", _inlined(schema, schema.pop("$defs", {})))


def _inlined(node: Any, shapes: dict[str, Any]) -> Any:
    """`node` with every `$ref` replaced by what it names: some providers do not follow references."""
    if isinstance(node, list):
        return [_inlined(item, shapes) for item in cast("list[object]", node)]
    if not isinstance(node, dict):
        return node
    found = cast("dict[str, Any]", node)
    if "$ref" in found:
        return _inlined(shapes[found["$ref"].rpartition("/")[2]], shapes)
    return {key: _inlined(value, shapes) for key, value in found.items()}


def check_data(role: str, data: object) -> BaseModel:
    """`data` as this role's model.

    Raises:
        BadOutcome: It does not fit; the message names the first field that does not, and says how many more.
    """
    try:
        return shape_of(role).model_validate(data)
    except ValidationError as error:
        raise bad_outcome(error, "data", f"The {role}'s outcome") from error


def bad_outcome(error: ValidationError, place: str, what: str) -> BadOutcome:
    """A validation error as one sentence about the first field that is wrong."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    fields = [".".join([place, *map(str, one["loc"])]).strip(".") for one in found]
    wrong = [
        f"{field or 'it'}: {one['msg'].removeprefix('Value error, ')}" for field, one in zip(fields, found, strict=True)
    ]
    more = f" ({len(wrong) - 1} more fields are wrong)" if len(wrong) > 1 else ""
    return BadOutcome(f"{what}: {wrong[0]}{more}.", field=fields[0], wrong=wrong)
