"""/performance-monitor: figures that anybody can count again, and tests that are right as often as they say."""

import math
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stretto.commands.reply import Reply
from stretto.graph.metrics import compare, mean
from stretto.graph.regression import regressions
from stretto.state.errors import BadInput, NotFound
from tests.commands.clocked import Clocked


@pytest.fixture
def world(tmp_path: Path) -> Clocked:
    return Clocked(tmp_path)


def ask(world: Clocked, *args: str, **body: Any) -> Reply:
    return world.run("performance-monitor", *args, **body)


def run_one(world: Clocked, name: str, seconds: float, waits: float = 0.0, fails: bool = False) -> None:
    """A workflow of two agents that waits before its phase begins, and may fail once on its way."""
    world.hub("create", name, type="feature", phases=["work"], resource_requirements={"agents": 2})
    world.now += waits
    world.hub("start", name)
    world.now += seconds
    if fails:
        world.hub("fail-phase", name, "work", reason="no")
        world.hub("start-phase", name, "work")
    world.hub("complete-phase", name, "work")
    world.hub("complete", name)


def test_figures_are_unknown_before_anything_ran(world: Clocked) -> None:
    assert ask(world, "allocation-efficiency").result["efficiency"] is None
    found = ask(world, "benchmark")
    assert found.result["n"] == 0
    assert found.result["metrics"]["time"]["mean"] is None
    assert "time: unknown" in found.text
    assert not Path(world.app.state).exists()


def test_each_metric_is_what_its_definition_says(world: Clocked) -> None:
    run_one(world, "a_001", 90, waits=10)
    run_one(world, "b_002", 60, waits=40, fails=True)

    found = {name: m["mean"] for name, m in ask(world, "benchmark").result["metrics"].items()}

    assert found == {
        "time": 100,
        "agents": pytest.approx(2),
        "utilisation": pytest.approx((0.9 + 0.6) / 2),
        "efficiency": pytest.approx((0.9 + 0.6) / 2),
        "quality": pytest.approx(0.5),
        "reliability": pytest.approx(0.5),
    }


def test_the_events_behind_one_figure_are_listed(world: Clocked) -> None:
    run_one(world, "a_001", 90, fails=True)
    ends = [e.event_id for e in world.events("a_001") if e.type in ("WORKFLOW_CREATED", "WORKFLOW_COMPLETED")]
    (failed,) = [e.event_id for e in world.events("a_001") if e.type == "PHASE_FAILED"]

    told = ask(world, "benchmark", "--explain=time")
    assert told.result["explained_by"] == {"a_001": ends}
    assert f"time of a_001 is counted from {', '.join(ends)}" in told.text
    assert failed in ask(world, "benchmark", "--explain", "reliability").result["explained_by"]["a_001"]

    every = ask(world, "benchmark", "--explain", metrics=["time"])
    assert {*ends, failed} <= {*every.result["explained_by"]["a_001"]}
    assert f"{len(every.result['explained_by']['a_001'])} events; --explain=METRIC" in every.text

    with pytest.raises(BadInput) as refused:
        ask(world, "benchmark", "--explain=beauty")
    assert (refused.value.field, "time" in refused.value.allowed) == ("--explain", True)
    with pytest.raises(BadInput):
        ask(world, "allocation-efficiency", "a_001", "--explain=time")


def test_the_share_of_what_one_held_is_told_with_or_without_the_prefix(world: Clocked) -> None:
    run_one(world, "complex_feature_001", 60, waits=20)

    for name in ("complex_feature_001", "workflow_complex_feature_001"):
        found = ask(world, "allocation-efficiency", name, "--explain").result
        assert found["efficiency"] == pytest.approx(0.75)
        assert set(found["events"]) <= {e.event_id for e in world.events()}
    with pytest.raises(NotFound):
        ask(world, "allocation-efficiency", "nobody_001")


def test_what_changed_at_an_optimisation_is_measured_on_both_sides(world: Clocked) -> None:
    for i in range(8):
        run_one(world, f"before_{i:03d}", 100 + i)
    with world.log() as log:
        directory = log.directory
    from stretto.state.log import Log

    with Log.open(directory, durability="process", clock=world.app.clock) as log, log.write() as tx:
        tx.event("RESOURCE_OPTIMIZED", "system", "coordination", {"optimization_type": "x", "improvement_metrics": {}})
    for i in range(8):
        run_one(world, f"after_{i:03d}", 70 + i)

    found = ask(world, "compare-optimization", baseline="pre_optimization_period", current="post_optimization_period")
    change = found.result["metrics"]["time"]

    assert found.result["n"] == {"baseline": 8, "current": 8}
    assert change["points"] == pytest.approx(-30)
    assert change["relative"] == pytest.approx(-30 / 103.5)
    assert (change["significant"], found.result["metrics"]["quality"]["p"]) == (True, 1.0)
    assert change["low"] < -30 < change["high"]


