"""Reservations: whether something fits into what is held now and promised for later, and when it would.

Pure: times are seconds on any one clock.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_SLACK = 1e-9


class Span(NamedTuple):
    """Something that is held from `start` to `end` (infinite where nobody knows)."""

    id: str
    start: float
    end: float
    demand: Mapping[str, float]
    files: frozenset[str] = frozenset()


def hindrance(item: Span, others: Sequence[Span], capacity: Mapping[str, float]) -> str:
    """What keeps `item` from its time: an amount or a file, and from whom on; empty where it fits all along."""
    near = [one for one in others if one.start < item.end and one.end > item.start]
    for at in sorted({item.start, *(one.start for one in near if one.start > item.start)}):
        there = [one for one in near if one.start <= at < one.end]
        for name, amount in sorted(item.demand.items()):
            used = sum(one.demand.get(name, 0.0) for one in there)
            if amount > 0 and used + amount > capacity.get(name, 0.0) * (1 + _SLACK):
                return name
        if shared := sorted(item.files & frozenset[str]().union(*(one.files for one in there))):
            return shared[0]
    return ""


def earliest(item: Span, others: Sequence[Span], capacity: Mapping[str, float]) -> float | None:
    """The first time at which it could start and keep all it needs for as long as it needs it; None where never."""
    length = item.end - item.start
    for at in sorted({item.start, *(one.end for one in others if item.start < one.end < math.inf)}):
        if not hindrance(item._replace(start=at, end=at + length), others, capacity):
            return at
    return None
