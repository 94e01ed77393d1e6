"""Bottlenecks: what others have waited for, and for how long, folded from events.

Waiting is counted while a workflow is queued, under what it lacks: an amount (`agents`, `memory` …), a file, another
workflow. A phase that runs longer than it should counts the time beyond that, once for each phase that waits for it.
What has cost less than `LEAST` of the time looked at is no bottleneck.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from stretto.state.wire import Event

LEAST = 0.05
"""Of the time from the first event to now."""
_LEAVES = frozenset({"WORKFLOW_SCHEDULED", "WORKFLOW_CANCELLED", "WORKFLOW_FAILED"})


class Bottleneck(NamedTuple):
    """What is waited for; the seconds that it has cost; who waited; the events that say so; what would help."""

    what: str
    seconds: float
    waiting: tuple[str, ...]
    events: tuple[str, ...]
    action: str


class Late(NamedTuple):
    """A phase that has run longer than it should, and how many phases wait for it."""

    workflow_id: str
    phase: str
    beyond: float
    behind: int
    event: str


def bottlenecks(events: Iterable[Event], late: Iterable[Late], now: float) -> list[Bottleneck]:
    """What has cost the most waiting, the worst first; nothing where nobody waits for long."""
    queued: dict[str, tuple[Event, float]] = {}
    spent: dict[str, dict[str, tuple[float, str]]] = {}
    first = now
    for event in events:
        at = _at(event)
        first = min(first, at)
        if event.type == "WORKFLOW_QUEUED":
            queued[event.workflow_id] = (event, at)
        elif event.type in _LEAVES and event.workflow_id in queued:
            _count(spent, *queued.pop(event.workflow_id), at)
    for event, since in queued.values():
        _count(spent, event, since, now)
    found = [_of_resource(what, waits) for what, waits in spent.items()] + [_of_phase(one) for one in late]
    worth = [b for b in found if b.seconds > LEAST * max(now - first, 0.0) and b.seconds > 0]
    return sorted(worth, key=lambda b: (-b.seconds, b.what))


def _count(spent: dict[str, dict[str, tuple[float, str]]], event: Event, since: float, until: float) -> None:
    for what in _lacking(event.data):
        spent.setdefault(what, {})[event.workflow_id] = (max(until - since, 0.0), event.event_id)


def _lacking(data: Mapping[str, object]) -> list[str]:
    """The names in a reason: `agents, memory not free` or `waits for review`."""
    reason = str(data.get("reason", ""))
    if reason.startswith("waits for "):
        return reason.removeprefix("waits for ").split(", ")
    return reason.removesuffix(" not free").split(", ") if reason.endswith(" not free") else []


def _of_resource(what: str, waits: Mapping[str, tuple[float, str]]) -> Bottleneck:
    seconds = sum(waited for waited, _ in waits.values())
    action = {
        "agents": """stretto resource-manager configure '{"capacity": {"agents": MORE}}'""",
        "memory": """stretto resource-manager configure '{"capacity": {"memory": "MORE"}}'""",
        "workflows": """stretto resource-manager configure '{"capacity": {"workflows": MORE}}'""",
    }.get(what, f"stretto workflow-status {what}")
    return Bottleneck(what, seconds, tuple(waits), tuple(event for _, event in waits.values()), action)


def _of_phase(one: Late) -> Bottleneck:
    what = f"phase {one.phase} of {one.workflow_id}"
    action = f"stretto workflow-status {one.workflow_id} --detailed"
    return Bottleneck(what, one.beyond * max(one.behind, 0), (one.workflow_id,), (one.event,), action)


def _at(event: Event) -> float:
    return datetime.fromisoformat(event.timestamp).timestamp()
