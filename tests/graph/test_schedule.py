"""A schedule never uses a slot that is not there, never starts a task early, and never beats arithmetic."""

import math
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.schedule import Schedule, simulate, tails, waves
from stretto.state.errors import BadInput


class Work(NamedTuple):
    durations: dict[str, float]
    depends: dict[str, list[str]]
    slots: int

    @property
    def critical(self) -> float:
        return max(tails(self.durations, self.depends).values())


@st.composite
def works(draw: st.DrawFn) -> Work:
    names = [f"t{i}" for i in range(draw(st.integers(1, 14)))]
    durations = {n: float(draw(st.integers(0, 20))) for n in names}
    depends = {n: draw(st.lists(st.sampled_from(names[:i]), unique=True, max_size=3)) for i, n in enumerate(names) if i}
    return Work(durations, depends, draw(st.integers(1, 5)))


def busiest(schedule: Schedule) -> int:
    """The most tasks that run at one instant; those without a duration take no slot for any time."""
    spans = [(schedule.start[n], schedule.finish[n]) for n in schedule.start if schedule.finish[n] > schedule.start[n]]
    return max((sum(s <= at < f for s, f in spans) for at, _ in spans), default=0)


@given(works())
def test_every_task_runs_once_after_its_dependencies_on_the_slots_there_are(work: Work) -> None:
    for schedule in (simulate(*work), waves(*work)):
        assert schedule.start.keys() == schedule.finish.keys() == work.durations.keys()
        assert all(schedule.finish[n] == schedule.start[n] + d for n, d in work.durations.items())
        assert all(schedule.start[n] >= schedule.finish[d] for n, needs in work.depends.items() for d in needs)
        assert busiest(schedule) <= work.slots


@given(works())
def test_the_makespan_lies_between_the_bounds_of_arithmetic_and_of_graham(work: Work) -> None:
    total = sum(work.durations.values())
    makespan = simulate(*work).makespan

    assert makespan >= max(work.critical, total / work.slots) - 1e-9
    assert makespan <= total / work.slots + (1 - 1 / work.slots) * work.critical + 1e-9
    assert makespan == max(simulate(*work).finish.values())


@given(works())
def test_with_a_slot_for_every_task_the_critical_path_is_the_makespan(work: Work) -> None:
    assert simulate(work.durations, work.depends, 50).makespan == work.critical


@given(works())
def test_no_slot_idles_while_a_task_is_ready(work: Work) -> None:
    schedule = simulate(*work)

    for name, start in schedule.start.items():
        free = max((schedule.finish[d] for d in work.depends.get(name, [])), default=0.0)
        spans = [(schedule.start[n], schedule.finish[n]) for n in work.durations]
        for at in {free, *(f for _, f in spans)}:
            if free <= at < start:
                assert sum(s <= at < f for s, f in spans) == work.slots


def test_the_longest_tail_goes_first() -> None:
    durations = {"short": 1.0, "head": 1.0, "long": 9.0}

    schedule = simulate(durations, {"long": ["head"]}, 1)

    assert schedule.start == {"head": 0.0, "long": 1.0, "short": 10.0}
    assert tails(durations, {"long": ["head"]}) == {"short": 1.0, "head": 10.0, "long": 9.0}


def test_a_given_priority_overrides_the_tails() -> None:
    schedule = simulate({"a": 5.0, "b": 1.0}, {}, 1, priority={"b": 2.0, "a": 1.0})

    assert schedule.start == {"b": 0.0, "a": 1.0}


def test_tasks_that_end_together_free_their_followers_before_a_choice_is_made() -> None:
    durations = {"one": 1.0, "two": 1.0, "light": 1.0, "heavy": 5.0, "heavier": 6.0}

    schedule = simulate(durations, {"light": ["one"], "heavy": ["two"], "heavier": ["two"]}, 2)

    assert schedule.start == {"one": 0.0, "two": 0.0, "heavier": 1.0, "heavy": 1.0, "light": 6.0}


def test_waves_wait_for_unrelated_siblings_and_the_simulation_does_not() -> None:
    durations = {"slow": 10.0, "quick": 1.0, "after_quick": 9.0}
    depends = {"after_quick": ["quick"]}

    assert waves(durations, depends, 2).makespan == 19.0
    assert simulate(durations, depends, 2).makespan == 10.0


def test_nothing_to_do_takes_no_time() -> None:
    assert simulate({}, {}, 1) == waves({}, {}, 1) == Schedule(0.0, {}, {})


@pytest.mark.parametrize("duration", [-1.0, math.nan, math.inf])
def test_what_is_no_duration_is_refused_by_task(duration: float) -> None:
    with pytest.raises(BadInput, match="'a'"):
        simulate({"a": duration}, {}, 1)


def test_a_circle_an_unknown_task_and_no_slot_are_refused() -> None:
    with pytest.raises(BadInput, match="a → b → a"):
        simulate({"a": 1.0, "b": 1.0}, {"a": ["b"], "b": ["a"]}, 1)
    with pytest.raises(BadInput, match="'ghost'"):
        waves({"a": 1.0}, {"a": ["ghost"]}, 1)
    with pytest.raises(BadInput, match="slots"):
        simulate({"a": 1.0}, {}, 0)
