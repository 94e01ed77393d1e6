"""Prefetching: reservations for the phases that come next, where it is sure enough that they will come.

For each workflow that runs, the next phases that have not begun. A phase needs as many agents as it said, else as its
workflow has; more than is held is reserved, with the buffer on the whole need, rounded up to whole agents: a need of 3
and a buffer of 10 % is ceil(3.3) = 4, so one who holds 3 gets 1 reserved. The window begins when the phases before it
should be done and is as long as the phase; durations are those said, else medians of finished workflows of the type.

`confidence` is how many finished workflows of the type completed a phase of this name, divided by their number and two
more. A reservation is used when its phase begins and given back when it ends; nobody's are given back at the end of
their window.
"""

import math
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any, NamedTuple

from stretto.graph import admission, coordination
from stretto.graph.phase_reservations import KEY
from stretto.graph.reservations import Span, hindrance
from stretto.state import allocation
from stretto.state.figures import WorkflowView
from stretto.state.moments import stamp
from stretto.state.queries import workflows
from stretto.state.rows import WorkflowRow
from stretto.state.transaction import Transaction
from stretto.state.wire import Event


class Foreseen(NamedTuple):
    """A phase that comes next; times in seconds since the epoch, None where nothing tells them."""

    workflow_id: str
    phase: str
    confidence: float
    n: int
    need: int
    extra: int
    start: float | None
    seconds: float | None
    state: str
    allocation_id: str = ""


class _Past(NamedTuple):
    """Of the finished workflows of a type: how many completed a phase, and how long it took."""

    n: int
    seconds: tuple[float, ...]


def prefetch(
    tx: Transaction, phases: int, threshold: float, buffer: float, capacity: Mapping[str, float], now: float
) -> list[Foreseen]:
    """Reserve what the next phases need, where confidence reaches the threshold and it is free."""
    done = [row for row in workflows(tx.database) if row.status in ("COMPLETED", "ARCHIVED")]
    views = {row.id: coordination.view_of(tx, row.id) for row in done}
    found: list[Foreseen] = []
    for row in workflows(tx.database):
        if row.status == "RUNNING" and row.runner == coordination.RUNNER:
            alike = [views[one.id] for one in done if one.kind == row.kind and not _is_test(one)]
            found += _of_workflow(tx, row, alike, phases, threshold, buffer, capacity, now)
    return found


def _is_test(row: WorkflowRow) -> bool:
    return bool(row.spec.get("coordination", {}).get("test"))


def _of_workflow(
    tx: Transaction,
    row: WorkflowRow,
    alike: list[WorkflowView],
    phases: int,
    threshold: float,
    buffer: float,
    capacity: Mapping[str, float],
    now: float,
) -> list[Foreseen]:
    asked, view = coordination.coordinated(row), coordination.view_of(tx, row.id)
    live = allocation.live_allocations(tx.database, row.id)
    held = round(sum(one.granted.get("agents", 0) for one in live if one.state == "active"))
    known = {one.context[KEY]: one.id for one in live if KEY in one.context}
    begin = _current_end(row, view, alike, now)
    found: list[Foreseen] = []
    pending = [p for p in asked.phases if p.name not in view.phases or view.phases[p.name].state == "pending"]
    for stage in pending[:phases]:
        past = _past(alike, stage.name)
        said = asked.seconds_of(stage.name)
        lasts = said if said is not None else (median(past.seconds) if past.seconds else None)
        sure = len(past.seconds) / (past.n + 2)
        need = stage.agents or max(held, 1)
        extra = max(math.ceil(need * (1 + buffer) - 1e-9) - held, 0)
        one = Foreseen(row.id, stage.name, sure, past.n, need, extra, begin, lasts, "")
        found.append(_decide(tx, one, known.get(stage.name, ""), threshold, asked.priority, capacity, now))
        begin = None if begin is None or lasts is None else begin + lasts
    return found


def _past(alike: Iterable[WorkflowView], phase: str) -> _Past:
    seen = [view.phases.get(phase) for view in alike]
    times = [s for one in seen if one and one.state == "completed" and (s := one.seconds()) is not None]
    return _Past(len(seen), tuple(times))


def _current_end(row: WorkflowRow, view: WorkflowView, alike: list[WorkflowView], now: float) -> float | None:
    """When the phases in progress should be done."""
    ends: list[float] = []
    for phase in view.phases.values():
        if phase.state != "in_progress":
            continue
        said = coordination.coordinated(row).seconds_of(phase.name)
        times = _past(alike, phase.name).seconds
        lasts = said if said is not None else (median(times) if times else None)
        if lasts is None or phase.started is None:
            return None
        ends.append(max(phase.started + lasts, now))
    return max(ends, default=now)


def _decide(
    tx: Transaction,
    one: Foreseen,
    known: str,
    threshold: float,
    priority: str,
    capacity: Mapping[str, float],
    now: float,
) -> Foreseen:
    if known:
        return one._replace(state="reserved before", allocation_id=known)
    if one.confidence < threshold:
        return one._replace(state="not sure enough")
    if one.start is None or one.seconds is None:
        return one._replace(state="nobody knows when")
    if not one.extra:
        return one._replace(state="needs no more than it has")
    held = [a for a in allocation.live_allocations(tx.database) if a.state != "queued"]
    span = Span("new", one.start, one.start + one.seconds, {"agents": float(one.extra)})
    if hindrance(span, admission.spans(held, now), capacity):
        return one._replace(state="not free then")
    wanted: dict[str, Any] = {"agents": one.extra, "seconds": one.seconds, "starts": stamp(one.start)}
    new = allocation.reserve(
        tx, one.workflow_id, priority, wanted, capacity, stamp(one.start + one.seconds), {KEY: one.phase}
    )
    return one._replace(state="reserved", allocation_id=new.id)


class HitRate(NamedTuple):
    """Of the reservations that are over: how many were used. `open` are not over."""

    used: int
    unused: int
    open: int

    @property
    def share(self) -> float | None:
        """None before one is over."""
        return self.used / (self.used + self.unused) if self.used + self.unused else None


def hit_rate(events: Iterable[Event]) -> HitRate:
    """Folded from the log."""
    made, used, over = set[str](), set[str](), set[str]()
    for event in events:
        name = event.data.get("allocation_id", "")
        if event.type == "RESOURCE_RESERVED" and KEY in event.data.get("context", {}):
            made.add(name)
        elif name in made and event.type == "RESOURCE_ALLOCATED":
            used.add(name)
        elif name in made and event.type == "RESOURCE_DEALLOCATED" and "remaining" not in event.data:
            over.add(name)
    return HitRate(len(used), len(over - used), len(made - used - over))
