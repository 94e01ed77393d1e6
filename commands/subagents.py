"""/subagents: the given tasks as parallel agents, each in its own workspace, landed one at a time."""

import re
from typing import Any, cast

from stretto.commands.app import App, require_supported
from stretto.commands.development import run
from stretto.commands.inputs import committed, existing
from stretto.commands.invocation import Invocation
from stretto.commands.options import TEAM
from stretto.commands.reply import Reply
from stretto.commands.safe import one_line
from stretto.graph import recipes
from stretto.state.errors import BadInput

SUPPORTED = TEAM
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

_LISTS = frozenset({"files", "dependencies", "validation"})
_TEXTS = frozenset({*CONTEXT, "id", "description", "command", "topic", "scope"})
_ID = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def handle(invocation: Invocation, app: App) -> Reply:
    """Run `'{context}' '[tasks]'`.

    Raises:
        BadInput: The JSON is not of this form; the message names the key.
    """
    require_supported(invocation, SUPPORTED)
    if invocation.operation or len(invocation.json) != 2:
        raise BadInput(
            "/subagents takes a context object and a list of tasks.",
            field="tasks",
            next_steps=("""stretto subagents '{"phase": "research"}' '[{"command": "/report", "topic": "…"}]'""",),
        )
    context, tasks = checked(invocation.json[0], invocation.json[1])
    reads = [existing(app.project, context[k], f"context.{k}") for k in ("plan_file", "standards_file") if k in context]
    committed(app, reads, "context")
    name = one_line(context.get("name") or context.get("phase") or "subagents", 100)
    phases = recipes.subagents(context, tasks, reads)
    return run(
        invocation,
        app,
        f"{name}: {len(tasks)} task{'' if len(tasks) == 1 else 's'}",
        phases,
        named=context.get("workflow_id"),
        complexity=context.get("complexity"),
    )


def checked(context: Any, tasks: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The two arguments, each key known.

    Raises:
        BadInput: One is not; the message names it and the allowed ones.
    """
    about = _object(context, CONTEXT, "context")
    if not isinstance(tasks, list) or not tasks:
        raise BadInput("The tasks are not a JSON list with at least one task.", field="tasks")
    found = [_object(task, TASK, f"tasks[{i}]") for i, task in enumerate(cast("list[object]", tasks))]
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
    for key in _LISTS & found.keys():
        if not _texts(found[key]):
            raise BadInput(f"{field}.{key} is not a list of strings.", field=f"{field}.{key}")
    for key in _TEXTS & found.keys():
        if not isinstance(found[key], str) or not found[key].strip():
            raise BadInput(f"{field}.{key} is not a string with something in it.", field=f"{field}.{key}")
    if "id" in found and not _ID.fullmatch(found["id"]):
        raise BadInput(
            f"{field}.id {found['id'][:80]!r} is not an id: letters, digits, '_', '-' and single dots, at most 64,"
            " starting with a letter or digit.",
            field=f"{field}.id",
        )
    return found


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in cast("list[object]", value))
