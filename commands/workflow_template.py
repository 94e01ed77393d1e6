"""/workflow-template: the templates that there are, what is in one, whether it is sound, and a workflow made of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from stretto.commands.app import App
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.launch import launch
from stretto.commands.operations import Operations, run
from stretto.commands.options import TEAM
from stretto.commands.orchestrate import spec_of_template
from stretto.commands.preview import preview
from stretto.commands.reply import Reply
from stretto.graph.analyze import analyze
from stretto.graph.template import Listed, instantiate, list_templates, load_template
from stretto.graph.template_model import Template, Variable
from stretto.state.errors import BadInput
from stretto.state.store import find_project

NAME = "workflow-template"
SUPPORTED = TEAM | {"priority", "complex"}
SAMPLE = "Add a sample"
"""The description with which a template is tried."""


def handle(invocation: Invocation, app: App) -> Reply:
    """Carry out one operation.

    Raises:
        BadInput: An operation or flag that does nothing here, no such template, or variables that do not fit it.
    """
    return run(invocation, app, OPERATIONS, dict.fromkeys(("instantiate", "apply", "use"), SUPPORTED))


def listed(invocation: Invocation, app: App) -> Reply:
    """A line for each template."""
    del invocation
    found = list_templates(find_project(app.project))
    lines = [f"{one.name:<24} {one.error or ', '.join(one.phases)}" for one in found]
    rows = [{**one._asdict(), "error": one.error or None} for one in found]
    steps = (f"stretto workflow-template show {found[0].name}",)
    return Reply(NAME, "\n".join(lines), {"templates": rows}, "list", next_steps=steps)


def show(invocation: Invocation, app: App) -> Reply:
    """One template: what it asks for, and what it makes."""
    found = load_template(invocation.words[0].text, find_project(app.project))
    result = found.model_dump(mode="json")
    steps = (f"stretto workflow-template instantiate {found.name} {_wanted(found)}--dry-run",)
    return Reply(NAME, "\n".join(_told(found)), result, "show", next_steps=steps)


def validate(invocation: Invocation, app: App) -> Reply:
    """Each template read and filled once with samples; of one, if one is named. Exit code 1 if one is not sound."""
    project = find_project(app.project)
    every = list_templates(project)
    if invocation.words:
        name = invocation.words[0].text
        chosen = [one for one in every if one.name == name]
        if not chosen:
            known = [one.name for one in every]
            raise BadInput(f"There is no template {name!r}.", field="template", allowed=known)
    else:
        chosen = [*every]
    rows = [_tried(one, project) for one in chosen]
    lines = [f"{row['name']}: {row['problem'] or _sound(row)}" for row in rows]
    broken = any(row["problem"] for row in rows)
    return Reply(NAME, "\n".join(lines), {"templates": rows}, "validate", exit_code=1 if broken else 0)


def instantiated(invocation: Invocation, app: App) -> Reply:
    """A workflow of a template, as `/orchestrate --template` starts it, with variables; or what it would be."""
    name, description = (word.text for word in invocation.words)
    variables = _variables(invocation)
    spec = spec_of_template(invocation, app, description, name, variables)
    if "dry-run" in invocation.flags:
        return preview(spec, invocation, app)
    reply = launch(spec, invocation._replace(command="orchestrate", operation=""), app)
    return reply._replace(command=NAME, operation="instantiate")


def _variables(invocation: Invocation) -> Mapping[str, object]:
    if not invocation.json:
        return {}
    Fields(invocation.json[0], "variables")  # an object, or an error that says so
    found: Any = invocation.json[0]
    return dict(found)


# ── trying ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tried(one: Listed, project: Any) -> dict[str, Any]:
    """Whether a template can be read, and makes a spec that can run when its required variables are filled."""
    row: dict[str, Any] = {"name": one.name, "source": one.source, "phases": len(one.phases), "problem": None}
    if one.error:
        return {**row, "problem": one.error}
    template = load_template(one.name, project)
    given = {v.name: _sample(v) for v in template.variables if v.required}
    try:
        spec = instantiate(template, SAMPLE, analysis=analyze(SAMPLE), workflow_id="sample_001", variables=given)
    except BadInput as error:
        return {**row, "problem": error.message}
    later = any(p.kind == "implement" and not p.tasks for p in spec.phases)
    return {**row, "tasks": sum(len(p.tasks) for p in spec.phases), "plans_tasks": later, "required": sorted(given)}


def _sample(variable: Variable) -> object:
    samples: dict[str, object] = {"string": "sample", "boolean": True}
    return samples.get(variable.type) or [f"sample {n + 1}" for n in range(max(1, variable.at_least))]


def _sound(row: Mapping[str, Any]) -> str:
    required = f"; needs {', '.join(row['required'])}" if row["required"] else ""
    later = " and those of its plan" if row["plans_tasks"] else ""
    return f"sound, {row['phases']} phases, {row['tasks']} tasks{later}{required}"


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _told(template: Template) -> Iterator[str]:
    yield f"{template.name}: {template.description}"
    for variable in template.variables:
        value = "required" if variable.required else f"by default {_shown(variable.default)}"
        yield f"  variable {variable.name} ({variable.type}), {value}"
    for phase in template.phases:
        after = f", after {', '.join(phase.after)}" if phase.after else ""
        yield f"  phase {phase.name} ({phase.kind}{after})"
        for task in phase.tasks:
            more = [f"for each of {task.for_each}"] * bool(task.for_each) + [f"when {task.when}"] * bool(task.when)
            yield f"    {task.id}: {task.role}{''.join(f', {m}' for m in more)}: {task.title}"
        if not phase.tasks:
            yield "    the tasks of the plan" if phase.kind == "implement" else "    the project's own tests"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} texts"  # pyright: ignore[reportUnknownArgumentType] - an array of texts
    return {True: "true", False: "false"}.get(value, repr(value)) if isinstance(value, bool) else repr(value)


def _wanted(template: Template) -> str:
    needed = [f'"{v.name}": …' for v in template.variables if v.required]
    return f"\"…\" '{{{', '.join(needed)}}}' " if needed else '"…" '


OPERATIONS: Operations = {
    "list": listed,
    "show": show,
    **dict.fromkeys(("validate", "check", "verify"), validate),
    **dict.fromkeys(("instantiate", "apply", "use"), instantiated),
}
