"""A forecast says what it stands on, holds what it promises, and is unknown while there is too little."""

import math
import random
from collections.abc import Iterator
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.conformal import Conformal
from stretto.graph.forecast import ENOUGH, Forecast, Forecaster, Phase
from stretto.graph.outlook import Step, outlook
from stretto.graph.student import cdf, quantile
from stretto.state.errors import BadInput


def ends(found: Forecast) -> tuple[float, float, float]:
    assert found.low is not None
    assert found.likely is not None
    assert found.high is not None
    return found.low, found.likely, found.high


def stream(seed: int, count: int, noise: float = 0.7, drift: float = 1) -> Iterator[tuple[Phase, float]]:
    """Nine kinds whose medians differ, a size that is seen through a noisy hint."""
    chance = random.Random(seed)
    medians = [chance.gauss(math.log(240), 0.8) for _ in range(9)]
    for n in range(count):
        kind, size = chance.randrange(9), chance.gauss(0, 0.7)
        y = medians[kind] + size + chance.gauss(0, noise) + (math.log(drift) if n > count / 2 else 0)
        yield Phase(f"k{kind}", size=math.exp(size + chance.gauss(0, 0.5))), math.exp(y)


def learned(*times: float, **keys: str) -> Forecaster:
    forecaster = Forecaster()
    for seconds in times:
        forecaster.observe(Phase("test", **keys), seconds)  # type: ignore[arg-type]
    return forecaster


def test_nothing_is_forecast_from_too_little_and_the_reason_is_told() -> None:
    forecaster = learned(*[60.0] * (ENOUGH - 1))

    found = forecaster.forecast(Phase("test"))

    assert found == (None, None, None, 0.8, 4, "4 past phases, at least 5 are needed")
    assert outlook(forecaster, [Step("a", Phase("test"))], 2).likely is None
    assert forecaster.mean(Phase("test")) is None


def test_with_enough_the_interval_holds_the_median_and_names_its_basis() -> None:
    found = learned(50, 60, 70, 60, 55).forecast(Phase("test"))
    low, likely, high = ends(found)

    assert low < likely < high
    assert 50 < likely < 80
    assert found.basis == "5 past phases, 5 of them test; interval not yet calibrated"


def test_a_kind_never_seen_is_forecast_wider_than_a_known_one() -> None:
    forecaster = learned(*[60.0] * 30)

    known, unknown = ends(forecaster.forecast(Phase("test"))), ends(forecaster.forecast(Phase("review")))

    assert unknown[2] / unknown[0] > 2 * known[2] / known[0]


def test_a_kind_with_few_observations_is_drawn_to_the_others_and_with_many_is_not() -> None:
    def likely(times: int) -> float:
        forecaster = learned(*[60.0, 75.0] * 20)
        for _ in range(times):
            forecaster.observe(Phase("review"), 600)
        return ends(forecaster.forecast(Phase("review")))[1]

    assert 60 < likely(1) < 550
    assert likely(40) == pytest.approx(600, rel=0.05)


def test_a_project_that_is_slower_than_others_is_forecast_slower() -> None:
    forecaster = Forecaster()
    for n in range(20):
        forecaster.observe(Phase("test", "quick"), 50 + n)
        forecaster.observe(Phase("test", "slow"), 500 + n)

    quick, slow, new = (ends(forecaster.forecast(Phase("test", project)))[1] for project in ("quick", "slow", "new"))

    assert quick < 100 < new < slow
    assert slow > 350


def test_a_larger_size_takes_longer() -> None:
    forecaster = Forecaster()
    for n in range(1, 30):
        forecaster.observe(Phase("test", size=n), 10 * n)

    assert ends(forecaster.forecast(Phase("test", size=40)))[1] == pytest.approx(400, rel=0.25)
    assert ends(forecaster.forecast(Phase("test", size=2)))[1] == pytest.approx(20, rel=0.25)


def test_what_a_workflow_has_taken_so_far_tells_of_the_rest_of_it() -> None:
    forecaster = Forecaster()
    chance = random.Random(1)
    for n in range(60):
        factor = 4 if n % 2 else 1
        for kind in ("plan", "test", "review"):
            forecaster.observe(Phase(kind, workflow=f"w{n}"), 60 * factor * chance.lognormvariate(0, 0.1))
    for kind in ("plan", "test"):
        forecaster.observe(Phase(kind, workflow="slow"), 240)

    slow = ends(forecaster.forecast(Phase("review", workflow="slow")))
    fresh = ends(forecaster.forecast(Phase("review", workflow="fresh")))

    assert slow[1] > 1.5 * fresh[1]
    assert slow[2] / slow[0] < fresh[2] / fresh[0]


@pytest.mark.parametrize("elapsed", [1.0, 60.0, 100.0, 300.0, 5000.0])
@pytest.mark.parametrize("times", [2, 10, 40])
def test_what_runs_is_forecast_to_last_longer_than_it_has(elapsed: float, times: int) -> None:
    forecaster = learned(*[40.0, 60.0, 90.0] * times)

    low, likely, high = ends(forecaster.forecast(Phase("test", elapsed=elapsed)))

    assert elapsed <= low * (1 + 1e-6) < likely < high
    assert likely >= ends(forecaster.forecast(Phase("test")))[1] * (1 - 1e-6)


def test_one_that_was_ended_unfinished_counts_as_longer_than_it_ran() -> None:
    done, cut = learned(*[60.0] * 10), learned(*[60.0] * 10)

    done.observe(Phase("test"), 100)
    cut.observe(Phase("test"), 100, finished=False)

    assert ends(cut.forecast(Phase("test")))[1] > ends(done.forecast(Phase("test")))[1]
    assert cut.accuracy().n == done.accuracy().n - 1


