"""/subagents: the given tasks as parallel agents, each in its own workspace, landed one at a time."""

from typing import Any, cast

from stretto.commands.app import App, require_supported
from stretto.commands.development import run
from stretto.commands.invocation import Invocation
from stretto.commands.options import WORK
from stretto.commands.plan import existing
from stretto.commands.reply import Reply
from stretto.graph import recipes
from stretto.state.errors import BadInput

CONTEXT = ("phase", "name", "workflow_id", "complexity", "plan_file", "standards_file", "coordination")
COORDINATION = ("parallel", "dependency_aware")
"""Both run what is ready at once and honour the dependencies given; `dependency_aware` refuses tasks without any."""
TASK = (
    "id",
    "description",
    "files",
    "command",
    "topic",
    "scope",
    "depth",
    "analysis",
    "phase",
    "dependencies",
    "validation",
    "specialization",
    "focus",
    "coverage_target",
    "operation",
)


def handle(invocation: Invocation, app: App) -> Reply:
    """Run `'{context}' '[tasks]'`.

    Raises:
        BadInput: The JSON is not of this form; the message names the key.
    """
    require_supported(invocation, WORK)
    if invocation.operation or len(invocation.json) != 2:
        raise BadInput(
            "/subagents takes a context object and a list of tasks.",
            field="tasks",
            next_steps=("""stretto subagents '{"phase": "research"}' '[{"command": "/report", "topic": "…"}]'""",),
        )
    context, tasks = checked(invocation.json[0], invocation.json[1])
    reads = [existing(app.project, str(context[k]), k) for k in ("plan_file", "standards_file") if k in context]
    name = str(context.get("name") or context.get("phase") or "subagents")
    phases = recipes.subagents(context, tasks, reads)
    complexity = context.get("complexity")
    return run(
        invocation, app, f"{name}: {len(tasks)} tasks", phases, named=context.get("workflow_id"), complexity=complexity
    )


def checked(context: Any, tasks: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The two arguments, each key known.

    Raises:
        BadInput: One is not; the message names it and the allowed ones.
    """
    about = _object(context, CONTEXT, "context")
    if not isinstance(tasks, list) or not tasks:
        raise BadInput("The tasks are not a JSON list with at least one task.", field="tasks")
    listed: list[Any] = tasks
    found = [_object(task, TASK, f"tasks[{i}]") for i, task in enumerate(listed)]
    way = about.get("coordination", "parallel")
    if way not in COORDINATION:
        raise BadInput(f"There is no coordination {way!r}.", field="context.coordination", allowed=COORDINATION)
    if way == "dependency_aware" and len(found) > 1 and not any(t.get("dependencies") or t.get("files") for t in found):
        raise BadInput(
            "dependency_aware has to know what depends on what: give 'dependencies', or the 'files' of each task.",
            field="tasks",
            allowed=("dependencies", "files"),
        )
    return about, found


def _object(value: Any, allowed: tuple[str, ...], field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{field} is not a JSON object.", field=field, allowed=allowed)
    found = cast("dict[str, Any]", value)
    for key in found:
        if key not in allowed:
            raise BadInput(f"{field} has the unknown key {key!r}.", field=f"{field}.{key}", allowed=allowed)
    for key in ("files", "dependencies", "validation"):
        if not _texts(found.get(key, [])):
            raise BadInput(f"{field}.{key} is not a list of strings.", field=f"{field}.{key}")
    return found


def _texts(value: Any) -> bool:
    if not isinstance(value, list):
        return False
    listed: list[Any] = value
    return all(isinstance(v, str) for v in listed)
