"""The reducers: a replayed or reordered update leaves the state as it was."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.channels import better, empty, generation, highest, merge, step_key

outcomes = st.fixed_dictionaries(
    {"status": st.sampled_from(["completed", "failed", "partial", "passed"])},
    optional={"summary": st.text(max_size=5), "tries": st.integers(0, 5)},
)
updates = st.dictionaries(st.sampled_from("abcd"), outcomes | st.lists(st.integers(), max_size=3), max_size=4)


@given(updates, updates)
def test_two_updates_merge_the_same_in_either_order(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert merge(one, two) == merge(two, one)


@given(updates, updates, updates)
def test_three_updates_merge_the_same_however_they_are_grouped(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


@given(updates, updates)
def test_an_update_that_arrives_twice_changes_nothing(one: dict[str, Any], two: dict[str, Any]) -> None:
    once = merge(one, two)

    assert merge(once, two) == once
    assert merge(once, one) == once


@given(outcomes, outcomes)
def test_what_is_completed_is_never_replaced_by_what_is_not(one: dict[str, Any], two: dict[str, Any]) -> None:
    kept = better(one, two)

    if "completed" in {one["status"], two["status"]}:
        assert kept["status"] in {"completed", "passed"}


def test_of_two_failures_the_one_of_the_later_try_is_kept() -> None:
    old = {"status": "failed", "why": "zzz", "tries": 1}
    new = {"status": "failed", "why": "aaa", "tries": 2}

    assert better(old, new) == better(new, old) == new


def test_counters_only_rise() -> None:
    assert highest(2, 1) == highest(1, 2) == 2


def test_a_debug_round_makes_the_next_generation_of_the_phases_it_repeats() -> None:
    state = {**empty(), "rounds": 1}

    assert [generation(kind, state) for kind in ("implement", "test", "debug")] == [2, 2, 2]  # type: ignore[arg-type]
    assert [generation(kind, state) for kind in ("research", "plan", "document")] == [1, 1, 1]  # type: ignore[arg-type]
    assert step_key("testing", 2) == "testing~2"
