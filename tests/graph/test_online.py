"""Admission gives only what is there, keeps the order of priorities, starves nobody, and foretells its own future."""

import heapq
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.graph.online import (
    STRICT,
    WEIGHTED,
    Admission,
    Policy,
    Rank,
    Running,
    Waiting,
    admit,
    order,
    score,
    starting,
)
from stretto.state.errors import BadInput

CAPACITY = {"agents": 6.0, "memory": 8.0}
RANK = ("low", "medium", "high", "critical")
FILES = st.frozensets(st.sampled_from(["a", "b"]), max_size=2)
HASTY = {"critical": Rank(4, 10), "high": Rank(2, 20), "medium": Rank(1, 30), "low": Rank(1, 30)}
POLICIES = st.sampled_from([STRICT, WEIGHTED, Policy(HASTY), Policy(HASTY, strict=True)])


@st.composite
def waitings(draw: st.DrawFn, now: float = 100) -> list[Waiting]:
    return [
        Waiting(
            f"w{n}",
            draw(st.sampled_from(RANK)),
            draw(st.none() | st.integers(1, 500)),
            now - draw(st.integers(0, 100)),
            {"agents": draw(st.integers(0, 7)), "memory": draw(st.integers(0, 9))},
            draw(FILES),
            draw(st.none() | st.integers(0, 60)),
        )
        for n in range(draw(st.integers(0, 9)))
    ]


@st.composite
def runnings(draw: st.DrawFn, now: float = 100) -> list[Running]:
    one = Running(
        "r0", now - draw(st.integers(0, 90)), now + draw(st.integers(-20, 50)), {"agents": 2, "memory": 3}, draw(FILES)
    )
    other = Running("r1", now - 5, draw(st.none() | st.just(now + 9)), {"agents": draw(st.integers(0, 3)), "memory": 1})
    return [one, other][: draw(st.integers(0, 2))]


def due(item: Waiting, policy: Policy) -> float:
    return item.since + policy.ranks[item.priority].patience


class Case(NamedTuple):
    waiting: list[Waiting]
    running: list[Running]
    policy: Policy

    def admit(self) -> Admission:
        return admit(self.waiting, self.running, CAPACITY, 100, self.policy)


CASES = st.builds(Case, waitings(), runnings(), POLICIES)
few = settings(max_examples=50)


def held(holders: Sequence[Waiting | Running]) -> dict[str, float]:
    return {name: sum(h.demand.get(name, 0) for h in holders) for name in CAPACITY}


def fits(holders: Sequence[Waiting | Running]) -> bool:
    files = [file for h in holders for file in h.files]
    return all(held(holders)[name] <= CAPACITY[name] for name in CAPACITY) and len(set(files)) == len(files)


@few
@given(CASES)
def test_what_starts_fits_beside_what_runs(case: Case) -> None:
    found = case.admit()

    assert fits([*case.running, *(w for w in case.waiting if w.id in found.starts)])


@few
@given(CASES)
def test_everyone_starts_or_waits_once_and_the_queue_counts_from_one(case: Case) -> None:
    found = case.admit()

    assert sorted([*found.starts, *(w.id for w in found.waits)]) == sorted(w.id for w in case.waiting)
    assert [w.position for w in found.waits] == list(range(1, len(found.waits) + 1))


@few
@given(CASES)
def test_who_waits_lacks_something_or_stands_behind_one_that_is_overdue(case: Case) -> None:
    found = case.admit()
    overdue = {w.id for w in case.waiting if due(w, case.policy) <= 100}

    for wait in found.waits:
        assert wait.lacks or wait.behind is not None
        assert wait.behind is None or wait.behind in overdue


@few
@given(CASES)
def test_a_strict_policy_starts_no_lower_priority_before_a_higher_one_that_fits_as_well(case: Case) -> None:
    policy = case.policy._replace(strict=True)
    starts = admit(case.waiting, case.running, CAPACITY, 100, policy).starts

    young = [w for w in case.waiting if due(w, policy) > 100]
    for low in (w for w in young if w.id in starts):
        for high in (w for w in young if RANK.index(w.priority) > RANK.index(low.priority)):
            as_well = high.files <= low.files and all(high.demand[n] <= low.demand[n] for n in CAPACITY)
            assert high.id in starts or not as_well


