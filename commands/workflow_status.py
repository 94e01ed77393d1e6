"""/workflow-status: what the log knows of one workflow or of all. Standard library only; creates nothing."""

import time
from typing import Any

from stretto.commands.app import App, require_supported
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.safe import one_line
from stretto.commands.workflows import UNDONE, find
from stretto.state import lease
from stretto.state.figures import WorkflowView
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow
from stretto.state.show import as_dict, brief, text
from stretto.state.view import fold

SUPPORTED = frozenset({"detailed"})


def handle(invocation: Invocation, app: App) -> Reply:
    """Show one workflow folded from its events, or a line for each.

    Raises:
        NotFound: There is no workflow of that id.
    """
    require_supported(invocation, SUPPORTED)
    detailed = "detailed" in invocation.flags
    if invocation.ids:
        log, row = find(app, invocation.ids[0], field="workflow_id")
        with log:
            return _one(log, row, detailed)
    if (found := Log.find(app.directory)) is None:
        steps = ('stretto orchestrate "…"',)
        return Reply("workflow-status", "No workflow has run here yet.", {"workflows": []}, next_steps=steps)
    with found:
        return _all(found, detailed)


def _one(log: Log, row: WorkflowRow, detailed: bool) -> Reply:
    now = time.time()
    view = fold(log.events(row.id))
    holder = lease.holder(log, row.id)
    driven = _driver(row, holder)
    undone = log.fact(row.id, UNDONE)
    body = {**as_dict(view, now), "driver": driven, "undone": undone is not None, "runner": row.runner}
    lines = [text(view, now) if detailed else brief(view, now), *_about_driver(driven, holder)]
    steps = (f"{undone}   (brings it again)",) if undone else _next(row, driven, _gate(view))
    return Reply("workflow-status", "\n".join(lines), body, workflow_id=row.id, next_steps=steps)


def _gate(view: WorkflowView) -> bool:
    """Whether it waits for a person."""
    stops = [e for e in view.last if e.type == "WORKFLOW_PAUSED"]
    return view.status == "PAUSED" and bool(stops) and "gate" in stops[-1].data


def _about_driver(driven: str | None, holder: lease.Holder | None) -> tuple[str, ...]:
    if driven == "alive" and holder:
        return (f"  driven by process {holder.pid} on {holder.host!r}",)
    return ("  Its driver is gone. What was finished is kept; a resume goes on from there.",) if driven else ()


def _all(log: Log, detailed: bool) -> Reply:
    rows = log.workflows()
    body = [_row(log, row) for row in rows]
    if detailed:
        lines = [f"{brief(fold(log.events(row.id)), time.time())}\n" for row in rows]
    else:
        lines = [f"{b['workflow_id']:<32} {_word(b):<22} {one_line(b['description'], 80)}" for b in body]
    steps = (f"stretto workflow-status {rows[-1].id}",) if rows else ()
    said = "\n".join(lines).rstrip("\n") or "No workflow has run here yet."
    return Reply("workflow-status", said, {"workflows": body}, next_steps=steps)


def _row(log: Log, row: WorkflowRow) -> dict[str, Any]:
    return {
        "workflow_id": row.id,
        "status": row.status,
        "driver": _driver(row, lease.holder(log, row.id)),
        "undone": log.fact(row.id, UNDONE) is not None,
        "description": row.description,
        "updated": row.updated,
    }


def _driver(row: WorkflowRow, holder: lease.Holder | None) -> str | None:
    """`alive`, `gone` for a workflow left running by a dead process, or None when nobody should drive it."""
    if holder and holder.alive:
        return "alive"
    return "gone" if row.status in {"RUNNING", "SCHEDULED", "CREATED"} else None


def _word(body: dict[str, Any]) -> str:
    more = ", driver gone" if body["driver"] == "gone" else ", taken back" if body["undone"] else ""
    return f"{body['status']}{more}"


def _next(row: WorkflowRow, driver: str | None, gate: bool) -> tuple[str, ...]:
    again = f"stretto orchestrate --resume {row.id}"
    if driver == "alive":
        return (f"stretto events {row.id} --follow", f"stretto cancel {row.id}")
    if row.status in {"COMPLETED", "CANCELLED"}:
        return (f"stretto diff {row.id}", f"stretto undo {row.id}")
    if gate:
        return (f"stretto diff {row.id}", f"{again} --approve", f'{again} --reject "why"')
    return (again, f"stretto diff {row.id}")
