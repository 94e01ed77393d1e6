"""Admission: which of the requests that wait may be granted now, and when the others may.

A request belongs to a workflow that is admitted with it, or asks for more than that, or stands for an id that no
workflow has yet. The order is `graph.online`'s; beside it nothing starts that would be in the way of a reservation, and
nobody holds a file that another changes.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from stretto.agents.paths import overlap
from stretto.graph import coordination, online
from stretto.graph.phase_reservations import follow
from stretto.graph.reservations import Span, earliest, hindrance
from stretto.graph.resource_settings import Prevention, resource_settings
from stretto.state import allocation, pool
from stretto.state.allocation import Allocation
from stretto.state.chosen import chosen
from stretto.state.database import Database
from stretto.state.machine import FINAL
from stretto.state.moments import moment, stamp
from stretto.state.queries import workflow_row
from stretto.state.transaction import Transaction
from stretto.state.units import said_seconds

CAPACITY = "capacity"
"""The choice that says how much there is of everything."""
UNADMITTED = ("CREATED", "QUEUED")
GRACE = 300.0
"""Seconds for which an allocation is kept after its time, or after the end of its workflow."""


class Decision(NamedTuple):
    """What was decided for one request: admitted, or its place in the queue; `start` is seconds from now, or None."""

    workflow_id: str
    admitted: bool
    position: int
    start: float | None
    reason: str
    allocation_id: str = ""


class Picture(NamedTuple):
    """Which of the requests would start now, and how the others stand, first in the queue first."""

    starts: tuple[Allocation, ...]
    waits: tuple[tuple[Allocation, Decision], ...]


def machine(agents: float) -> dict[str, float]:
    """What there is if nobody said otherwise: so many agents, and this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"agents": agents, "cpu": os.cpu_count() or 1, "memory": memory, "workflows": 5}


def capacity(database: Database, defaults: Mapping[str, float]) -> dict[str, float]:
    """How much there is of everything: the defaults, what was chosen instead, less the agents that have failed."""
    found = {**defaults, **chosen(database, CAPACITY).value}
    failed = sum(one.state == "failed" for one in pool.agents(database))
    return {**found, "agents": max(found.get("agents", 0) - failed, 0)}


def pass_on(tx: Transaction, workflow_id: str, defaults: Mapping[str, float], now: float) -> None:
    """Give what a cancelled workflow held, or waited for, to those who wait."""
    coordination.let_go(tx, workflow_id, "cancelled")
    admit(tx, capacity(tx.database, defaults), now)


