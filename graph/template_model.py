"""What a template file may hold, and its reading. Errors name the file, the phase, the task and the key.

    name, description
    variables: [{name, type: string|array|boolean, required, default, at_least}]
    phases:    [{name, kind, after, tasks: […]}]
    tasks:     [{id, title, role, agent, prompt, reads, writes, depends_on, checks, for_each, when}]

`{{name}}` in a title, a prompt, a path, a check or a default stands for a variable; there are no expressions.
`{{description}}` and `{{subject}}` (its first sentence, cut to fit a title) are always there. `for_each: NAME` makes a
task per element of an array, `{{item}}` being the element; `when: NAME` keeps a task only if a boolean is true. In
`reads` and `writes` an entry that is one array variable alone becomes its elements.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from pydantic import Field, ValidationError

from stretto.agents.task import Frozen, RoleName
from stretto.graph import dag
from stretto.graph.holes import PLACEHOLDER, Value
from stretto.graph.spec import Kind
from stretto.graph.strict_yaml import read_yaml
from stretto.state.errors import BadInput

Type = Literal["string", "array", "boolean"]
GIVEN: Mapping[str, Type] = {"description": "string", "subject": "string"}
"""Variables that every template has without declaring them."""
_NAME = r"^[a-z][a-z0-9_]{0,39}$"


class Variable(Frozen):
    """A hole in a template. One that is not required has a default.

    A `named` array takes the topics that the description lists, if it lists some: see `topics.py`.
    """

    name: str = Field(pattern=_NAME)
    type: Type
    required: bool = False
    default: Value | None = None
    at_least: int = Field(default=0, ge=0, le=20)
    named: bool = False


class TemplateTask(Frozen):
    """A task with holes. Its id becomes `id-1`, `id-2` … under `for_each`.

    `agent` names one of the pack that the template is of: what its file says stands before the prompt.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,59}$")
    title: str
    role: RoleName
    agent: str = Field(default="", pattern=r"^([a-z][a-z0-9-]{0,39})?$")
    prompt: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    for_each: str = ""
    when: str = ""

    def texts(self) -> Iterator[tuple[str, str]]:
        """Each text that may hold placeholders, with its key."""
        yield from (("title", self.title), ("prompt", self.prompt))
        for key, entries in (("reads", self.reads), ("writes", self.writes), ("checks", self.checks)):
            for entry in entries:
                yield key, entry


