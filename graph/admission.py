"""Admission: which of the workflows that wait may have what they ask for now, and when the others may."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from stretto.graph import coordination, online
from stretto.state import allocation
from stretto.state.allocation import Allocation
from stretto.state.chosen import chosen
from stretto.state.database import Database
from stretto.state.log import stamp
from stretto.state.queries import workflow_row
from stretto.state.transaction import Transaction
from stretto.state.units import said_seconds

CAPACITY = "capacity"
"""The choice that says how much there is of everything."""


class Decision(NamedTuple):
    """What was decided for one workflow: admitted, or its place in the queue; `start` is seconds from now, or None."""

    workflow_id: str
    admitted: bool
    position: int
    start: float | None
    reason: str


def capacity(database: Database, defaults: Mapping[str, float]) -> dict[str, float]:
    """How much there is of everything: the defaults, and what was chosen instead."""
    return {**defaults, **chosen(database, CAPACITY).value}


def admit(tx: Transaction, limits: Mapping[str, float], now: float) -> tuple[Decision, ...]:
    """Look at everything that waits, once: grant what may start, tell newcomers where they stand.

    Writes RESOURCE_ANALYSIS_REQUESTED for newcomers as a whole, then RESOURCE_ALLOCATED and WORKFLOW_SCHEDULED or
    WORKFLOW_QUEUED for each.
    """
    live = allocation.live_allocations(tx.database)
    waiting = [one for one in live if one.state == "queued" and _status(tx, one) in ("CREATED", "QUEUED")]
    new = [one for one in waiting if _status(tx, one) == "CREATED"]
    if new:
        _analysed(tx, new, live)
    blocked = {one.id: why for one in waiting if (why := _waits(tx, one))}
    free = [one for one in waiting if one.id not in blocked]
    asked = online.admit(
        [_waiting(one) for one in free], [_running(one) for one in live if one.state == "active"], limits, now
    )
    by_id = {one.id: one for one in free}
    found = [_granted(tx, by_id[name], limits, now) for name in asked.starts]
    found += [_queued(tx, by_id[w.id], w.position, w.starts_in, _reason(w)) for w in asked.waits]
    for place, one in enumerate((one for one in waiting if one.id in blocked), len(asked.waits) + 1):
        found.append(_queued(tx, one, place, None, f"waits for {blocked[one.id]}"))
    return tuple(found)


def _status(tx: Transaction, one: Allocation) -> str:
    row = workflow_row(tx.database, one.workflow_id)
    return row.status if row else ""


def _waits(tx: Transaction, one: Allocation) -> str:
    """The dependencies that are not there yet."""
    row = workflow_row(tx.database, one.workflow_id)
    return ", ".join(w.name for w in coordination.waits_for(tx, row) if not w.satisfied) if row else ""


def _analysed(tx: Transaction, new: Sequence[Allocation], live: Sequence[Allocation]) -> None:
    """Too little of something is no conflict; two who want one file for themselves are."""
    files = [path for one in live for path in one.wanted.get("files", ())]
    clashes = sorted({path for path in files if files.count(path) > 1})
    data = {
        "total_agents": sum(one.wanted.get("agents", 0) for one in new),
        "conflicts": bool(clashes),
        "workflows": [one.workflow_id for one in new],
        **({"files": clashes} if clashes else {}),
    }
    tx.event("RESOURCE_ANALYSIS_REQUESTED", "system", "coordination", data)


def _waiting(one: Allocation) -> online.Waiting:
    lasts, agents = one.wanted.get("seconds"), max(one.wanted.get("agents", 0), 1)
    remaining = None if lasts is None else lasts * agents
    files = frozenset[str](one.wanted.get("files", ()))
    wanted = allocation.amounts(one.wanted)
    return online.Waiting(one.id, one.priority, remaining, _seconds(one.requested), wanted, files, lasts)


def _running(one: Allocation) -> online.Running:
    ends = _seconds(one.until) if one.until else None
    files = frozenset[str](one.granted.get("files", ()))
    return online.Running(one.id, _seconds(one.since), ends, allocation.amounts(one.granted), files)


def _reason(wait: online.Wait) -> str:
    if wait.never:
        return f"more than there is: {', '.join(wait.lacks)}"
    return f"{', '.join(wait.lacks)} not free" if wait.lacks else f"{wait.behind} has waited too long to be passed"


def _seconds(stamped: str) -> float:
    return datetime.fromisoformat(stamped).timestamp()


def _granted(tx: Transaction, one: Allocation, limits: Mapping[str, float], now: float) -> Decision:
    lasts = one.wanted.get("seconds")
    until = stamp(now + lasts) if lasts else ""
    allocation.grant(tx, one, limits, until=until)
    data = {"start_time": "immediate", "estimated_completion": said_seconds(lasts), "allocation_id": one.id}
    tx.set_status(one.workflow_id, "SCHEDULED", data, phase="ready")
    return Decision(one.workflow_id, True, 0, 0.0, "")


def _queued(tx: Transaction, one: Allocation, position: int, start: float | None, reason: str) -> Decision:
    """Only a newcomer is told; where the others stand now is in the status."""
    if _status(tx, one) == "CREATED":
        data = {"queue_position": position, "estimated_start": said_seconds(start), "reason": reason}
        tx.set_status(one.workflow_id, "QUEUED", data, phase="waiting")
    return Decision(one.workflow_id, False, position, start, reason)
