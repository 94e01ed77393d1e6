"""/coordination-hub cleanup: what a workflow that has ended still holds is given back; it is archived where asked."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from stretto.commands.app import App
from stretto.commands.coordinating import Desk, default_capacity, looking, open_log, workflow_named
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.stopping import clean_workspaces
from stretto.graph import coordination
from stretto.state import lease
from stretto.state.allocation import live_allocations
from stretto.state.errors import InvalidTransition
from stretto.state.machine import FINAL
from stretto.state.rows import WorkflowRow


def cleanup(invocation: Invocation, app: App) -> Reply:
    """`ID cleanup '{"archive_state": true, "remove_temp_files": true}'`: what it held, its workspaces, its status."""
    fields = Fields(invocation.json[0] if invocation.json else {})
    archive = fields.flag("archive_state")
    temporary = fields.flag("remove_temp_files", default=True)
    fields.close()
    with looking(app) as desk:
        row = _ended(coordination.row_of(desk.tx, workflow_named(invocation)))
    with _alone(app, row) as desk:
        row = _ended(coordination.row_of(desk.tx, row.id))
        held = [one.id for one in live_allocations(desk.tx.database, row.id)]
        coordination.let_go(desk.tx, row.id, "cleanup")
        if archive and row.status != "ARCHIVED":
            desk.tx.set_status(row.id, "ARCHIVED", {"reason": "cleanup"})
        desk.admit()
    if temporary:
        asyncio.run(clean_workspaces(app, row.id))
    status = "ARCHIVED" if archive else row.status
    back = f"gave back {', '.join(held)}" if held else "held nothing any more"
    lines = [
        f"{row.id} is {status}; it {back}.",
        *(["Its workspaces are removed; its commits stay."] if temporary else []),
    ]
    result: dict[str, Any] = {"status": status, "given_back": list(held), "workspaces_removed": temporary}
    steps = (
        f"stretto workflow-status {row.id} --detailed",
        "stretto store prune --dry-run   (checkpoints and logs, too)",
    )
    return Reply("coordination-hub", "\n".join(lines), result, invocation.operation, row.id, tuple(desk.tx.ids), steps)


def _ended(row: WorkflowRow) -> WorkflowRow:
    if row.status not in FINAL:
        raise InvalidTransition(
            f"{row.id} is {row.status}: only what has ended is cleaned up. Nothing was changed.",
            field="workflow_id",
            allowed=sorted(FINAL),
            next_steps=(f"stretto coordination-hub cancel {row.id}",),
        )
    return row


@contextmanager
def _alone(app: App, row: WorkflowRow) -> Generator[Desk]:
    """A transaction while nobody drives it: a failed workflow may be resumed at any moment."""
    defaults = default_capacity(app)
    with open_log(app) as log:
        fence = lease.acquire(log, row.id)
        try:
            with log.write(fence) as tx:
                yield Desk(tx, defaults, app.clock(), log)
        finally:
            lease.release(log, fence)