def admit(
    tx: Transaction,
    limits: Mapping[str, float],
    now: float,
    instead: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[Decision, ...]:
    """Look at everything that waits, once: grant what may start, tell newcomers where they stand.

    Writes RESOURCE_ANALYSIS_REQUESTED for newcomers as a whole, then RESOURCE_ALLOCATED and WORKFLOW_SCHEDULED or
    WORKFLOW_QUEUED for each; RESOURCE_CONFLICT where workflows now change one file at a time; what is over is taken
    back first. `instead` is what some would take for what they asked for, by allocation.
    """
    sweep(tx, now)
    live = allocation.live_allocations(tx.database)
    if new := [one for one in live if one.state == "queued" and _status(tx, one) == "CREATED"]:
        _analysed(tx, new, live)
    follow(tx, limits)
    found = look(tx, limits, now, instead)
    done = [_granted(tx, one, limits, now, (instead or {}).get(one.id)) for one in found.starts]
    return (*done, *(_queued(tx, one, decision) for one, decision in found.waits))


def look(
    tx: Transaction,
    limits: Mapping[str, float],
    now: float,
    instead: Mapping[str, Mapping[str, Any]] | None = None,
) -> Picture:
    """What one pass would decide; nothing is written."""
    live = allocation.live_allocations(tx.database)
    waiting = [one for one in live if one.state == "queued"]
    waiting = [one._replace(wanted=dict((instead or {}).get(one.id, one.wanted))) for one in waiting]
    blocked = {one.id: (f"waits for {why}", None) for one in waiting if (why := _waits(tx, one, waiting))}
    held = [one for one in live if one.state != "queued"]
    settings = resource_settings(tx.database)
    if settings.strategy == "predictive_adaptive":
        waiting = [_expected(tx, one, settings.durations) for one in waiting]
    floor = _Floor(held, waiting, limits, now, settings.prevention)
    asked, late = floor.pass_over([one for one in waiting if one.id not in blocked], settings.policy)
    by_id = {one.id: one for one in waiting}
    starts = tuple(by_id[name] for name in asked.starts)
    waits = [(by_id[w.id], _decision(by_id[w.id], w.position, w.starts_in, _reason(w))) for w in asked.waits]
    rest = {**late, **blocked}
    for place, name in enumerate((one.id for one in waiting if one.id in rest), len(waits) + 1):
        why, start = rest[name]
        waits.append((by_id[name], _decision(by_id[name], place, start, why)))
    return Picture(starts, tuple(waits))


def _expected(tx: Transaction, one: Allocation, durations: Mapping[str, float]) -> Allocation:
    """A request that does not say how long it takes is expected to take as long as others of its type."""
    row = workflow_row(tx.database, one.workflow_id)
    if row is None or row.kind not in durations or one.wanted.get("seconds"):
        return one
    return one._replace(wanted={**one.wanted, "seconds": durations[row.kind]})


def spans(held: Iterable[Allocation], now: float) -> list[Span]:
    """What is held, from when to when. One that is past its time is taken to need as long again as it is late."""
    found: list[Span] = []
    for one in held:
        start = moment(str(one.granted.get("starts", "") or one.since))
        end = moment(one.until) if one.until else math.inf
        if one.state == "active" and end <= now:
            end = now + max(now - end, 1.0)
        found.append(Span(one.id, start, end, allocation.amounts(one.granted)))
    return found


def sweep(tx: Transaction, now: float) -> tuple[Allocation, ...]:
    """Take back what is over, and say why.

    Reservations that nobody used; requests that waited as long as they may; what a workflow holds that ended a while
    ago; and what is held past its time under an id that no workflow has: nobody else would ever give it back.
    """
    over = [(one, why) for one in allocation.live_allocations(tx.database) if (why := _over(tx, one, now))]
    for one, why in over:
        pool.let_go(tx, [a for a in pool.agents(tx.database) if a.allocation_id == one.id], why)
    return tuple(allocation.release(tx, one, why, "expired") for one, why in over)


def _over(tx: Transaction, one: Allocation, now: float) -> str:
    row = workflow_row(tx.database, one.workflow_id)
    end = moment(one.until) if one.until else math.inf
    if row is not None and row.status in FINAL and moment(row.updated) + GRACE <= now:
        return f"its workflow is {row.status}"
    if one.state != "active":
        return "" if end > now else "waited as long as it may" if one.state == "queued" else "its time went by unused"
    return "its time is over, and no workflow runs under this id" if row is None and end + GRACE <= now else ""


# ── who is in whose way ──────────────────────────────────────────────────────────────────────────────────────────────


def clashing(one: Allocation, other: Allocation, prevention: Prevention) -> tuple[str, ...]:
    """The files over which two may not hold what they want at once: of the one, what the other holds or changes.

    What both only change without holding it counts in proactive prevention. A workflow may change what it holds itself.
    """
    own, its = ((a.granted or a.wanted) for a in (one, other))
    pairs = [(a, b) for a in own.get("files", ()) for b in its.get("files", ())]
    if one.workflow_id != other.workflow_id:
        pairs += [(a, b) for a in own.get("files", ()) for b in its.get("touches", ())]
        pairs += [(a, b) for a in own.get("touches", ()) for b in its.get("files", ())]
        if prevention == "proactive":
            pairs += [(a, b) for a in own.get("touches", ()) for b in its.get("touches", ())]
    return tuple(dict.fromkeys(a for a, b in pairs if overlap(a, b)))


class _Floor:
    """What is held and what waits, as the scheduler sees it. Two that clash share a file of their own making."""

    def __init__(
        self,
        held: Sequence[Allocation],
        waiting: Sequence[Allocation],
        limits: Mapping[str, float],
        now: float,
        prevention: Prevention,
    ) -> None:
        self.held, self.limits, self.now = held, limits, now
        self.files: dict[str, frozenset[str]] = {one.id: frozenset() for one in (*held, *waiting)}
        everyone = [one for one in (*held, *waiting) if any((one.granted or one.wanted).get(k) for k in _PATHS)]
        for at, one in enumerate(everyone):
            for other in everyone[:at]:
                for path in clashing(one, other, prevention):
                    pair = frozenset({f"{path}{_BETWEEN}{other.id}~{one.id}"})
                    self.files[one.id] |= pair
                    self.files[other.id] |= pair

    def pass_over(
        self, waiting: Sequence[Allocation], policy: online.Policy
    ) -> tuple[online.Admission, dict[str, tuple[str, float | None]]]:
        """One pass; and who would be in the way of a reservation, with the reason and the seconds until it is not."""
        free, late = {one.id: self._waiting(one) for one in waiting}, dict[str, tuple[str, float | None]]()
        stamped = stamp(self.now)
        running = [self._running(one) for one in self.held if allocation.holds(one, stamped)]
        promised = [one for one in self._spans() if one.start > self.now]
        while True:
            asked = online.admit([*free.values()], running, self.limits, self.now, policy)
            found = self._in_the_way([free[name] for name in asked.starts]) if promised else None
            if found is None:
                return asked, late
            name, why, start = found
            late[name] = (why, start)
            del free[name]

    def _in_the_way(self, starts: Sequence[online.Waiting]) -> tuple[str, str, float | None] | None:
        there = self._spans()
        for item in starts:
            span = Span(item.id, self.now, self.now + (item.takes or math.inf), item.demand, item.files)
            if lacking := hindrance(span, there, self.limits):
                at = earliest(span, there, self.limits)
                why = f"{_plain(lacking)} reserved for later"
                return item.id, why, None if at is None else at - self.now
            there.append(span)
        return None

    def _spans(self) -> list[Span]:
        return [one._replace(files=self.files[one.id]) for one in spans(self.held, self.now)]

    def _waiting(self, one: Allocation) -> online.Waiting:
        lasts, agents = one.wanted.get("seconds"), max(one.wanted.get("agents", 0), 1)
        remaining = None if lasts is None else lasts * agents
        wanted, since = allocation.amounts(one.wanted), moment(one.requested)
        return online.Waiting(one.id, one.priority, remaining, since, wanted, self.files[one.id], lasts)

    def _running(self, one: Allocation) -> online.Running:
        ends = moment(one.until) if one.until else None
        return online.Running(one.id, moment(one.since), ends, allocation.amounts(one.granted), self.files[one.id])


_PATHS = ("files", "touches")
_BETWEEN = " between "


def _plain(lacking: str) -> str:
    return lacking.partition(_BETWEEN)[0]


# ── dependencies, and words ──────────────────────────────────────────────────────────────────────────────────────────


def _status(tx: Transaction, one: Allocation) -> str:
    """The status of a workflow that admission moves; one that a driver runs is the driver's."""
    row = workflow_row(tx.database, one.workflow_id)
    return row.status if row and row.runner == coordination.RUNNER else ""


def _waits(tx: Transaction, one: Allocation, waiting: Sequence[Allocation]) -> str:
    """What must be there before it is looked at: dependencies, and the request that its workflow is admitted with."""
    row = workflow_row(tx.database, one.workflow_id)
    if row is None or row.status not in UNADMITTED or row.runner != coordination.RUNNER:
        return ""
    first = next(a for a in waiting if a.workflow_id == one.workflow_id)
    if first.id != one.id:
        return first.id
    return ", ".join(w.name for w in coordination.waits_for(tx, row) if not w.satisfied)


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


def _reason(wait: online.Wait) -> str:
    lacks = ", ".join(dict.fromkeys(map(_plain, wait.lacks)))
    if wait.never:
        return f"more than there is: {lacks}"
    return f"{lacks} not free" if lacks else f"{wait.behind} has waited too long to be passed"


def _decision(one: Allocation, position: int, start: float | None, reason: str) -> Decision:
    return Decision(one.workflow_id, False, position, start, reason, one.id)


# ── what is done ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _granted(
    tx: Transaction, one: Allocation, limits: Mapping[str, float], now: float, instead: Mapping[str, Any] | None
) -> Decision:
    asked = allocation.allocation(tx.database, one.id)
    given = dict(instead or asked.wanted)
    lasts = given.get("seconds")
    chosen_agents = _agents_for(tx, given, limits)
    if chosen_agents:
        given["agent_ids"] = [a.agent_id for a in chosen_agents]
    held = allocation.grant(tx, asked, limits, given, stamp(now + lasts) if lasts else "")
    for agent in chosen_agents:
        pool.assign(tx, agent, one.workflow_id, agent.role or given["specialization"], one.id)
    if _status(tx, one) in UNADMITTED:
        data = {"start_time": "immediate", "estimated_completion": said_seconds(lasts), "allocation_id": one.id}
        tx.set_status(one.workflow_id, "SCHEDULED", data, phase="ready")
    _record_clashes(tx, held)
    return Decision(one.workflow_id, True, 0, 0.0, "", one.id)