@few
@given(CASES)
def test_of_two_alike_the_higher_priority_comes_first_in_every_policy(case: Case) -> None:
    pair = [Waiting("b", "high", 100, 90, {"agents": 6}), Waiting("a", "low", 100, 90, {"agents": 6})]

    assert admit(pair, [], CAPACITY, 100, case.policy).starts == ("b",)


@few
@given(CASES)
def test_the_order_in_which_they_are_listed_changes_nothing(case: Case) -> None:
    assert case._replace(waiting=case.waiting[::-1]).admit() == case.admit()


@few
@given(CASES)
def test_the_quick_answer_is_the_same(case: Case) -> None:
    assert tuple(starting(case.waiting, case.running, CAPACITY, 100, case.policy)) == case.admit().starts


class World:
    """Runs a queue to its end: real durations, an admission pass at every arrival and every end."""

    def __init__(self, takes: Mapping[str, float], policy: Policy, now: float = 0) -> None:
        self.takes = takes
        self.policy = policy
        self.started: dict[str, float] = {}
        self.now = now

    def run(self, arrivals: Sequence[Waiting], running: Sequence[Running] = ()) -> None:
        coming = sorted(((w.since, w.id, w) for w in arrivals), key=lambda c: c[:2])
        ends = [(one.ends, one.id, one) for one in running if one.ends is not None]
        heapq.heapify(ends)
        waiting: list[Waiting] = []
        while coming or waiting:
            while coming and coming[0][0] <= self.now:
                waiting.append(coming.pop(0)[2])
            while ends and ends[0][0] <= self.now:
                heapq.heappop(ends)
            holders = [one for _, _, one in ends]
            for name in admit(waiting, holders, CAPACITY, self.now, self.policy).starts:
                item = next(w for w in waiting if w.id == name)
                waiting.remove(item)
                self.started[name] = self.now
                held_now = Running(name, self.now, self.now + 1, item.demand, item.files)  # a wrong estimate
                heapq.heappush(ends, (self.now + self.takes[name], name, held_now))
            assert fits([one for _, _, one in ends])
            upcoming = [c[0] for c in coming[:1]] + [e[0] for e in ends[:1]]
            if not upcoming:
                return
            self.now = max(self.now, min(upcoming))


@given(waitings(), POLICIES)
def test_the_foretold_starts_come_true_when_nobody_else_comes_and_all_takes_as_long_as_expected(
    waiting: list[Waiting], policy: Policy
) -> None:
    known = [w._replace(takes=float(w.takes or 7)) for w in waiting]
    foretold = admit(known, [], CAPACITY, 100, policy)
    world = World({w.id: w.takes or 0 for w in known}, policy, now=100)

    world.run(known)

    assert {w.id: w.starts_in for w in foretold.waits if not w.never} == {
        name: at - 100 for name, at in world.started.items() if name not in foretold.starts
    }
    assert all(w.starts_in is None for w in foretold.waits if w.never)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Waiting], dict[str, float]]:
    """A stream under which large and low ones would starve: small urgent ones arrive faster than they leave."""
    items = [
        Waiting(
            f"w{n}",
            draw(st.sampled_from(RANK)),
            draw(st.integers(1, 50)),
            draw(st.integers(0, 80)),
            {"agents": draw(st.integers(1, 6)), "memory": draw(st.integers(0, 8))},
            draw(FILES),
        )
        for n in range(draw(st.integers(1, 25)))
    ]
    return items, {w.id: float(draw(st.integers(1, 20))) for w in items}


