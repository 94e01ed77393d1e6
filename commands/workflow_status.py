"""/workflow-status: what the log knows of one workflow or of all. Standard library only; creates nothing."""

import time

from stretto.commands.app import App, require_supported
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.state import lease
from stretto.state.errors import NotFound
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow
from stretto.state.show import as_dict, text
from stretto.state.view import fold

SUPPORTED = frozenset({"detailed"})


def handle(invocation: Invocation, app: App) -> Reply:
    """Show one workflow folded from its events, or a line for each.

    Raises:
        NotFound: There is no workflow of that id.
    """
    require_supported(invocation, SUPPORTED)
    log = Log.find(app.directory)
    if log is None:
        if invocation.ids:
            raise NotFound(f"There is no workflow {invocation.ids[0]!r}: there is no store yet.", field="workflow_id")
        return Reply(
            "workflow-status",
            "No workflow has run here yet.",
            {"workflows": []},
            next_steps=('stretto orchestrate "…"',),
        )
    with log:
        return _one(log, invocation.ids[0]) if invocation.ids else _all(log)


def _one(log: Log, name: str) -> Reply:
    row = log.workflow(name)
    if row is None:
        known = [w.id for w in log.workflows()][-8:]
        raise NotFound(f"There is no workflow {name!r} in this store.", field="workflow_id", allowed=known)
    view = fold(log.events(name))
    driven = _driver(log, row)
    body = {**as_dict(view, time.time()), "driver": driven, "runner": row.runner}
    lines = [text(view, time.time())]
    if driven == "gone":
        lines.append("Its driver is gone. What was finished is kept.")
    return Reply("workflow-status", "\n".join(lines), body, workflow_id=name, next_steps=_next(row, driven))


def _all(log: Log) -> Reply:
    rows = log.workflows()
    body = [
        {
            "workflow_id": r.id,
            "status": r.status,
            "driver": _driver(log, r),
            "description": r.description,
            "updated": r.updated,
        }
        for r in rows
    ]
    lines = [f"{b['workflow_id']:<32} {_word(b):<22} {b['description']}" for b in body]
    steps = (f"stretto workflow-status {rows[-1].id}",) if rows else ()
    return Reply("workflow-status", "\n".join(lines) or "No workflow yet.", {"workflows": body}, next_steps=steps)


def _driver(log: Log, row: WorkflowRow) -> str | None:
    """`alive`, `gone` for a workflow left running by a dead process, or None when nobody should drive it."""
    holder = lease.holder(log, row.id)
    if holder and holder.alive:
        return "alive"
    return "gone" if row.status in {"RUNNING", "SCHEDULED", "CREATED"} else None


def _word(body: dict[str, str | None]) -> str:
    return f"{body['status']}{', driver gone' if body['driver'] == 'gone' else ''}"


def _next(row: WorkflowRow, driver: str | None) -> tuple[str, ...]:
    if driver == "alive":
        return (f"stretto events {row.id} --follow", f"stretto cancel {row.id}")
    if row.status in {"COMPLETED", "CANCELLED"}:
        return (f"stretto diff {row.id}", f"stretto undo {row.id}")
    return (f"stretto orchestrate --resume {row.id}", f"stretto diff {row.id}")