def _agents_for(tx: Transaction, given: Mapping[str, Any], limits: Mapping[str, float]) -> list[pool.Agent]:
    """Agents of the pool for a request that names a specialisation: of that role first, then those of none."""
    role = given.get("specialization")
    if not role:
        return []
    failed = sum(one.state == "failed" for one in pool.agents(tx.database))
    idle = [one for one in pool.fill(tx, round(limits["agents"]) + failed) if one.state == "idle"]
    idle.sort(key=lambda one: (one.role != role, bool(one.role), one.agent_id))
    return idle[: round(given.get("agents", 0))]


def _record_clashes(tx: Transaction, held: Allocation) -> None:
    if resource_settings(tx.database).prevention != "reactive":
        return
    for other in allocation.live_allocations(tx.database):
        if (
            other.state == "active"
            and other.workflow_id != held.workflow_id
            and (files := clashing(held, other, "proactive"))
        ):
            facts = {
                "conflict_id": f"conf_{'_'.join(sorted((other.id, held.id)))}",
                "conflict_type": "simultaneous_write",
                "conflicting_requests": [other.id, held.id],
                "severity": "high",
                "files": list(files),
                "state": "DETECTED",
            }
            tx.event("RESOURCE_CONFLICT", held.workflow_id, "coordination", facts, severity="warning")


def _queued(tx: Transaction, one: Allocation, decision: Decision) -> Decision:
    """Only a newcomer is told; where the others stand now is in the status."""
    if _status(tx, one) == "CREATED":
        data = {
            "queue_position": decision.position,
            "estimated_start": said_seconds(decision.start),
            "reason": decision.reason,
        }
        tx.set_status(one.workflow_id, "QUEUED", data, phase="waiting")
    return decision
