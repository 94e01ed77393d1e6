"""Clashes: what cannot be as it stands, or will not be able to be, found among what is held, asked for and promised.

    simultaneous_write  two change one file, or what may be one file, at one time
    contention          more is held, promised and proposed at one time than there is
    double_assignment   an agent is named in two allocations
    circular_wait       workflows that hold something wait for each other, so that none of them can ever go on

Found by looking at every pair and every instant, not by guessing. Two globs that might name the same file count as if
they did.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Literal, NamedTuple

from stretto.graph import admission
from stretto.graph.reservations import Span
from stretto.state.allocation import Allocation, amounts

Kind = Literal["simultaneous_write", "contention", "double_assignment", "circular_wait"]
SEVERITY: dict[Kind, str] = {
    "simultaneous_write": "high",
    "contention": "medium",
    "double_assignment": "high",
    "circular_wait": "critical",
}
PROPOSED = "proposed"
"""The id of an allocation that nobody has asked for yet."""
_SLACK = 1e-9


class Clash(NamedTuple):
    """One clash: between which allocations and workflows, over what, from when to when (infinite: nobody knows)."""

    id: str
    kind: Kind
    allocations: tuple[str, ...]
    workflows: tuple[str, ...]
    over: tuple[str, ...]
    start: float
    end: float

    @property
    def severity(self) -> str:
        """By its kind."""
        return SEVERITY[self.kind]


def clash_id(kind: Kind, allocations: Sequence[str]) -> str:
    """The same for the same allocations, whoever finds it."""
    ending = "" if kind == "simultaneous_write" else f"_{kind}"
    return f"conf_{'_'.join(sorted(allocations))}{ending}"


def find(
    live: Sequence[Allocation], capacity: Mapping[str, float], now: float, horizon: float = math.inf
) -> list[Clash]:
    """All clashes from now to `horizon` seconds from now. A proposed allocation is one that is queued.

    Requests in the queue clash with nobody over amounts or over files that somebody holds: they wait for them.
    """
    spans = {one.id: span for one, span in zip(live, admission.spans(live, now), strict=True)}
    until = now + horizon
    found = [
        *_writes(live, spans, now, until),
        *_contention(live, spans, capacity, now, until),
        *_double(live),
        *_circular(live, capacity),
    ]
    return sorted(found, key=lambda clash: (clash.start, clash.id))


def _clash(kind: Kind, those: Sequence[Allocation], over: Sequence[str], start: float, end: float) -> Clash:
    ids = tuple(sorted(one.id for one in those))
    workflows = tuple(sorted({one.workflow_id for one in those}))
    return Clash(clash_id(kind, ids), kind, ids, workflows, tuple(over), start, end)


def _writes(live: Sequence[Allocation], spans: Mapping[str, Span], now: float, until: float) -> Iterator[Clash]:
    """Of two that hold something, or of one that does and one that is proposed."""
    there = [one for one in live if one.state != "queued" or one.id == PROPOSED]
    for one, other in combinations(there, 2):
        start = max(spans[one.id].start, spans[other.id].start, now)
        end = min(spans[one.id].end, spans[other.id].end)
        meets = one.workflow_id != other.workflow_id and start < min(end, until)
        if meets and (files := admission.clashing(one, other, "proactive")):
            yield _clash("simultaneous_write", (one, other), files, start, end)


def _contention(
    live: Sequence[Allocation], spans: Mapping[str, Span], capacity: Mapping[str, float], now: float, until: float
) -> Iterator[Clash]:
    """At every instant at which something begins; the same ones over the same amounts once."""
    there = [one for one in live if one.state != "queued" or one.id == PROPOSED]
    seen: set[str] = set()
    for at in sorted({max(spans[one.id].start, now) for one in there}):
        holders = [one for one in there if spans[one.id].start <= at < spans[one.id].end]
        short = [
            name
            for name, most in sorted(capacity.items())
            if sum(_held(one).get(name, 0) for one in holders) > most * (1 + _SLACK)
        ]
        those = [one for one in holders if any(_held(one).get(name) for name in short)]
        if (
            short
            and at < until
            and (clash := _clash("contention", those, short, at, _end(those, spans))).id not in seen
        ):
            seen.add(clash.id)
            yield clash


def _held(one: Allocation) -> dict[str, float]:
    return amounts(one.granted or one.wanted)


def _end(those: Sequence[Allocation], spans: Mapping[str, Span]) -> float:
    return min(spans[one.id].end for one in those)


def _double(live: Sequence[Allocation]) -> Iterator[Clash]:
    active = [one for one in live if one.state == "active"]
    for one, other in combinations(active, 2):
        both = set(one.granted.get("agent_ids", ())) & set(other.granted.get("agent_ids", ()))
        if both:
            yield _clash("double_assignment", (one, other), sorted(both), 0.0, math.inf)


def _circular(live: Sequence[Allocation], capacity: Mapping[str, float]) -> Iterator[Clash]:
    """Who could end lets go of what it holds, and so on; requests of those who never could are in a circle."""
    held = {one.workflow_id: list[Allocation]() for one in live}
    asked = {one.workflow_id: list[Allocation]() for one in live}
    for one in live:
        if one.state == "active":
            held[one.workflow_id].append(one)
        elif one.state == "queued" and one.id != PROPOSED:
            asked[one.workflow_id].append(one)
    stuck = {name for name in held if held[name]}
    while ended := {name for name in stuck if _could_end(name, stuck, held, asked, capacity)}:
        stuck -= ended
    waiting = [one for name in sorted(stuck) for one in asked[name]]
    if waiting:
        yield _clash("circular_wait", waiting, sorted(stuck), 0.0, math.inf)


def _could_end(
    name: str,
    stuck: set[str],
    held: Mapping[str, Sequence[Allocation]],
    asked: Mapping[str, Sequence[Allocation]],
    capacity: Mapping[str, float],
) -> bool:
    """Whether all that it asks for is free when only those who are stuck hold something."""
    others = [one for other in stuck for one in held[other]]
    for wanted in asked[name]:
        for amount, size in amounts(wanted.wanted).items():
            if sum(one.granted.get(amount, 0) for one in others) + size > capacity.get(amount, 0) * (1 + _SLACK):
                return False
        if any(one.workflow_id != name and admission.clashing(wanted, one, "reactive") for one in others):
            return False
    return True
