"""Bottlenecks: what others have waited for, and for how long, folded from events.

Waiting is counted while a workflow is queued, under what it lacks: an amount (`agents`, `memory` …), a file, another
workflow. A phase that runs longer than it should counts the time beyond that, once for each phase that waits for it.
What has cost less than `LEAST` of the time looked at is no bottleneck.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from stretto.state.moments import moment
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


Kind = Literal["amount", "file", "other"]
"""What is lacking: so much of something, a file that another one has, or what it depends on."""
AMOUNTS = ("agents", "cpu", "memory", "workflows")


def bottlenecks(
    events: Iterable[Event], late: Iterable[Late], now: float, enough: Mapping[str, float] | None = None
) -> list[Bottleneck]:
    """What has cost the most waiting, the worst first; nothing where nobody waits for long.

    `enough` says how much of everything there would have to be for all who wait now.
    """
    queued: dict[str, tuple[Event, float]] = {}
    spent: dict[str, dict[str, tuple[float, str]]] = {}
    first = now
    seen: list[Event] = []
    for event in events:
        at = moment(event.timestamp)
        first = min(first, at)
        if event.type == "WORKFLOW_QUEUED":
            queued[event.workflow_id] = (event, at)
            seen.append(event)
        elif event.type in _LEAVES and event.workflow_id in queued:
            _count(spent, *queued.pop(event.workflow_id), at)
    for event, since in queued.values():
        _count(spent, event, since, now)
    kinds: dict[str, Kind] = {what: kind for event in seen for what, kind in lacking(event.data)}
    found = [_of_resource(what, waits, kinds[what], enough or {}) for what, waits in spent.items()]
    found += [_of_phase(one) for one in late]
    worth = [b for b in found if b.seconds > LEAST * max(now - first, 0.0) and b.seconds > 0]
    return sorted(worth, key=lambda b: (-b.seconds, b.what))


def predicted(waits: Iterable[tuple[str, str, float | None]], enough: Mapping[str, float]) -> list[Bottleneck]:
    """What will be waited for, by the plan of the scheduler: of those who wait now, who, why, and how long from now."""
    spent: dict[str, dict[str, tuple[float, str]]] = {}
    kinds: dict[str, Kind] = {}
    for workflow_id, reason, start in waits:
        for what, kind in lacking({"reason": reason}) if start is not None else ():
            spent.setdefault(what, {})[workflow_id] = (start or 0.0, "")
            kinds[what] = kind
    found = [_of_resource(what, waiting, kinds[what], enough) for what, waiting in spent.items()]
    return sorted((b._replace(events=()) for b in found), key=lambda b: (-b.seconds, b.what))


def _count(spent: dict[str, dict[str, tuple[float, str]]], event: Event, since: float, until: float) -> None:
    for what, _ in lacking(event.data):
        spent.setdefault(what, {})[event.workflow_id] = (max(until - since, 0.0), event.event_id)


def lacking(data: Mapping[str, object]) -> list[tuple[str, Kind]]:
    """The names in a reason, `agents, memory not free` or `waits for review`, and what each is."""
    reason = str(data.get("reason", ""))
    if reason.startswith("waits for "):
        return [(name, "other") for name in reason.removeprefix("waits for ").split(", ")]
    if not reason.endswith(" not free"):
        return []
    return [(n, "amount" if n in AMOUNTS else "file") for n in reason.removesuffix(" not free").split(", ")]


def _of_resource(
    what: str, waits: Mapping[str, tuple[float, str]], kind: Kind, enough: Mapping[str, float]
) -> Bottleneck:
    seconds = sum(waited for waited, _ in waits.values())
    events = tuple(event for _, event in waits.values())
    return Bottleneck(what, seconds, tuple(waits), events, _action(what, kind, next(iter(waits)), enough))


def _action(what: str, kind: Kind, waiting: str, enough: Mapping[str, float]) -> str:
    """A line that can be typed as it stands."""
    if kind == "other":
        return f"stretto workflow-status {waiting} --include-dependencies"
    if kind == "file":
        return "stretto resource-manager check-conflicts"
    if what not in enough:
        return "stretto resource-manager plan-capacity"
    amount = f'"{math.ceil(enough[what] / 2**20)}MB"' if what == "memory" else f"{enough[what]:g}"
    return f"""stretto resource-manager configure '{{"capacity": {{"{what}": {amount}}}}}'"""


def _of_phase(one: Late) -> Bottleneck:
    what = f"phase {one.phase} of {one.workflow_id}"
    action = f"stretto workflow-status {one.workflow_id} --detailed"
    return Bottleneck(what, one.beyond * max(one.behind, 0), (one.workflow_id,), (one.event,), action)
