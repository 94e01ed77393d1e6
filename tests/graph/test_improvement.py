"""Schedules can be carried out, improvement never makes them longer, and small ones are as short as can be."""

from itertools import count, permutations
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stretto.graph.feasible import violations
from stretto.graph.generation import RULES, Starts, listed, parallel, serial
from stretto.graph.improvement import improve, justified
from stretto.graph.project import Activity, Project
from stretto.graph.schedule import Schedule
from stretto.state.errors import BadInput

few = settings(max_examples=60)


class Work(NamedTuple):
    activities: list[Activity]
    capacity: dict[str, int]

    def project(self) -> Project:
        return Project(self.activities, self.capacity)

    def faults(self, found: Starts) -> list[str]:
        start = {one.name: float(at) for one, at in zip(self.activities, found.starts, strict=True)}
        finish = {one.name: start[one.name] + one.duration for one in self.activities}
        return violations(self.activities, self.capacity, Schedule(found.makespan, start, finish))


@st.composite
def works(draw: st.DrawFn, most: int = 12) -> Work:
    capacity = {name: draw(st.integers(0, 2**34)) for name in ("agents", "memory", "cpu")[: draw(st.integers(0, 3))]}
    names = [f"t{i}" for i in range(draw(st.integers(0, most)))]
    activities = [
        Activity(
            name,
            draw(st.integers(0, 5000)),
            {n: draw(st.integers(0, c)) for n, c in capacity.items()},
            draw(st.lists(st.sampled_from(names[:i]), unique=True, max_size=3)) if i else [],
            draw(st.just(0) | st.integers(0, 3000)),
        )
        for i, name in enumerate(names)
    ]
    return Work(draw(st.permutations(activities)), capacity)


@few
@given(works())
@example(Work([Activity("a", 0, {})], {}))
def test_every_scheme_and_rule_makes_a_schedule_that_can_be_carried_out(work: Work) -> None:
    project = work.project()

    for rule in RULES.values():
        for found in (serial(project, listed(project, rule(project))), parallel(project, rule(project))):
            assert work.faults(found) == []
            assert found.makespan >= project.bound


@few
@given(works())
def test_improvement_makes_no_schedule_longer_and_keeps_it_sound(work: Work) -> None:
    project = work.project()
    first = serial(project, listed(project, RULES["SPT"](project)))

    found = justified(project, first)

    assert found.makespan <= first.makespan
    assert work.faults(found) == []


@few
@given(works())
def test_the_answer_is_sound_and_knows_whether_it_is_the_shortest(work: Work) -> None:
    found = improve(work.project())

    assert violations(work.activities, work.capacity, found.schedule) == []
    assert found.bound <= found.schedule.makespan
    assert found.proven == (found.bound == found.schedule.makespan)


@settings(max_examples=25)
@given(works(most=5))
def test_samples_find_the_shortest_schedule_of_a_few_activities(work: Work) -> None:
    project = work.project()
    ticks = count()

    found = improve(project, seconds=150, clock=lambda: next(ticks))

    if not any(project.release):  # the serial scheme reaches a shortest one from some order
        assert found.schedule.makespan == shortest(project)


def shortest(project: Project) -> int:
    def sound(order: tuple[int, ...]) -> bool:
        return all(order.index(need) < order.index(i) for i in order for need in project.before[i])

    return min(serial(project, order).makespan for order in permutations(range(len(project))) if sound(order))


def test_samples_are_the_same_for_the_same_seed() -> None:
    work = tight()

    def once(seed: int) -> Schedule:
        ticks = count()
        return improve(work.project(), 40, seed, lambda: next(ticks)).schedule

    assert once(3) == once(3)


def test_more_time_never_finds_a_longer_schedule() -> None:
    lengths: list[float] = []
    for budget in (0, 20, 200):
        ticks = count()
        lengths.append(improve(tight().project(), budget, clock=lambda t=ticks: next(t)).schedule.makespan)  # type: ignore[misc]

    assert lengths == sorted(lengths, reverse=True)


def tight() -> Work:
    """Forty activities on two scarce resources."""
    return Work(
        [
            Activity(f"t{i}", 3 + 7 * i % 11, {"a": 1 + i % 4, "b": i % 3}, [f"t{i - k}" for k in (3, 5) if i >= k])
            for i in range(40)
        ],
        {"a": 6, "b": 3},
    )


def test_a_long_duration_costs_no_more_than_a_short_one() -> None:
    year = Work([Activity(f"t{i}", 31_536_000, {"agents": 1}) for i in range(4)], {"agents": 2})

    assert improve(year.project()).schedule.makespan == 2 * 31_536_000


def at(**starts: float) -> Schedule:
    finish = {"a": starts["a"] + 4, "b": starts["b"] + 3}
    return Schedule(max(finish.values()), dict(starts), finish)


PAIR = [Activity("a", 4, {"agents": 2}), Activity("b", 3, {"agents": 2}, ["a"], release=5)]


@pytest.mark.parametrize(
    ("schedule", "fault"),
    [
        (at(a=0, b=3)._replace(makespan=6), "starts before 'a' has ended"),
        (at(a=0, b=4), "starts before its release"),
        (at(a=0, b=5)._replace(makespan=7), "not the last finish"),
        (at(a=0, b=5)._replace(finish={"a": 3, "b": 8}), "does not take its duration"),
        (at(a=5, b=5), "At 5, 4 of 'agents' are in use; there are 3"),
        (Schedule(4, {"a": 0}, {"a": 4}), "other activities"),
    ],
)
def test_the_checker_names_what_is_wrong(schedule: Schedule, fault: str) -> None:
    assert any(fault in told for told in violations(PAIR, {"agents": 3}, schedule))
    assert violations(PAIR, {"agents": 3}, at(a=0, b=5)) == []


@pytest.mark.parametrize(
    ("activities", "told"),
    [
        ([Activity("a", 1, {}, ["b"]), Activity("b", 1, {}, ["a"])], "circle: (a → b → a|b → a → b)"),
        ([Activity("a", 1, {}, ["x"])], "'x', which is not there"),
        ([Activity("a", 1, {}), Activity("a", 1, {})], "same name"),
        ([Activity("a", 1, {"agents": 4})], "asks for 4 of 'agents'; there are 3"),
        ([Activity("a", 1, {"gpu": 1})], "asks for 1 of 'gpu'; there are 0"),
        ([Activity("a", -1, {})], "-1 is not a whole number"),
        ([Activity("a", 1.5, {})], "1.5 is not a whole number"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_scheduled_is_refused_by_name(activities: list[Activity], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        Project(activities, {"agents": 3})
