"""Templates: finding them, and making a spec of one.

Built-in ones are shipped in `templates/`; a project adds its own as `.stretto/templates/NAME.yaml`. The format is told
in `template_model.py`. Values are put in after the file was parsed and are never looked at again: a value that holds
`{{`, quotes or YAML stays the text that it is.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from stretto.agents.roles import parse_role
from stretto.graph import holes
from stretto.graph.analyze import Analysis
from stretto.graph.complexity import Complexity
from stretto.graph.holes import Value
from stretto.graph.spec import Limits, Merge, PhaseSpec, Priority, Spec, TaskSpec, validate
from stretto.graph.strict_yaml import LARGEST
from stretto.graph.template_model import Template, TemplatePhase, TemplateTask, check_value, parse_template
from stretto.graph.topics import named_topics
from stretto.state.errors import BadInput
from stretto.state.pack_lock import pack_text, read_lock
from stretto.state.store import find_project

_BUILT_IN = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Listed(NamedTuple):
    """A template in a list. `error` says why it cannot be used, or is empty."""

    name: str
    source: str
    description: str
    phases: tuple[str, ...]
    error: str


def list_templates(project: Path | None) -> tuple[Listed, ...]:
    """Every template there is, built-in ones first; a broken one is listed with its error."""
    names = (*_built_in_names(), *_project_names(project), *_pack_names(project))
    return tuple(_listed(name, project) for name in names)


def _listed(name: str, project: Path | None) -> Listed:
    own = f"pack {name.partition(':')[0]}" if ":" in name else f".stretto/templates/{name}.yaml"
    source = "built-in" if name in _built_in_names() else own
    try:
        template = load_template(name, project)
    except BadInput as error:
        return Listed(name, source, "", (), error.message)
    return Listed(name, source, template.description, tuple(p.name for p in template.phases), "")


def load_template(name: str, project: Path | None) -> Template:
    """The template of this name: built-in, or the project's.

    Raises:
        BadInput: There is none of this name (the message lists those there are), the project has a file that shadows a
            built-in one, or the file is no template.
    """
    if ":" in name and project is not None:
        return _of_pack(name, project)
    built_in, own = _built_in_names(), _project_names(project)
    if not _NAME.fullmatch(name) or name not in (*built_in, *own):
        known = [*built_in, *own]
        raise BadInput(f"There is no template {name!r}. Known: {', '.join(known)}.", field="template", allowed=known)
    if name in built_in and name in own:
        raise BadInput(
            f"Template .stretto/templates/{name}.yaml has the name of a built-in template, which cannot be replaced.",
            field="template",
            next_steps=(f"Rename the file, and `name:` in it: `my-{name}`, say.",),
        )
    if name in built_in or project is None:
        return parse_template((_BUILT_IN / f"{name}.yaml").read_text("utf-8"), name=name, where=f"{name}.yaml")
    where = f".stretto/templates/{name}.yaml"
    own_one = parse_template(_read(name, project), name=name, where=where)
    if agents := [task.agent for phase in own_one.phases for task in phase.tasks if task.agent]:
        raise BadInput(
            f"{where} names the agent {agents[0]!r}: only a template of a pack has agents, those of its pack.",
            field="agent",
        )
    return own_one


def _of_pack(name: str, project: Path) -> Template:
    """A template of an installed pack, by its full name."""
    packs = read_lock(str(find_project(project)))
    pack, _, short = name.partition(":")
    if pack not in packs or short not in packs[pack].templates:
        known = _pack_names(project)
        raise BadInput(
            f"There is no template {name!r} in the packs of this project. Known: {', '.join(known) or 'none'}.",
            field="template",
            allowed=known,
        )
    top, where = str(find_project(project)), f"templates/{short}.yaml"
    template = parse_template(pack_text(top, packs[pack], where), name=short, where=f"{pack}: {where}")

    def told(agent: str) -> str:
        return parse_role(agent, pack_text(top, packs[pack], f"agents/{agent}.md")).prompt

    return Template.model_validate({**with_agents(template, told).model_dump(), "name": name})


def with_agents(template: Template, told: Callable[[str], str]) -> Template:
    """The template with what its agents are told in front of their prompts: so it stays what it was for a resume."""

    def led(task: TemplateTask) -> TemplateTask:
        if not task.agent:
            return task
        return task.model_copy(update={"prompt": f"{told(task.agent)}\n\n{task.prompt}", "agent": ""})

    phases = tuple(phase.model_copy(update={"tasks": tuple(map(led, phase.tasks))}) for phase in template.phases)
    return template.model_copy(update={"phases": phases})


def _pack_names(project: Path | None) -> list[str]:
    packs = read_lock(str(find_project(project))) if project else {}
    return [f"{pack.name}:{template}" for pack in packs.values() for template in pack.templates]


def _built_in_names() -> list[str]:
    return sorted(path.stem for path in _BUILT_IN.glob("*.yaml"))


def _folder(project: Path) -> Path:
    return project / ".stretto" / "templates"


def _project_names(project: Path | None) -> list[str]:
    found = [] if project is None else sorted(path.stem for path in _folder(project).glob("*.yaml"))
    return [name for name in found if _NAME.fullmatch(name)]


def _read(name: str, project: Path) -> str:
    path = _folder(project) / f"{name}.yaml"
    where = f".stretto/templates/{name}.yaml"
    if not path.resolve().is_relative_to(project.resolve()):
        raise BadInput(f"Template file {where} leads out of the project and was not read.", field="template")
    try:
        if path.stat().st_size > 4 * LARGEST:  # the characters are counted when it is parsed
            raise BadInput(f"Template file {where} is larger than a template can be.", field="template")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"Template file {where} cannot be read: {error}.", field="template") from error


def instantiate(
    template: Template,
    description: str,
    *,
    analysis: Analysis,
    workflow_id: str,
    variables: Mapping[str, object] | None = None,
    complexity: Complexity | None = None,
    priority: Priority = "medium",
    gates: Sequence[str] = (),
    merge: Merge = "auto",
    plan_file: str = "",
    test_command: str = "",
    limits: Limits | None = None,
) -> Spec:
    """A validated spec of `template` for `description`.

    `variables` fill the holes; `complexity` overrides the one that analysis found.

    Raises:
        BadInput: A variable is missing, unknown or of another type, or the spec cannot run.
    """
    values = _values(template, description, variables or {})
    fields: dict[str, Any] = {
        "workflow_id": workflow_id,
        "description": description,
        "type": analysis.type,
        "template": template.name,
        "complexity": complexity or analysis.complexity,
        "priority": priority,
        "phases": tuple(_phase(phase, values) for phase in template.phases),
        "gates": tuple(gates),
        "merge": merge,
        "plan_file": plan_file,
        "test_command": test_command,
        "limits": limits or Limits(),
    }
    try:
        spec = Spec(**fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(step) for step in first["loc"])
        raise BadInput(f"{field}: {first['msg']}, not {first['input']!r:.80}.", field=field) from error
    return validate(spec)


def _values(template: Template, description: str, given: Mapping[str, object]) -> dict[str, Value]:
    known = [v.name for v in template.variables]
    if unknown := sorted(set(given) - set(known)):
        raise BadInput(
            f"Template {template.name!r} has no variable {unknown[0]!r}. It has: {', '.join(known) or 'none'}.",
            field=unknown[0],
            allowed=known,
        )
    values: dict[str, Value] = {"description": description, "subject": holes.subject(description)}
    always = dict(values)
    for variable in template.variables:
        if variable.name in given:
            values[variable.name] = check_value(variable, given[variable.name], f"Variable {variable.name!r}")
        elif variable.named and len(topics := named_topics(description)) >= max(variable.at_least, 1):
            values[variable.name] = topics
        elif variable.default is None:
            raise BadInput(
                f"Template {template.name!r} needs the variable {variable.name!r} ({variable.type}).",
                field=variable.name,
            )
        else:
            values[variable.name] = holes.default(variable.default, always)
    return values


def _phase(phase: TemplatePhase, values: Mapping[str, Value]) -> PhaseSpec:
    tasks = [task for task in phase.tasks if not task.when or values[task.when] is True]
    made = {task.id: _made(task, values) for task in tasks}
    dropped = {task.id for task in phase.tasks} - made.keys()
    specs = [spec for group in made.values() for spec in group]
    return PhaseSpec(
        name=phase.name,
        kind=phase.kind,
        after=phase.after,
        tasks=tuple(_linked(spec, made, dropped) for spec in specs),
    )


def _made(task: TemplateTask, values: Mapping[str, Value]) -> list[TaskSpec]:
    if not task.for_each:
        return [_task(task, task.id, values)]
    items = values[task.for_each]
    elements = items if isinstance(items, tuple) else ()  # an array: checked when the template was read
    return [_task(task, f"{task.id}-{n}", {**values, "item": item}) for n, item in enumerate(elements, start=1)]


def _task(task: TemplateTask, name: str, values: Mapping[str, Value]) -> TaskSpec:
    return TaskSpec(
        id=name,
        title=holes.title(task.title, values),
        role=task.role,
        prompt=holes.fill(task.prompt, values).strip(),
        reads=holes.paths(task.reads, values),
        writes=holes.paths(task.writes, values),
        depends_on=task.depends_on,
        checks=tuple(holes.command(check, values) for check in task.checks),
    )


def _linked(spec: TaskSpec, made: Mapping[str, Sequence[TaskSpec]], dropped: set[str]) -> TaskSpec:
    """Its dependencies: all elements of a `for_each`, none of a task that `when` left out."""
    kept = [need for need in spec.depends_on if need not in dropped]
    needs = [t.id for need in kept for t in made[need]] if all(n in made for n in kept) else kept
    return spec.model_copy(update={"depends_on": tuple(needs)})
