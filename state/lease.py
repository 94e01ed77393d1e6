"""The lease: who drives a workflow.

It has no duration. Whether its holder lives is asked of the kernel, so that a dead driver is replaced at once and a
slow one never; and whoever was replaced while it slept finds its fencing token outdated and its writes refused.
"""

from __future__ import annotations

from stretto.state.errors import NotFound, WorkflowDriven
from stretto.state.light import NamedTuple
from stretto.state.log import Log
from stretto.state.process import Process, is_alive, this
from stretto.state.queries import lease, workflow_row
from stretto.state.rows import Fence, LeaseRow


class Holder(NamedTuple):
    """Who drives a workflow, or did until it died. `since` is UTC, ISO 8601."""

    pid: int
    host: str
    since: str
    token: int
    alive: bool


def acquire(log: Log, workflow_id: str) -> Fence:
    """Become the driver of a workflow; the fence is for every `Log.write` of the drive.

    Raises:
        WorkflowDriven: A living process drives it: another one, or this one, which has not released it.
        NotFound: No such workflow.
    """
    me = this()
    with log.write() as tx:
        if workflow_row(tx.database, workflow_id) is None:
            raise NotFound(f"There is no workflow {workflow_id!r}.", field="workflow_id")
        old = lease(tx.database, workflow_id)
        if old and not old.released and is_alive(_process(old)):
            raise WorkflowDriven(
                f"Workflow {workflow_id!r} is driven by process {old.pid} on {old.host!r} since {old.since}.",
                next_steps=(f"stretto workflow-status {workflow_id}", f"stretto cancel {workflow_id}"),
                details={"pid": old.pid, "host": old.host, "since": old.since},
            )
        token = old.token + 1 if old else 1
        tx.database.put("leases", LeaseRow(workflow_id, token, 0, me.pid, me.boot, me.started, me.host, tx.now))
        tx.take_requests(workflow_id)  # they were for the driver before, which did not live to see them
    return Fence(workflow_id, token)


def release(log: Log, fence: Fence) -> None:
    """Stop driving. After a takeover there is nothing left to release, and nothing happens."""
    with log.write() as tx:
        old = lease(tx.database, fence.workflow_id)
        if old and old.token == fence.token:
            tx.database.put("leases", old._replace(released=1))


def holder(log: Log, workflow_id: str) -> Holder | None:
    """Who holds the lease of a workflow, dead or alive; None if nobody does."""
    row = log.lease(workflow_id)
    if row is None or row.released:
        return None
    return Holder(row.pid, row.host, row.since, row.token, is_alive(_process(row)))


def _process(row: LeaseRow) -> Process:
    return Process(row.pid, row.boot, row.started, row.host)
