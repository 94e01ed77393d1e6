"""Admission: who of those that wait starts now, and when the others will: weighted shortest remaining work, ageing.

Who waits is ordered by `score`, highest first: weight ÷ remaining work (Smith's rule, applied to what remains), raised
in proportion to the time waited over that work (highest response ratio). Whoever fits into what is free starts. In a
`strict` policy a higher priority comes first whatever its size, and the score orders within one.

Nobody starves. Who has waited for the `patience` of its priority is overdue: it comes before all who are not, the one
due first in front, and from then on nothing starts that could delay it: what started since must fit beside it. So it
starts at most as long after it is due as the longest run lasts, once for itself and once for each that was due before
it, however wrong the estimates are (the proof is in docs/scheduling.md). A short patience is also how the urgent get
room: kept free, not left to chance. Who asks for more than there is never starts, and holds up nobody.

Pure: times are seconds on any one clock, given by the caller, and equal arguments give equal answers.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple

from stretto.state.errors import BadInput

_SLACK: Final = 1e-9
"""Relative to a capacity: sums of floats such as 0.1 cpu must not fail by their last bit."""


_HOUR: Final = 3600.0


class Rank(NamedTuple):
    """What a priority is worth: its weight, and the seconds after which one that waits is overdue."""

    weight: float
    patience: float


class Policy(NamedTuple):
    """How those who wait are ordered.

    `ranks` by the name of a priority; `ageing` is how fast waiting counts; `strict`, whether a higher weight always
    comes first.
    """

    ranks: Mapping[str, Rank] = {
        "critical": Rank(4, 120),
        "high": Rank(1.5, 24 * _HOUR),
        "medium": Rank(1, 24 * _HOUR),
        "low": Rank(0.8, 24 * _HOUR),
    }
    ageing: float = 0.5
    strict: bool = False


STRICT: Final = Policy(strict=True)
"""For allocations: no lower priority starts before a higher one that fits as well, unless it is overdue."""
WEIGHTED: Final = Policy()
"""For the phases of many workflows: a short one of lower priority may pass a long one, and the mean is far better."""


class Waiting(NamedTuple):
    """One that waits. `demand` and `files` are what it holds from its start to its end; no two hold the same file.

    `remaining` is the work that its workflow has left, in agent-seconds; `takes` the seconds for which it will hold
    its demand, by default `remaining` shared among its agents. None is unknown.
    """

    id: str
    priority: str
    remaining: float | None
    since: float
    demand: Mapping[str, float]
    files: frozenset[str] = frozenset()
    takes: float | None = None


class Running(NamedTuple):
    """One that runs; `ends` is when it is expected to end, None is unknown."""

    id: str
    started: float
    ends: float | None
    demand: Mapping[str, float]
    files: frozenset[str] = frozenset()


class Wait(NamedTuple):
    """One that goes on waiting.

    `position` counts from 1 in the order of the policy. `starts_in` is the estimate in seconds, None where it hangs on
    something unknown. `lacks` names the dimensions and files that are not free for it now; when there is none, it is
    held back for `behind`, who is overdue. `never`: it asks for more than there is.
    """

    id: str
    position: int
    starts_in: float | None
    lacks: tuple[str, ...]
    behind: str | None
    never: bool


class Admission(NamedTuple):
    """Who starts now, first come first, and who waits, in the order of the queue."""

    starts: tuple[str, ...]
    waits: tuple[Wait, ...]


def score(item: Waiting, now: float, policy: Policy = WEIGHTED) -> float:
    """The higher, the sooner: weight ÷ remaining · (1 + ageing · waited ÷ remaining).

    Raises:
        BadInput: A priority that the policy does not know.
    """
    return _score(item, max(item.remaining or 0.0, 1.0), now, policy)


def order(items: Sequence[Waiting], now: float, policy: Policy = WEIGHTED) -> list[Waiting]:
    """`items` in the order in which they are considered; one of unknown work counts as the median of the known.

    Equal ones go by the time since when they wait, then by id.

    Raises:
        BadInput: A priority that the policy does not know.
    """
    known = [item.remaining for item in items if item.remaining is not None]
    middle = median(known) if known else 1.0

    def place(item: Waiting) -> tuple[float, ...]:
        if now >= (due := _due(item, policy)):
            return (0, due, 0)
        work = max(middle if item.remaining is None else item.remaining, 1.0)
        return (1, -_rank(item, policy).weight if policy.strict else 0, -_score(item, work, now, policy))

    return sorted(items, key=lambda item: (place(item), item.since, item.id))


def admit(
    waiting: Sequence[Waiting],
    running: Sequence[Running],
    capacity: Mapping[str, float],
    now: float,
    policy: Policy = STRICT,
) -> Admission:
    """One pass over a queue: who starts, and for everyone else the position and the estimated start.

    The estimate is the same pass repeated at each expected end, with nobody else arriving. A running one past its
    expected end is taken to need as long again as it is late, one second at least; one of unknown end, to go on.

    Raises:
        BadInput: An id twice, an amount or a time that is no number or negative, a priority that is not known.
    """
    _check(waiting, running, capacity)
    possible, never = _possible(waiting, capacity)
    floor = _Floor(capacity, running)
    starts, held = _pass(possible, floor, now, policy)
    left = [item for item in possible if item.id not in starts]
    lacks = {item.id: floor.lacks(item) for item in waiting}
    predicted = _forward(left, floor, now, policy)
    queue = [*order(left, now, policy), *order(never, now, policy)]
    waits = (
        Wait(item.id, place, predicted.get(item.id), lacks[item.id], held.get(item.id), item in never)
        for place, item in enumerate(queue, 1)
    )
    return Admission(tuple(starts), tuple(waits))


def starting(
    waiting: Sequence[Waiting],
    running: Sequence[Running],
    capacity: Mapping[str, float],
    now: float,
    policy: Policy = WEIGHTED,
) -> list[str]:
    """Only who starts now, as `admit` has it but unchecked; the quick part, for a caller that asks at every event."""
    return _pass(_possible(waiting, capacity)[0], _Floor(capacity, running), now, policy)[0]


# ── the order ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _score(item: Waiting, work: float, now: float, policy: Policy) -> float:
    waited = max(now - item.since, 0.0)
    return _rank(item, policy).weight / work * (1 + policy.ageing * waited / work)


def _rank(item: Waiting, policy: Policy) -> Rank:
    try:
        return policy.ranks[item.priority]
    except KeyError:
        raise BadInput(
            f"{item.id!r} has the priority {item.priority!r}, which has no rank.",
            field="priority",
            allowed=list(policy.ranks),
        ) from None


def _due(item: Waiting, policy: Policy) -> float:
    return item.since + _rank(item, policy).patience


# ── the floor ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Floor:
    """What is held, by whom, and what is free beside it."""

    def __init__(self, capacity: Mapping[str, float], running: Iterable[Running]) -> None:
        self.capacity = capacity
        self.running = list(running)
        self._used = _sum(self.running)
        self._files = {file for one in self.running for file in one.files}

    def lacks(self, item: Waiting) -> tuple[str, ...]:
        """The dimensions and the files that are not free for it."""
        return (*self._over(item.demand, self._used), *sorted(item.files & self._files))

    def delays(self, item: Waiting, overdue: Waiting, since: float) -> bool:
        """Whether `item` could delay one that is overdue `since` then: all that started later must fit beside it."""
        late = _sum([*(one for one in self.running if one.started >= since), item, overdue])
        return bool(self._over(late, {}) or item.files & overdue.files)

    def start(self, item: Waiting, now: float, ends: float | None) -> None:
        """Give it what it asks for."""
        self.running.append(Running(item.id, now, ends, item.demand, item.files))
        self._files |= item.files
        for name, amount in item.demand.items():
            self._used[name] = self._used.get(name, 0.0) + amount

    def _over(self, demand: Mapping[str, float], used: Mapping[str, float]) -> list[str]:
        return [
            name
            for name, amount in sorted(demand.items())
            if amount > 0 and used.get(name, 0.0) + amount > self.capacity.get(name, 0.0) * (1 + _SLACK)
        ]


def _sum(holders: Iterable[Waiting | Running]) -> dict[str, float]:
    total: dict[str, float] = {}
    for holder in holders:
        for name, amount in holder.demand.items():
            total[name] = total.get(name, 0.0) + amount
    return total


def _possible(waiting: Sequence[Waiting], capacity: Mapping[str, float]) -> tuple[list[Waiting], list[Waiting]]:
    """Those who fit when nobody else is there, and those who never do."""
    empty = _Floor(capacity, ())
    never = [item for item in waiting if empty.lacks(item)]
    return [item for item in waiting if item not in never], never


# ── one pass, and the passes to come ─────────────────────────────────────────────────────────────────────────────────


def _pass(waiting: Sequence[Waiting], floor: _Floor, now: float, policy: Policy) -> tuple[list[str], dict[str, str]]:
    """Start on `floor` whoever can; returns who did, and who is held back for whom."""
    starts: list[str] = []
    held: dict[str, str] = {}
    kept: list[Waiting] = []  # overdue, and cannot start yet
    for item in order(waiting, now, policy):
        lacking = floor.lacks(item)
        behind = next((k.id for k in kept if floor.delays(item, k, _due(k, policy))), None)
        if not lacking and behind is None:
            floor.start(item, now, _ends(item, now))
            starts.append(item.id)
        elif now >= _due(item, policy):
            kept.append(item)
        if not lacking and behind is not None:
            held[item.id] = behind
    return starts, held


def _ends(item: Waiting, now: float) -> float | None:
    if item.takes is not None:
        return now + item.takes
    if item.remaining is None:
        return None
    return now + item.remaining / max(item.demand.get("agents", 1.0), 1.0)


def _forward(waiting: list[Waiting], floor: _Floor, now: float, policy: Policy) -> dict[str, float]:
    """Seconds until each starts, as far as they hang on nothing unknown."""
    found: dict[str, float] = {}
    running = [one if one.ends is None else one._replace(ends=_later(one.ends, now)) for one in floor.running]
    at = now
    while waiting and (ends := [one.ends for one in running if one.ends is not None]):
        at = max(min(ends), at)
        ahead = _Floor(floor.capacity, [one for one in running if one.ends is None or one.ends > at])
        starts, _ = _pass(waiting, ahead, at, policy)
        found |= dict.fromkeys(starts, at - now)
        waiting = [item for item in waiting if item.id not in found]
        running = ahead.running
    return found


def _later(ends: float, now: float) -> float:
    return ends if ends > now else now + max(now - ends, 1.0)


def _check(waiting: Sequence[Waiting], running: Sequence[Running], capacity: Mapping[str, float]) -> None:
    everyone: list[Waiting | Running] = [*waiting, *running]
    ids = [one.id for one in everyone]
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise BadInput(f"{twice!r} is there twice.", field="id")
    for name, amount in capacity.items():
        _amount(amount, f"capacity.{name}")
    for one in everyone:
        for name, amount in one.demand.items():
            _amount(amount, f"{one.id}.demand.{name}")
    for item in waiting:
        _amount(item.remaining or 0.0, f"{item.id}.remaining")
        _amount(item.takes or 0.0, f"{item.id}.takes")


def _amount(value: float, field: str) -> None:
    if not math.isfinite(value) or value < 0:
        raise BadInput(f"{value} is no amount.", field=field)