def test_a_label_without_runs_is_refused_and_the_known_ones_are_named(world: Clocked) -> None:
    run_one(world, "a_001", 10)

    for body, field in (
        ({"baseline": "pre_optimization_period", "current": "all"}, "baseline"),
        ({"baseline": "last_century", "current": "all"}, "baseline"),
        ({"baseline": "2001-01-01..2001-02-01", "current": "all"}, "baseline"),
        ({"baseline": "all"}, "current"),
    ):
        with pytest.raises(BadInput) as refused:
            ask(world, "compare-optimization", **body)
        assert refused.value.field == field
        assert refused.value.allowed


def test_a_mean_has_an_interval_that_holds_the_truth_as_often_as_it_says() -> None:
    chance = random.Random(1)
    held = 0
    for _ in range(2000):
        found = mean([chance.gauss(5, 2) for _ in range(8)])
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 5 <= found.high
    assert 0.935 <= held / 2000 <= 0.965


def test_two_like_sets_differ_as_seldom_and_a_planted_change_is_found_as_often_as_it_should() -> None:
    chance = random.Random(2)

    def alarms(shift: float) -> float:
        found = 0
        for _ in range(1000):
            one = [chance.gauss(100, 10) for _ in range(20)]
            two = [chance.gauss(100 + shift, 10) for _ in range(20)]
            p = compare(one, two).p
            assert p is not None
            found += p < 0.05
        return found / 1000

    assert 0.03 <= alarms(0) <= 0.07
    assert alarms(10) >= 0.83


def drawn(chance: random.Random, n: int, slower: float = 1.0) -> dict[str, list[float | None]]:
    """Metrics of `n` workflows: times as skewed as real ones, shares, and now and then a failure."""
    return {
        "time": [chance.lognormvariate(4, 0.5) * slower for _ in range(n)],
        "agents": [chance.lognormvariate(1, 0.3) for _ in range(n)],
        "utilisation": [chance.betavariate(8, 2) for _ in range(n)],
        "quality": [chance.betavariate(9, 1) for _ in range(n)],
        "reliability": [float(chance.random() < 0.9) for _ in range(n)],
    }


def test_where_nothing_changed_any_alarm_at_all_is_as_seldom_as_it_says() -> None:
    chance = random.Random(3)
    looks = [regressions(drawn(chance, 25), drawn(chance, 25), 0.05) for _ in range(1000)]
    assert sum(any(one.regressed for one in look) for look in looks) / 1000 <= 0.06


def test_what_is_told_as_noticeable_is_noticed_four_times_in_five() -> None:
    chance = random.Random(4)
    wanted = ("time",)
    reach: list[float] = []
    for _ in range(200):
        before, after = ({n: drawn(chance, 25)[n] for n in wanted} for _ in range(2))
        (one,) = regressions(before, after)
        assert one.noticeable is not None
        reach.append(one.noticeable)
    slower = 1 + sum(reach) / len(reach)

    found = 0
    for _ in range(1000):
        before, after = ({n: drawn(chance, 25, by)[n] for n in wanted} for by in (1.0, slower))
        found += regressions(before, after)[0].regressed is True
    assert 0.75 <= found / 1000 <= 0.87


def test_better_is_no_regression() -> None:
    chance = random.Random(5)
    assert not any(one.regressed for one in regressions(drawn(chance, 30), drawn(chance, 30, slower=0.2)))


def test_a_slower_week_is_told_with_its_slowest_workflows(world: Clocked) -> None:
    for i in range(8):
        run_one(world, f"then_{i:03d}", 100 + i)
    world.now += 20 * 86400
    for i in range(8):
        run_one(world, f"now_{i:03d}", 150 + i)
    first, last = (world.now - 25 * 86400, world.now - 10 * 86400)
    days = "..".join(datetime.fromtimestamp(at, UTC).date().isoformat() for at in (first, last))

    found = ask(world, "regression", baseline=days, current="last_7_days", metrics=["time", "quality"])

    assert found.result["regressed"] == ["time"]
    assert found.result["slowest"] == ["now_007", "now_006", "now_005"]
    assert found.result["metrics"]["time"]["worse"] == pytest.approx(0.483, abs=0.01)
    assert "time: REGRESSED" in found.text
    assert found.result["metrics"]["quality"]["regressed"] is False


