"""Recoveries that go on, and how they end.

A recovery begins with RECOVERY_INITIATED. It ends with RECOVERY_COMPLETED when the phase that failed is completed or
skipped, by the workflow itself or by the one that took its work over; with RECOVERY_FAILED when the workflow is given
up before that.
"""

from datetime import datetime
from typing import Any, Final

from stretto.state.database import Database
from stretto.state.figures import WorkflowView
from stretto.state.moments import stamp
from stretto.state.queries import fact
from stretto.state.transaction import Transaction
from stretto.state.units import said_seconds

RECOVERY: Final = "recovery"
"""The fact that holds the newest recovery of a workflow; `ended` is empty while it goes on."""
CHILD: Final = "continued_by"
PARENT: Final = "continues"
"""The facts by which a workflow and the one that takes its work over name each other."""
_DONE: Final = frozenset({"completed", "skipped"})


def current(database: Database, workflow_id: str) -> dict[str, Any] | None:
    """The newest recovery of a workflow."""
    found: dict[str, Any] | None = fact(database, workflow_id, RECOVERY)
    return found


def concerned(database: Database, workflow_id: str) -> list[str]:
    """The workflows in recovery that the work of this one may bring to an end: itself, and the one it continues."""
    parent = fact(database, workflow_id, PARENT)
    names = [workflow_id, *([str(parent["workflow_id"])] if parent else [])]
    return [name for name in names if (going := current(database, name)) and not going["ended"]]


def settle(tx: Transaction, view: WorkflowView) -> None:
    """End the recoveries that have come to their end by what a workflow did, which `view` tells."""
    for name in concerned(tx.database, view.workflow_id):
        _settle(tx, name, view)


def _settle(tx: Transaction, name: str, view: WorkflowView) -> None:
    going = current(tx.database, name) or {}
    phase = view.phases.get(going["failed_phase"])
    own = name == view.workflow_id
    if phase is not None and phase.state in _DONE:
        at = tx.now if phase.finished is None else stamp(phase.finished)
        _end(tx, name, going, "RECOVERY_COMPLETED", at, {"phase_is": phase.state, "by": view.workflow_id})
    elif own and view.status == "CANCELLED":
        _end(tx, name, going, "RECOVERY_FAILED", tx.now, {"reason": view.reason})


def _end(tx: Transaction, name: str, going: dict[str, Any], kind: str, at: str, facts: dict[str, Any]) -> None:
    """`at` is when it was over, which a driver may say only when it comes to a stop."""
    took = seconds_between(going["began"], at)
    said = {"recovery_id": going["recovery_id"], "recovery_strategy": going["recovery_strategy"]}
    recovered = kind == "RECOVERY_COMPLETED"
    data = {**said, "duration": said_seconds(took), "seconds": took, **facts}
    tx.event(kind, name, going["failed_phase"], data, severity="info" if recovered else "error")
    tx.put_fact(name, RECOVERY, {**going, "ended": at, "recovered": recovered})


def seconds_between(one: str, two: str) -> float:
    """From one timestamp to another."""
    return (datetime.fromisoformat(two) - datetime.fromisoformat(one)).total_seconds()
