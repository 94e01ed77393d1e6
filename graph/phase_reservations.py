"""Reservations for a phase: used when it begins, given back when it is over."""

from collections.abc import Mapping

from stretto.graph import coordination
from stretto.state import allocation
from stretto.state.transaction import Transaction

KEY = "prefetch"
"""In the context of an allocation: the phase for which it was reserved."""


def follow(tx: Transaction, capacity: Mapping[str, float]) -> None:
    """Use the reservations of phases that have begun, and give back those of phases that are over."""
    for one in allocation.live_allocations(tx.database):
        phase = one.context.get(KEY)
        if phase is None or one.state == "queued":
            continue
        view = coordination.view_of(tx, one.workflow_id)
        state = view.phases[phase].state if phase in view.phases else "pending"
        if one.state == "reserved" and state == "in_progress":
            others = [a for a in allocation.live_allocations(tx.database) if a.id != one.id]
            if not allocation.short_of(one.granted, capacity, others, tx.now):
                allocation.grant(tx, one, capacity, until=one.until)
        elif state in ("completed", "failed", "skipped"):
            allocation.release(tx, one, f"phase {phase} is over", "released" if one.state == "active" else "expired")