class TemplatePhase(Frozen):
    """A phase with holes. An `implement` phase without tasks takes them from the plan."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    kind: Kind
    after: tuple[str, ...] = ()
    tasks: tuple[TemplateTask, ...] = ()


class Template(Frozen):
    """A named spec with variables."""

    name: str
    description: str
    variables: tuple[Variable, ...] = ()
    phases: tuple[TemplatePhase, ...] = Field(min_length=1)

    def types(self) -> dict[str, Type]:
        """Every variable that its texts may use, with its type."""
        return {**GIVEN, **{v.name: v.type for v in self.variables}}


def parse_template(text: str, *, name: str, where: str) -> Template:
    """The template in `text`, which stands in the file `where` and must be called `name`.

    Raises:
        BadInput: It is no such template; the message names the file, the phase, the task and the key.
    """
    data = read_yaml(text, where)
    try:
        template = Template.model_validate(data)
    except ValidationError as error:
        raise _refused(data, error, where) from error
    if template.name != name:
        raise _bad(where, "name", f"is {template.name!r}; a template is called as its file is: {name!r}")
    _check_variables(template, where)
    _check_order(
        {p.name: p.after for p in template.phases}, [p.name for p in template.phases], where, "phases", "after"
    )
    for phase in template.phases:
        _check_phase(phase, template.types(), where)
    return template


def _bad(where: str, place: str, what: str, allowed: Sequence[str] = ()) -> BadInput:
    hint = f" Allowed: {', '.join(allowed)}." if allowed else ""
    return BadInput(f"Template file {where}, {place}: {what}.{hint}", field=place, allowed=allowed)


def _refused(data: object, error: ValidationError, where: str) -> BadInput:
    first = error.errors(include_url=False)[0]
    what = str(first["msg"])[:1].lower() + str(first["msg"])[1:]
    if first["type"] == "extra_forbidden":
        what = "is no key of a template"
    given = "" if first["type"] in ("missing", "extra_forbidden") else f", not {first['input']!r:.80}"
    return _bad(where, _place(data, first["loc"]), what + given)


def _place(data: object, loc: Sequence[int | str]) -> str:
    """`phase 'research', task 'topic', key 'role'` for `phases.0.tasks.1.role`."""
    named: list[str] = []
    for step in loc:
        if isinstance(step, str):
            named.append(f"key {step!r}")
        elif named:
            name = _name_of(data, step) or str(step + 1)
            singular = named.pop().removeprefix("key '").rstrip("'").removesuffix("s")
            named.append(f"{singular} {name}")
        data = _inside(data, step)
    return ", ".join(named) or "the whole file"


def _inside(data: object, step: int | str) -> object:
    try:
        return cast("Any", data)[step]
    except (KeyError, IndexError, TypeError):
        return None


def _name_of(data: object, index: int) -> str:
    found = _inside(data, index)
    name = _inside(found, "id") or _inside(found, "name")
    return repr(name) if isinstance(name, str) and name else ""


def _check_variables(template: Template, where: str) -> None:
    names = [v.name for v in template.variables]
    dag.unique(names, f"Template file {where}, variables")
    for variable in template.variables:
        place = f"variable {variable.name!r}"
        if variable.name in GIVEN or variable.name == "item":
            raise _bad(where, place, "is always there and cannot be declared")
        if variable.required == (variable.default is not None):
            raise _bad(where, place, "needs a default or `required: true`, and not both")
        if variable.default is not None:
            check_value(variable, variable.default, f"Template file {where}, {place}, key 'default'")
        for text in _default_texts(variable.default):
            _check_text(text, GIVEN, where, f"{place}, key 'default'")


def _default_texts(default: Value | None) -> tuple[str, ...]:
    return (default,) if isinstance(default, str) else default if isinstance(default, tuple) else ()


def check_value(variable: Variable, value: object, field: str) -> Value:
    """`value` as a value of `variable`.

    Raises:
        BadInput: It is of another type, or an array of fewer than `at_least` elements or more than 20.
    """
    if variable.type == "boolean" and isinstance(value, bool):
        return value
    if variable.type == "string" and isinstance(value, str):
        return value
    if variable.type == "array" and isinstance(value, list | tuple):
        items = cast("Sequence[object]", value)
        texts = tuple(item for item in items if isinstance(item, str) and item.strip())
        if len(texts) == len(items) and variable.at_least <= len(texts) <= 20:
            return texts
        raise BadInput(
            f"{field}: an array of {variable.at_least} to 20 texts is needed, none of them empty; {len(texts)} given.",
            field=variable.name,
        )
    raise BadInput(f"{field}: {value!r:.80} is no {variable.type}.", field=variable.name, allowed=(variable.type,))


def _check_phase(phase: TemplatePhase, types: Mapping[str, Type], where: str) -> None:
    place = f"phase {phase.name!r}"
    if phase.kind not in {"implement", "test"} and not phase.tasks:
        raise _bad(where, f"{place}, key 'tasks'", f"a phase of kind {phase.kind!r} needs a task")
    needs = {task.id: task.depends_on for task in phase.tasks}
    _check_order(needs, [task.id for task in phase.tasks], where, f"{place}, tasks", "depends_on")
    for task in phase.tasks:
        _check_task(task, types, where, f"{place}, task {task.id!r}")


def _check_order(needs: Mapping[str, Sequence[str]], names: Sequence[str], where: str, place: str, key: str) -> None:
    dag.unique(names, f"Template file {where}, {place}")
    for name in names:
        if unknown := set(needs[name]) - set(names):
            raise _bad(where, f"{place}, {name!r}, key {key!r}", f"{min(unknown)!r} is not there", names)
    dag.ordered(names, needs, f"Template file {where}, {place}")


def _check_task(task: TemplateTask, types: Mapping[str, Type], where: str, place: str) -> None:
    for key, name, kind in (("for_each", task.for_each, "array"), ("when", task.when, "boolean")):
        if name and types.get(name) != kind:
            known = [n for n, t in types.items() if t == kind]
            raise _bad(where, f"{place}, key {key!r}", f"{name!r} is no {kind} variable", known)
    names: Mapping[str, Type] = {**types, "item": "string"} if task.for_each else types
    for key, text in task.texts():
        _check_text(text, names, where, f"{place}, key {key!r}")
    for check in task.checks:
        _check_words(check, where, f"{place}, key 'checks'")


def _check_text(text: str, types: Mapping[str, Type], where: str, place: str) -> None:
    for match in PLACEHOLDER.finditer(text):
        if match[1] not in types:
            raise _bad(where, place, f"{match[0]} names no variable", list(types))
    if "{{" in PLACEHOLDER.sub("", text):
        raise _bad(where, place, "'{{' begins no variable; there are no expressions in templates")


def _check_words(check: str, where: str, place: str) -> None:
    try:
        words = shlex.split(check)
    except ValueError as error:
        raise _bad(where, place, f"{check!r} cannot be split in words: {error}") from error
    if not words:
        raise _bad(where, place, "a check is a command, and this one is empty")