@pytest.mark.parametrize("drift", [1, 1.6])
def test_four_of_five_fall_within_their_intervals_whether_durations_drift_or_not(drift: float) -> None:
    met: list[bool] = []
    errors: list[float] = []
    for seed in range(4):
        forecaster = Forecaster()
        for phase, seconds in stream(seed, 200, drift=drift):
            found = forecaster.forecast(phase)
            if found.low is not None:
                low, likely, high = ends(found)
                met.append(low <= seconds <= high)
                errors.append(math.log(likely / seconds))
            forecaster.observe(phase, seconds)

    assert 0.75 <= fmean(met) <= 0.85
    assert abs(math.exp(fmean(errors)) - 1) <= 0.1


def test_intervals_are_calibrated_where_the_model_is_wrong() -> None:
    """One in five takes twenty times as long: no lognormal distribution."""
    chance = random.Random(3)
    forecaster = Forecaster()
    met: list[bool] = []
    for n in range(400):
        seconds = chance.lognormvariate(4, 0.1) * (20 if chance.random() < 0.15 else 1)
        if n >= 100:
            low, _, high = ends(forecaster.forecast(Phase("test")))
            met.append(low <= seconds <= high)
        forecaster.observe(Phase("test"), seconds)

    assert 0.73 <= fmean(met) <= 0.88


def test_accuracy_is_unknown_until_enough_forecasts_came_to_be_known() -> None:
    assert learned(*[60.0] * 9).accuracy() == (4, None, None)

    found = learned(*[60.0] * 30).accuracy()

    assert found.n == 25
    assert found.coverage == 1
    assert found.bias == pytest.approx(0, abs=0.05)


def test_phases_one_after_the_other_add_up_and_beside_each_other_do_not() -> None:
    forecaster = learned(*[60.0] * 200)
    chain = [Step(f"s{n}", Phase("test"), (f"s{n - 1}",)) for n in range(4)]
    beside = [step._replace(needs=()) for step in chain]

    assert ends(outlook(forecaster, chain, 4))[1] == pytest.approx(240, rel=0.1)
    assert ends(outlook(forecaster, beside, 4))[1] == pytest.approx(60, rel=0.2)
    assert ends(outlook(forecaster, beside, 2))[1] == pytest.approx(120, rel=0.2)
    assert ends(outlook(forecaster, beside, 1))[1] == pytest.approx(240, rel=0.1)


def test_what_has_run_for_a_while_needs_less_from_now() -> None:
    forecaster = learned(*[100.0, 110.0, 90.0] * 20)
    fresh = [Step("a", Phase("test"))]
    half = [Step("a", Phase("test", elapsed=60.0))]

    assert ends(outlook(forecaster, half, 1))[1] < 0.6 * ends(outlook(forecaster, fresh, 1))[1]


def test_phases_of_one_workflow_go_wrong_together_so_that_its_sum_is_less_certain() -> None:
    forecaster = Forecaster()
    chance = random.Random(2)
    for n in range(80):
        factor = chance.lognormvariate(0, 0.8)
        for _ in range(3):
            forecaster.observe(Phase("test", workflow=f"w{n}"), 60 * factor * chance.lognormvariate(0, 0.2))
    together = [Step(f"s{n}", Phase("test", workflow="new"), (f"s{n - 1}",)) for n in range(6)]
    apart = [step._replace(phase=Phase("test", workflow=step.name)) for step in together]

    one, other = ends(outlook(forecaster, together, 1)), ends(outlook(forecaster, apart, 1))

    assert one[2] / one[0] > 1.3 * other[2] / other[0]


def test_an_outlook_is_the_same_for_the_same_question() -> None:
    steps = [Step("a", Phase("test")), Step("b", Phase("review", elapsed=5), ("a",))]

    assert outlook(learned(*[60.0] * 9), steps, 2) == outlook(learned(*[60.0] * 9), steps, 2)


def test_nothing_left_to_do_takes_no_time() -> None:
    assert ends(outlook(learned(*[60.0] * 9), [], 2)) == (0, 0, 0)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_what_is_no_duration_or_size_is_refused(value: float) -> None:
    with pytest.raises(BadInput, match="positive"):
        Forecaster().observe(Phase("test"), value)
    with pytest.raises(BadInput, match="positive"):
        learned(*[60.0] * 9).forecast(Phase("test", size=value))


@pytest.mark.parametrize(("df", "p", "x"), [(3, 0.975, 3.182446), (4, 0.9, 1.533206), (10, 0.995, 3.169273)])
def test_quantiles_of_the_t_distribution_are_those_of_the_tables(df: float, p: float, x: float) -> None:
    assert quantile(p, df) == pytest.approx(x, abs=1e-5)
    assert quantile(1 - p, df) == pytest.approx(-x, abs=1e-5)
    assert cdf(x, df) == pytest.approx(p, abs=1e-6)


@given(st.floats(1e-6, 1 - 1e-6), st.floats(3, 500))
def test_quantiles_and_probabilities_are_each_others_inverse(p: float, df: float) -> None:
    assert cdf(quantile(p, df), df) == pytest.approx(p, abs=1e-7)


@given(st.lists(st.floats(-50, 50), min_size=12, max_size=130), st.floats(0.001, 0.999), st.floats(0.001, 0.999))
def test_a_higher_share_has_no_lower_quantile(scores: list[float], p: float, q: float) -> None:
    window = Conformal()
    for score in scores:
        window.add(score)

    low, high = (window.quantile(share, lambda s: quantile(s, 5)) for share in sorted((p, q)))

    assert len(window) == min(100, len(scores))
    assert low <= high + 1e-9
