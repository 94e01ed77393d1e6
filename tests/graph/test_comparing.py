"""Comparing two ways: intervals and the test against published values, and against what they promise."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.comparing import Pairs, difference, mcnemar, mean, pairs_of, ratio, share

COUNTS = st.integers(0, 12)


def test_wilson_s_interval_is_that_of_the_books() -> None:
    found = share(8, 10)
    edge = share(0, 10)

    assert found
    assert edge
    assert found == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert edge == pytest.approx((0.0, 0.0, 0.2775), abs=1e-4)
    assert share(0, 0) is None


@given(st.integers(1, 60), st.data())
def test_a_share_lies_in_its_interval(total: int, data: st.DataObject) -> None:
    found = share(data.draw(st.integers(0, total)), total)

    assert found
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_a_difference_lies_in_its_interval_and_turns_with_its_sign(a: int, b: int, c: int, d: int) -> None:
    found, turned = difference(Pairs(a, b, c, d)), difference(Pairs(a, c, b, d))

    if a + b + c + d == 0:
        assert found is turned is None
        return
    assert found
    assert turned
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert (turned.value, turned.low, turned.high) == pytest.approx((-found.value, -found.high, -found.low))


def test_the_interval_of_a_difference_holds_the_truth_as_often_as_it_says() -> None:
    """2,000 draws of 30 pairs with a true difference of 0.15, and with correlation."""
    rng = random.Random(7)
    kinds = ((True, True), (True, False), (False, True), (False, False))
    held = 0
    for _ in range(2_000):
        found = difference(pairs_of(rng.choices(kinds, (0.45, 0.25, 0.10, 0.20), k=30)))
        assert found
        held += found.low <= 0.15 <= found.high

    assert 0.93 <= held / 2_000 <= 0.98


def test_mcnemar_s_test_is_exact() -> None:
    assert mcnemar(Pairs(5, 9, 1, 3)) == pytest.approx(22 / 1024)
    assert mcnemar(Pairs(5, 1, 9, 3)) == pytest.approx(22 / 1024)
    assert mcnemar(Pairs(5, 0, 0, 3)) == 1
    assert mcnemar(Pairs(0, 2, 2, 0)) == 1


def test_a_ratio_is_of_the_sums_and_few_pairs_give_none() -> None:
    found = ratio([(2.0, 1.0)] * 6)

    assert found == (2.0, 2.0, 2.0)
    assert ratio([(2.0, 1.0)] * 4) is None
    assert ratio([(1.0, 0.0)] * 6) is None
    wide = ratio([(float(n), 2.0) for n in range(1, 9)])
    assert wide
    assert wide.low < wide.value < wide.high
    assert ratio([(float(n), 2.0) for n in range(1, 9)]) == wide  # seeded


def test_a_mean_of_few_has_no_interval() -> None:
    assert mean([1, 2, 3, 4]) is None
    found = mean([1, 2, 3, 4, 5])
    assert found
    assert found.value == 3
    assert found.low < 3 < found.high