def test_nothing_is_tested_with_too_little() -> None:
    found = compare([1.0, 2.0, 3.0], [4.0, 5.0, None])

    assert (found.p, found.baseline.low, found.current.n) == (None, None, 2)
    assert found.points == 2.5
    assert math.isclose(found.relative or 0, 1.25)


def test_a_tracked_workflow_writes_its_figures_down_until_it_is_not(world: Clocked) -> None:
    world.hub("create", "a_001", phases=["x", "y", "z"])
    ask(world, "a_001", "--track-state")
    world.hub("start-phase", "a_001", "1")
    world.now += 60
    world.hub("complete-phase", "a_001", "1")
    assert world.told("METRICS_RECORDED")["metrics"]["seconds"] == pytest.approx(60)
    assert world.types().count("METRICS_RECORDED") == 2

    ask(world, "a_001", "--no-track-state")
    world.hub("start-phase", "a_001", "2")
    assert world.types().count("METRICS_RECORDED") == 2


def test_adaptive_tracking_writes_only_what_changed(world: Clocked) -> None:
    world.hub("create", "a_001", phases=["x", "y"])
    ask(world, "a_001", "--track-state", "--optimization=adaptive")
    world.hub("start-phase", "a_001", "1")
    world.now += 1000
    world.hub("complete-phase", "a_001", "1")
    before = world.types().count("METRICS_RECORDED")

    world.now += 1
    world.hub("start-phase", "a_001", "2")

    assert world.types().count("METRICS_RECORDED") == before


def test_a_workflow_may_be_tracked_from_its_creation(world: Clocked) -> None:
    world.hub("create", "a_001", monitoring={"performance": True, "resources": True})
    world.hub("create", "b_002", monitoring={"dependencies": True})
    for name in ("a_001", "b_002"):
        world.hub("start", name)

    assert [e.workflow_id for e in world.events() if e.type == "METRICS_RECORDED"] == ["a_001"]


def test_nothing_is_forecast_while_that_is_disabled(world: Clocked) -> None:
    for i in range(8):
        world.workflow(f"old_{i}", 100)
    world.hub("create", "next_001", phases=["work"])
    for word, known in (("disabled", False), ("enabled", True)):
        ask(world, "enable-learning", performance_prediction=word)
        left = world.run("progress-aggregator", "--workflow=next_001", "--predictive-analysis").result["prediction"]
        assert (left["likely"] is not None) == known


def test_in_test_mode_every_workflow_is_tracked(world: Clocked) -> None:
    ask(world, "test-mode", detailed_tracking=True)
    world.hub("create", "a_001")
    world.hub("start", "a_001")

    assert "METRICS_RECORDED" in world.types("a_001")


def test_forecasts_move_while_learning_is_on_and_stay_while_it_is_off(world: Clocked) -> None:
    def forecast() -> float:
        reply = world.run("progress-aggregator", "--workflow=next_001", "--predictive-analysis")
        return float(reply.result["prediction"]["likely"])

    for i in range(8):
        world.workflow(f"old_{i}", 100)
    world.hub("create", "next_001", phases=["work"])
    first = forecast()
    ask(world, "enable-learning", adaptive_tuning="off")
    for i in range(8):
        world.workflow(f"slow_{i}", 400)
    assert forecast() == pytest.approx(first)

    ask(world, "enable-learning", adaptive_tuning="continuous")
    for i in range(8):
        world.workflow(f"slower_{i}", 400)
    assert forecast() > first * 1.3


@pytest.mark.parametrize(
    ("args", "body", "field"),
    [
        (("benchmark",), {"metrics": ["beauty"]}, "metrics[0]"),
        (("benchmark",), {"baseline_period": "soon"}, "baseline_period"),
        (("benchmark",), {"complexity": "extreme"}, "complexity"),
        (("benchmark",), {"color": 1}, "color"),
        (("recommendations",), {"depth": 1}, "depth"),
        (("test-mode",), {"detailed_tracking": "yes"}, "detailed_tracking"),
        (("enable-learning",), {"adaptive_tuning": "wild"}, "adaptive_tuning"),
        (("enable-learning",), {"optimization_sharing": False}, "optimization_sharing"),
        (("test-mode",), {"integration_metrics": False}, "integration_metrics"),
        (("predictions",), {}, "operation"),
        (("benchmark", "--track-state"), {}, "--track-state"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field_and_nothing_is_written(
    world: Clocked, args: tuple[str, ...], body: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        ask(world, *args, **body)

    assert refused.value.field == field
    assert not Path(world.app.state).exists()