@given(streams(), st.booleans())
def test_nobody_waits_longer_than_patience_and_those_due_before(
    stream: tuple[list[Waiting], dict[str, float]], strict: bool
) -> None:
    items, takes = stream
    policy = Policy(HASTY, strict=strict)
    world = World(takes, policy)

    world.run(items)

    longest = max(takes.values())
    for item in items:
        by = due(item, policy)
        ahead = [w for w in items if w is not item and due(w, policy) <= by and world.started[w.id] >= by]
        assert world.started[item.id] <= by + (len(ahead) + 1) * longest


def test_without_patience_a_stream_of_small_urgent_ones_starves_a_large_one() -> None:
    large = Waiting("large", "low", 900, 0, {"agents": 6})
    small = [Waiting(f"s{n}", "critical", 5, 5.0 * n, {"agents": 3}) for n in range(40)]
    takes = {w.id: 9.0 for w in small} | {"large": 9.0}
    patient, impatient = (World(takes, Policy(dict.fromkeys(RANK, Rank(1, time)))) for time in (1e9, 30))

    patient.run([large, *small])
    impatient.run([large, *small])

    assert patient.started["large"] > 195
    assert impatient.started["large"] <= 30 + 9


def test_waiting_raises_the_score_and_work_lowers_it() -> None:
    item = Waiting("a", "medium", 100, 0, {})

    assert score(item, 50) > score(item, 0) > score(item._replace(remaining=200), 0)
    assert score(item._replace(priority="high"), 0) > score(item, 0)


def test_unknown_work_counts_as_the_median_of_the_known() -> None:
    queue = [Waiting("unknown", "medium", None, 0, {})] + [
        Waiting(f"{n}", "medium", float(n), 0, {}) for n in (10, 20, 30)
    ]

    assert [w.id for w in order(queue, 0)] == ["10", "20", "unknown", "30"]


def test_what_hangs_on_something_unknown_has_no_estimate() -> None:
    endless = Running("r", 0, None, {"agents": 6})
    found = admit([Waiting("a", "low", None, 0, {"agents": 1})], [endless], CAPACITY, 0)

    assert found.waits[0].starts_in is None
    assert found.waits[0].lacks == ("agents",)
    assert not found.waits[0].never


def test_the_queue_of_five_agents_is_told_as_it_will_be() -> None:
    """Three agents work for half an hour; two want three, one of them more urgent; one wants nine."""
    runs = Running("feature", 0, 1800, {"agents": 3})
    queue = [
        Waiting("later", "low", 5400, 0, {"agents": 3}),
        Waiting("bug", "high", 3600, 0, {"agents": 3}),
        Waiting("never", "critical", 600, 0, {"agents": 9}),
    ]

    found = admit(queue, [runs], {"agents": 5}, 0)

    assert found.starts == ()
    assert [(w.id, w.position, w.starts_in, w.never) for w in found.waits] == [
        ("bug", 1, 1800, False),
        ("later", 2, 3000, False),
        ("never", 3, None, True),
    ]


def test_one_that_is_late_is_expected_to_need_as_long_again() -> None:
    late = Running("late", 0, 60, {"agents": 6})

    found = admit([Waiting("a", "low", 10, 100, {"agents": 1})], [late], CAPACITY, 100)

    assert found.waits[0].starts_in == 40


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([Waiting("a", "urgent", 1, 0, {})], "priority"),
        ([Waiting("a", "low", 1, 0, {}), Waiting("a", "low", 1, 0, {})], "id"),
        ([Waiting("a", "low", 1, 0, {"agents": -1})], "a.demand.agents"),
        ([Waiting("a", "low", float("nan"), 0, {})], "a.remaining"),
    ],
)
def test_what_makes_no_sense_is_refused(items: list[Waiting], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        admit(items, [], CAPACITY, 0)

    assert refused.value.details["field"] == field


def test_tenths_of_a_cpu_add_up() -> None:
    tenths = [Waiting(f"{n}", "low", 1, 0, {"cpu": 0.1}) for n in range(4)]

    assert len(admit(tenths, [], {"cpu": 0.3}, 0).starts) == 3
