"""Allocating: one request for resources, what may be given instead, and the answer.

approved    all of it, now
partial     now, but less than asked for: fewer agents, or files that others may change as well
queued      it waits; the position and the start come from the scheduler
denied      it is not free, and may not wait
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from stretto.graph import admission
from stretto.state import allocation
from stretto.state.allocation import Allocation
from stretto.state.errors import BadInput
from stretto.state.machine import FINAL
from stretto.state.moments import stamp
from stretto.state.queries import workflow_row
from stretto.state.transaction import Transaction

Status = Literal["approved", "partial", "queued", "denied"]


class Fallbacks(NamedTuple):
    """What it would take instead: fewer agents for the same time, fewer for longer, files that it shares, waiting."""

    reduce_agents: bool = False
    extend_duration: bool = False
    accept_shared_resources: bool = False
    queue_if_unavailable: bool = False


WAITS = Fallbacks(queue_if_unavailable=True)
"""What holds for a request that says nothing of it."""


class Request(NamedTuple):
    """One request; `wanted` as the ledger keeps it. `max_wait` is in seconds, None for as long as it takes."""

    workflow_id: str
    priority: str
    wanted: dict[str, Any]
    fallbacks: Fallbacks = WAITS
    max_wait: float | None = None
    context: Mapping[str, Any] = {}


class Alternative(NamedTuple):
    """What could be had instead; `available_in` is in seconds, None where nobody knows."""

    option: str
    available_in: float | None
    full_resources: bool
    resources: dict[str, Any]


class Response(NamedTuple):
    """The answer. `position` and `start` (seconds from now, or None) are those of the queue."""

    status: Status
    held: Allocation
    position: int
    start: float | None
    reason: str
    alternatives: tuple[Alternative, ...]


def respond(tx: Transaction, request: Request, limits: Mapping[str, float], now: float) -> Response:
    """Decide about one request, together with all that waits, and write it.

    Raises:
        BadInput: It asks for more than there ever is and would not take less, or its workflow is at its end.
    """
    row = workflow_row(tx.database, request.workflow_id)
    if row is not None and row.status in FINAL:
        raise BadInput(
            f"Workflow {row.id!r} is {row.status}; it is given nothing any more.", field="workflow_id", allowed=()
        )
    admission.sweep(tx, now)
    until = "" if request.max_wait is None else stamp(now + request.max_wait)
    possible = _possible(request, limits)
    asked = allocation.ask(tx, request.workflow_id, request.priority, possible, limits, request.context, until=until)
    for offer in _offers(possible, request.fallbacks):
        if _starts(tx, asked, offer, limits, now):
            admission.admit(tx, limits, now, {asked.id: offer})
            held = allocation.allocation(tx.database, asked.id)
            full = offer == request.wanted
            return Response("approved" if full else "partial", held, 0, 0.0, "" if full else _less(request, offer), ())
    return _refuse(tx, request, asked, limits, now)


def _possible(request: Request, limits: Mapping[str, float]) -> dict[str, Any]:
    """What is asked for; where it takes fewer agents, no more of them than there are."""
    most = limits.get("agents", 0)
    takes_less = request.fallbacks.reduce_agents or request.fallbacks.extend_duration
    if not takes_less or not 1 <= most < request.wanted.get("agents", 0):
        return request.wanted
    return _with_agents(request.wanted, int(most), longer=request.fallbacks.extend_duration)


def _offers(wanted: dict[str, Any], fallbacks: Fallbacks) -> Iterator[dict[str, Any]]:
    """What it would take, best first."""
    yield wanted
    shared = {**wanted, "files": [], "touches": [*wanted.get("touches", ()), *wanted.get("files", ())]}
    shares = fallbacks.accept_shared_resources and wanted.get("files")
    if shares:
        yield shared
    if fallbacks.reduce_agents or fallbacks.extend_duration:
        for agents in range(math.ceil(wanted.get("agents", 0)) - 1, 0, -1):
            less = _with_agents(wanted, agents, longer=fallbacks.extend_duration)
            yield less
            if shares:
                yield {**less, "files": [], "touches": shared["touches"]}


def _with_agents(wanted: Mapping[str, Any], agents: int, *, longer: bool) -> dict[str, Any]:
    """With fewer agents; for longer, the work stays the same."""
    seconds = wanted.get("seconds")
    if longer and seconds:
        seconds *= wanted["agents"] / agents
    return {**wanted, "agents": agents, "seconds": seconds}


def _less(request: Request, offer: Mapping[str, Any]) -> str:
    parts: list[str] = []
    if offer.get("agents") != request.wanted.get("agents"):
        parts.append(f"{offer['agents']:g} of {request.wanted['agents']:g} agents")
    if offer.get("files") != request.wanted.get("files"):
        parts.append("files shared with others")
    return ", ".join(parts)


def _starts(
    tx: Transaction, asked: Allocation, offer: Mapping[str, Any], limits: Mapping[str, float], now: float
) -> bool:
    return any(one.id == asked.id for one in admission.look(tx, limits, now, {asked.id: offer}).starts)


def _refuse(tx: Transaction, request: Request, asked: Allocation, limits: Mapping[str, float], now: float) -> Response:
    """It waits, or it is denied; what it could have instead is said."""
    found = {one.id: decision for one, decision in admission.look(tx, limits, now).waits}[asked.id]
    others = tuple(_alternatives(tx, request, asked, found, limits, now))
    if request.fallbacks.queue_if_unavailable:
        admission.admit(tx, limits, now)
        return Response("queued", asked, found.position, found.start, found.reason, others)
    held = allocation.release(tx, asked, f"{found.reason}, and it may not wait", "denied")
    facts = {
        "conflict_id": f"conf_{asked.id}",
        "conflict_type": "denied",
        "conflicting_requests": [asked.id],
        "severity": "medium",
        "reason": found.reason,
        "state": "RESOLVED",
    }
    tx.event("RESOURCE_CONFLICT", asked.workflow_id, "coordination", facts, severity="warning")
    admission.admit(tx, limits, now)
    return Response("denied", held, 0, None, found.reason, others)


def _alternatives(
    tx: Transaction,
    request: Request,
    asked: Allocation,
    found: admission.Decision,
    limits: Mapping[str, float],
    now: float,
) -> Iterator[Alternative]:
    yield Alternative("queue_if_unavailable", found.start, True, request.wanted)
    options = {
        "accept_shared_resources": Fallbacks(accept_shared_resources=True),
        "reduce_agents": Fallbacks(reduce_agents=True),
    }
    for name, fallbacks in options.items():
        if not getattr(request.fallbacks, name):
            offers = _offers(asked.wanted, fallbacks)
            next(offers)
            for offer in offers:
                if _starts(tx, asked, offer, limits, now):
                    yield Alternative(name, 0.0, False, offer)
                    break
