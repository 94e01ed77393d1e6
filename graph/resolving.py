"""Resolving clashes: each kind has a way that changes the ledger, and any may be accepted, or left to a person.

queue_and_serialize  of two that change one file, the one of lower rank lets go of it and asks for it alone, so that
                     it gets it when the other has ended; of requests in a circle, the one of the lowest rank is
                     withdrawn
intelligent_queuing  of those that are too many, the reservation of the lowest rank moves to the next time at which
                     it fits; an agent that is named twice is replaced in the newer allocation
accept               it stays as it is, and is not told of again
escalate             it stays as it is, and is told of as critical
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from stretto.agents.paths import overlap
from stretto.graph import admission
from stretto.graph.clashes import Clash, Kind
from stretto.graph.reservations import earliest
from stretto.state import allocation, pool
from stretto.state.allocation import Allocation
from stretto.state.errors import BadInput
from stretto.state.moments import moment, stamp
from stretto.state.queries import fact
from stretto.state.transaction import Transaction

Strategy = Literal["auto", "queue_and_serialize", "intelligent_queuing", "accept", "escalate"]
STRATEGIES = ("auto", "queue_and_serialize", "intelligent_queuing", "accept", "escalate")
_AUTO: dict[Kind, Strategy] = {
    "simultaneous_write": "queue_and_serialize",
    "circular_wait": "queue_and_serialize",
    "contention": "intelligent_queuing",
    "double_assignment": "intelligent_queuing",
}
_RANKS = ("low", "medium", "high", "critical")
ACCEPTED = "accepted_conflicts"
"""The fact of `system` that names the clashes which somebody has accepted."""


class Resolution(NamedTuple):
    """What was done about a clash, in words; `state` is RESOLVED or ESCALATED."""

    clash: Clash
    strategy: Strategy
    state: str
    effect: str


def accepted(tx: Transaction) -> frozenset[str]:
    """The clashes that somebody has accepted."""
    return frozenset(fact(tx.database, "system", ACCEPTED) or ())


def resolve(tx: Transaction, clash: Clash, asked: Strategy, capacity: Mapping[str, float], now: float) -> Resolution:
    """Do it and write RESOURCE_CONFLICT with what was done. Admission follows.

    Raises:
        BadInput: The strategy is for clashes of other kinds.
    """
    own = _AUTO[clash.kind]
    strategy = own if asked == "auto" else asked
    if strategy not in (own, "accept", "escalate"):
        raise BadInput(
            f"{strategy!r} does nothing for {clash.kind}. Nothing was written.",
            field="strategy",
            allowed=("auto", own, "accept", "escalate"),
        )
    effect = _effect(tx, clash, strategy, capacity, now)
    state = "RESOLVED" if effect else "ESCALATED"
    effect = effect or "nobody but a person can tell what shall give way"
    facts = {
        "conflict_id": clash.id,
        "conflict_type": clash.kind,
        "conflicting_requests": list(clash.allocations),
        "severity": clash.severity if state == "RESOLVED" else "critical",
        "state": state,
        "strategy": strategy,
        "effect": effect,
    }
    severity = "info" if state == "RESOLVED" else "critical"
    tx.event("RESOURCE_CONFLICT", "system", "coordination", facts, severity=severity)
    return Resolution(clash, strategy, state, effect)


def _effect(tx: Transaction, clash: Clash, strategy: Strategy, capacity: Mapping[str, float], now: float) -> str:
    if strategy == "escalate":
        return ""
    if strategy == "accept":
        tx.put_fact("system", ACCEPTED, sorted({*accepted(tx), clash.id}))
        return "accepted as it is"
    those = [allocation.allocation(tx.database, name) for name in clash.allocations]
    if clash.kind == "simultaneous_write":
        loser, winner = sorted(those, key=_rank)
        return _serialize(tx, loser, winner, clash.over, capacity)
    if clash.kind == "circular_wait":
        victim = min(those, key=_rank)
        allocation.release(tx, victim, f"withdrawn to end {clash.id}", "denied")
        return f"the request {victim.id} of {victim.workflow_id} is withdrawn"
    if clash.kind == "contention":
        return _move(tx, those, capacity, now)
    return _replace(tx, max(those, key=lambda one: (one.requested, one.id)), clash.over, capacity)


def _rank(one: Allocation) -> tuple[int, float, str]:
    """Who gives way first: the lower priority, then the newer."""
    newer = -moment(one.requested)
    return _RANKS.index(one.priority), newer, one.id


def _serialize(
    tx: Transaction, loser: Allocation, winner: Allocation, over: tuple[str, ...], capacity: Mapping[str, float]
) -> str:
    held = loser.granted
    paths = [p for k in ("files", "touches") for p in held.get(k, ()) if any(overlap(p, o) for o in over)]
    kept: dict[str, Any] = {k: [p for p in held[k] if p not in paths] for k in ("files", "touches") if k in held}
    left = {**held, **kept}
    if loser.state != "active" or not paths:
        return ""
    allocation.grant(tx, loser, capacity, left, loser.until)
    new = allocation.ask(tx, loser.workflow_id, loser.priority, {"files": paths}, capacity)
    return f"{loser.id} lets go of {', '.join(paths)} and waits for it as {new.id} until {winner.id} ends"


def _move(tx: Transaction, those: list[Allocation], capacity: Mapping[str, float], now: float) -> str:
    reserved = [one for one in those if one.state == "reserved"]
    if not reserved:
        return ""
    loser = min(reserved, key=_rank)
    others = [a for a in allocation.live_allocations(tx.database) if a.state != "queued" and a.id != loser.id]
    (span,) = admission.spans([loser], now)
    at = earliest(span._replace(start=max(span.start, now)), admission.spans(others, now), capacity)
    if at is None:
        return ""
    wanted = {**loser.wanted, "starts": stamp(at)}
    allocation.release(tx, loser, f"moved to {stamp(at)}")
    new = allocation.reserve(tx, loser.workflow_id, loser.priority, wanted, capacity, stamp(at + span.end - span.start))
    return f"the reservation {loser.id} moves to {wanted['starts']} as {new.id}"


def _replace(tx: Transaction, newer: Allocation, names: tuple[str, ...], capacity: Mapping[str, float]) -> str:
    idle = [one for one in pool.agents(tx.database) if one.state == "idle"]
    if len(idle) < len(names):
        return ""
    new = {old: one.agent_id for old, one in zip(names, idle, strict=False)}
    left = {**newer.granted, "agent_ids": [new.get(name, name) for name in newer.granted["agent_ids"]]}
    allocation.grant(tx, newer, capacity, left, newer.until)
    for one in idle[: len(names)]:
        pool.assign(tx, one, newer.workflow_id, one.role, newer.id)
    return f"{newer.id} works with {', '.join(new.values())} instead"
