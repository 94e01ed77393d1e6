"""Ending a workflow for good, and taking one back.

What works on the repository is imported when there is work: a refusal is quick.
"""

from __future__ import annotations

import time

from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.commands.workflows import UNDONE, find
from stretto.state import lease
from stretto.state.errors import InvalidTransition, StrettoError, WorkflowDriven
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stretto.agents.delivery import Undone

CANCEL_SECONDS = 15.0
POLL_SECONDS = 0.1
OVER = frozenset({"COMPLETED", "FAILED", "CANCELLED", "ARCHIVED"})


def cancel(app: App, workflow: str) -> Reply:
    """End a workflow for good: by its driver if one lives, else here.

    Raises:
        InvalidTransition: It is over already.
        StrettoError: Its driver did not obey in time; it still may.
    """
    log, row = find(app, workflow)
    log.close()
    _not_over(row)
    with Log.open(app.directory) as written:
        before = written.last_seq()
        _until_over(written, app, row.id)
        events = tuple(e.event_id for e in written.events(row.id, after=before))
        now = written.workflow(row.id) or row
    if now.status != "CANCELLED":
        _not_over(now)
    steps = (f"stretto diff {row.id}", f"stretto undo {row.id}")
    body = {"status": "CANCELLED"}
    return Reply("cancel", f"{row.id} is cancelled; its branch is kept.", body, "", row.id, events, steps)


def _not_over(row: WorkflowRow) -> None:
    if row.status in OVER:
        raise InvalidTransition(f"Workflow {row.id!r} is {row.status}; there is nothing to cancel.", field="workflow")


def _until_over(log: Log, app: App, name: str) -> None:
    deadline = time.monotonic() + CANCEL_SECONDS
    asked = False
    while (row := log.workflow(name)) and row.status not in OVER:
        try:
            _cancel_here(log, app, name)
        except WorkflowDriven:
            asked = asked or _ask(log, name)
        if time.monotonic() > deadline:
            raise StrettoError(
                f"The driver of {name!r} was asked to cancel and has not done so within {CANCEL_SECONDS:g} s; it still"
                " may.",
                next_steps=(f"stretto workflow-status {name}",),
            )
        time.sleep(POLL_SECONDS)


def _ask(log: Log, name: str) -> bool:
    with log.write() as tx:
        tx.request(name, "cancel")
    return True


def _cancel_here(log: Log, app: App, name: str) -> None:
    """Nobody drives it: take the lease, so that nobody begins to, and write the last event."""
    fence = lease.acquire(log, name)
    try:
        row = log.workflow(name)
        if row is None or row.status in OVER:
            return
        import asyncio

        from stretto.commands.coordinating import default_capacity
        from stretto.graph import admission

        asyncio.run(clean_workspaces(app, name))
        with log.write(fence) as tx:
            facts = {"cancellation_reason": "asked for", "cleanup_status": "worktrees removed, branch kept"}
            tx.set_status(name, "CANCELLED", facts)
            admission.pass_on(tx, name, default_capacity(app), log.now())
    finally:
        lease.release(log, fence)


async def clean_workspaces(app: App, name: str) -> None:
    """Remove the workspaces of a workflow that nobody drives; its commits stay."""
    from stretto.agents.filelock import drive_lock
    from stretto.agents.repository import open_repository
    from stretto.agents.workspace import clean

    async with drive_lock(app.directory, name):
        await clean(await open_repository(app.project, app.directory), name)


def undo(app: App, workflow: str) -> Reply:
    """Take a workflow back: the checkout as it was before it, byte for byte. Its commits stay in git.

    Raises:
        WorkflowDriven: A living process drives it; nothing was changed.
        StateConflict: Changes of the user's would be lost; nothing was changed.
    """
    import asyncio

    log, row = find(app, workflow)
    log.close()
    with Log.open(app.directory) as written:
        fence = lease.acquire(written, row.id)
        try:
            undone = asyncio.run(_undone(app, row.id))
            with written.write(fence) as tx:
                event = tx.event("WORKFLOW_UNDONE", row.id, "undo", {"commit": undone.sha, "base": undone.base})
                tx.put_fact(row.id, UNDONE, undone.get_back)
            if row.status not in OVER:
                with written.write(fence) as tx:
                    tx.set_status(row.id, "CANCELLED", {"cancellation_reason": "undone", "cleanup_status": "undone"})
        finally:
            lease.release(written, fence)
    where = "Your branch and files are as they were before it" if undone.restored else "It was not on your branch"
    text = f"{row.id} is taken back. {where}; its commits are kept in git."
    body = {"commit": undone.sha, "base": undone.base, "restored": undone.restored}
    return Reply("undo", text, body, "", row.id, (event,), (f"{undone.get_back}   (brings it again)",))


async def _undone(app: App, name: str) -> Undone:
    from stretto.agents.filelock import drive_lock
    from stretto.agents.repository import open_repository
    from stretto.agents.workspace import clean

    async with drive_lock(app.directory, name):
        repository = await open_repository(app.project, app.directory)
        await clean(repository, name)
        return await repository.undo(name)
