"""A workflow that stays open when its tracks have ended: its work is delivered, and others test and document it."""

from collections.abc import Mapping
from typing import Any

from stretto.graph.coordination import let_go
from stretto.state.database import Database
from stretto.state.log import Log
from stretto.state.moments import moment
from stretto.state.queries import event_page, fact, workflow_row
from stretto.state.rows import WorkflowRow
from stretto.state.transaction import Transaction
from stretto.state.units import said_seconds

DELIVERED = "delivered"
"""The fact that holds how the work of an open workflow was delivered."""
PHASE = "finalization"
WHY = "its tracks have ended; it waits for tests, documents and finalize-workflow"


def leave_open(tx: Transaction, workflow_id: str, delivery: Mapping[str, Any]) -> None:
    """RUNNING → PAUSED, with what was delivered."""
    tx.put_fact(workflow_id, DELIVERED, dict(delivery))
    tx.set_status(workflow_id, "PAUSED", {"pause_reason": WHY, "current_state": "open", **delivery})


def delivered(database: Database, workflow_id: str) -> dict[str, Any] | None:
    """What an open workflow has delivered; None if it is not open."""
    row = workflow_row(database, workflow_id)
    if row is None or row.status != "PAUSED":
        return None
    found: dict[str, Any] | None = fact(database, workflow_id, DELIVERED)
    return found


def close(tx: Transaction, row: WorkflowRow, facts: Mapping[str, Any]) -> None:
    """PAUSED → COMPLETED: what it held is free."""
    delivery = delivered(tx.database, row.id) or {}
    took = {"total_duration": said_seconds(_elapsed(tx, row.id))}
    tx.set_status(row.id, "RUNNING", {"finalizing": True}, phase=PHASE)
    tx.set_status(row.id, "COMPLETED", {"success": True, **took, **delivery, **facts}, phase=PHASE)
    let_go(tx, row.id, "completed")


def _elapsed(tx: Transaction, workflow_id: str) -> float | None:
    first = event_page(tx.database, workflow_id, 0, 1)
    if not first:
        return None
    return round(moment(tx.now) - moment(first[0].timestamp), 1)


def open_workflows(log: Log) -> list[str]:
    """Those that stay open, oldest first."""
    paused = [row.id for row in log.each_workflow() if row.status == "PAUSED"]
    return [name for name in paused if delivered(log.database, name) is not None]
