"""Rows 41 to 49: measured, changed, measured again. Row 45 is in another file."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from stretto.state.errors import BadInput, NotFound
from stretto.state.subscription import Subscription
from stretto.state.wire import Event
from tests.commands.door import Project
from tests.commands.test_hub_tuning import gathered
from tests.expectations.scene import Scene, most_at_once, raw

REPORTS = [{"command": "/report", "topic": topic} for topic in ("one", "two", "three")]


def at(event: Event) -> float:
    return datetime.fromisoformat(event.timestamp).timestamp()


# ── 41 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_runs_a_figure_is_unknown(scene: Scene) -> None:
    reply = scene.line(41)

    assert reply.result["n"] == 0
    assert all(one["mean"] is None and one["n"] == 0 for one in reply.result["metrics"].values())
    assert reply.text.count("unknown") == 3


def test_the_baseline_is_three_metrics_of_twenty_runs_with_n_mean_and_interval(scene: Scene) -> None:
    scene.work_through("pre")

    found = scene.line(41).result

    assert (found["period"], found["n"]) == ("last_30_days", 20)
    assert set(found["metrics"]) == {"time", "utilisation", "efficiency"}
    for one in found["metrics"].values():
        assert one["n"] == 20
        assert one["low"] <= one["mean"] <= one["high"]
    ends = [e for e in scene.events() if e.type == "WORKFLOW_COMPLETED"]
    begins = {e.workflow_id: at(e) for e in scene.events(kind="WORKFLOW_CREATED")}
    assert found["metrics"]["time"]["mean"] == pytest.approx(fmean(at(e) - begins[e.workflow_id] for e in ends))


def test_runs_before_the_period_do_not_count(scene: Scene) -> None:
    scene.work_through("pre")
    scene.wait(31 * 86400)

    assert scene.line(41).result["n"] == 0


# ── 42 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def chosen(scene: Scene) -> Any:
    with scene.log() as log:
        return log.chosen("resources").value


def test_an_optimisation_prints_the_difference_of_settings(scene: Scene) -> None:
    scene.line(12)
    before = chosen(scene)
    reply = scene.line(42)

    difference = reply.result["difference"]
    assert difference["optimization_strategy"] == {"from": "adaptive", "to": "predictive_adaptive"}
    for name, change in difference.items():
        assert f"{name}: {change['from']} → {change['to']}" in reply.text
    assert chosen(scene) != before
    assert scene.told("RESOURCE_OPTIMIZED")["difference"] == difference


def test_undo_takes_it_back(scene: Scene) -> None:
    scene.line(12)
    before = chosen(scene)
    scene.line(42)

    scene.manager("optimize --undo")

    assert chosen(scene) == before
    with pytest.raises(NotFound):
        scene.manager("optimize --undo")


def test_the_target_chooses_the_weights_of_the_scheduler(scenes: Callable[[str], Scene]) -> None:
    found: dict[str, Any] = {}
    for target in ("total_time_with_quality", "throughput", "fairness"):
        one = scenes(target)
        one.say(raw(42).replace("total_time_with_quality", target))
        found[target] = one.manager("status").result["settings"]["scheduler"]

    assert found["total_time_with_quality"]["strict"] is True
    assert found["fairness"]["ageing"] > found["total_time_with_quality"]["ageing"] > found["throughput"]["ageing"]


# ── 43 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def paced(project: Project) -> Project:
    """Line 43 in a project of its own."""
    assert project.run("line", raw(43)).code == 0
    return project


def test_events_come_to_subscribers_in_twenties(paced: Project) -> None:
    first, *later = gathered(paced.store, [0.0] * 61)[0]

    assert first <= 20  # after a pause the first does not wait
    assert later[:2] == [20, 20]


def test_or_after_three_seconds(paced: Project) -> None:
    sizes, waits = gathered(paced.store, [0.0, 0.5, 0.0])

    assert sizes == [1, 2]
    assert 2.5 <= waits[1] < 10


def test_the_log_tells_of_each_batch_and_no_subscriber_is_handed_that(paced: Project) -> None:
    sizes = gathered(paced.store, [0.0] * 41)[0]

    told = [e for e in paced.events("system") if e.type == "BATCH_DELIVERED"]
    assert [e.data["events"] for e in told] == sizes
    assert 20 in sizes
    assert all(e.data["subscription"] == "mine" and e.data["seconds"] >= 0 for e in told)
    assert [e.data["first"] for e in told[1:]] > [e.data["last"] for e in told[:-1]]


WRITER = """
import os, signal, sys, time
from pathlib import Path
from stretto.state.log import Log
began = time.monotonic()
with Log.open(Path(sys.argv[1])) as log:
    with log.write() as tx:
        tx.event("PHASE_PROGRESS", "shop_001", "build", {"progress_percentage": 50})
    print(time.monotonic() - began, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_is_acknowledged_never_waits_for_a_batch_and_survives_a_crash_before_it(paced: Project) -> None:
    with Subscription.open(paced.store, "mine") as mine:
        done = subprocess.run(
            [sys.executable, "-c", WRITER, str(paced.store)], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == -signal.SIGKILL
        assert float(done.stdout) < 2.5  # less than a batch waits
        assert "PHASE_PROGRESS" in paced.types("shop_001")

        got: list[Event] = []
        mine.catch_up(got.extend)

    assert [e.type for e in got] == ["PHASE_PROGRESS"]


def size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def test_checkpoints_are_compressed_and_keep_again_only_what_changed(scene: Scene) -> None:
    scene.line(43)
    scene.create("shop_001")
    scene.settle()
    store = Path(scene.app.state)
    sizes = [size(store)]

    def kept(name: str) -> int:
        scene.hub(f"checkpoint shop_001 {name}")
        sizes.append(size(store))
        return sizes[-1] - sizes[-2]

    (scene.root / "text.txt").write_text("the same line again and again\n" * 70_000)
    assert kept("text") < 0.1 * (scene.root / "text.txt").stat().st_size
    for number in range(20):
        (scene.root / f"noise_{number}").write_bytes(os.urandom(50_000))
    assert kept("noise") > 20 * 50_000
    (scene.root / "noise_7").write_bytes(os.urandom(50_000))
    assert kept("one") < 3 * 50_000


# ── 44 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_the_next_subagents_decide_as_configured(scene: Scene) -> None:
    line = f"/subagents '{{\"phase\": \"look\"}}' '{json.dumps(REPORTS)}'"
    before = scene.say(line)
    assert "decision" not in before.result
    assert most_at_once(scene.events(before.workflow_id)) == 3

    scene.line(44)
    after = scene.say(line.replace("look", "look again"))

    assert (after.result["decision"]["mode"], after.result["decision"]["score"]) == ("batched", 50)
    assert "50 in all" in after.text
    assert most_at_once(scene.events(after.workflow_id)) == 2


# ── 46 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def runs(scene: Scene, count: int) -> None:
    """So many finished workflows, and one of the kind that is in its first phase and holds one agent."""
    for number in range(count):
        scene.past(f"old_{number:03d}", 1800, phases=("plan", "build", "check"), type="bug_fix")
    phases = ["plan", {"name": "build", "agents": 2}, {"name": "check", "agents": 1}, "tell"]
    scene.create("new_001", phases=phases, type="bug_fix", resource_requirements={"agents": 1})
    scene.settle()
    scene.hub("start new_001")


def test_below_a_confidence_of_eighty_percent_nothing_is_reserved(scene: Scene) -> None:
    runs(scene, 3)

    reply = scene.line(46)

    assert {one["state"] for one in reply.result["prefetched"]} == {"not sure enough"}
    assert all(one["confidence"] < 0.8 for one in reply.result["prefetched"])
    assert scene.events(kind="RESOURCE_RESERVED") == []


def test_from_there_on_the_next_two_phases_get_their_need_and_a_tenth_rounded_up(scene: Scene) -> None:
    runs(scene, 8)

    reply = scene.line(46)

    found = [(one["phase"], one["confidence"], one["need"], one["extra"]) for one in reply.result["prefetched"]]
    assert found == [("build", 0.8, 2, math.ceil(2 * 1.1) - 1), ("check", 0.8, 1, math.ceil(1 * 1.1) - 1)]
    assert "rounded up to whole agents" in reply.result["rounding"]
    assert [one.granted["agents"] for one in scene.live("new_001") if one.state == "reserved"] == [2, 1]


def test_what_is_not_used_is_released_and_the_share_that_was_used_is_told(scene: Scene) -> None:
    runs(scene, 8)
    scene.line(46)
    scene.wait(600)
    scene.hub("complete-phase new_001 plan")
    scene.hub("start-phase new_001 build")
    scene.wait(7200)

    rate = scene.line(46).result["hit_rate"]

    assert (rate["used"], rate["unused"], rate["share"]) == (1, 1, 0.5)
    assert [one for one in scene.live("new_001") if one.state == "reserved"] == []


# ── 47 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_failure_state_is_kept_every_fifteen_minutes(scene: Scene) -> None:
    found = scene.line(47).result["interval"]

    assert found["seconds"] == 15 * 60
    assert "no failure is on record" in found["why"]


def test_with_failures_the_interval_is_that_of_the_published_formula_within_its_bounds(scene: Scene) -> None:
    scene.create("shop_001", phases=["a"])
    scene.settle()
    scene.hub("start shop_001")
    scene.wait(20 * 3600)
    scene.hub("fail-phase shop_001 a", reason="timed out")
    scene.hub("pause shop_001")

    found = scene.line(47).result["interval"]

    costs = [e.data["seconds"] for e in scene.events(kind="CHECKPOINT_CREATED")]
    young = math.sqrt(2 * fmean(costs) * 20 * 3600)
    assert found["failures"] == 1
    assert found["between_failures"] == pytest.approx(20 * 3600, abs=5)
    assert found["seconds"] == pytest.approx(min(max(young, 900 / 4), 900 * 4), rel=0.01)
    assert 225 <= found["seconds"] <= 3600


def test_without_the_adjustment_it_is_the_base(scene: Scene) -> None:
    scene.create("shop_001", phases=["a"])
    scene.settle()
    scene.hub("start shop_001")
    scene.wait(3600)
    scene.hub("fail-phase shop_001 a", reason="timed out")

    found = scene.say(raw(47).replace('"risk_based_adjustment": true', '"risk_based_adjustment": false'))

    assert found.result["interval"]["seconds"] == 15 * 60


def test_a_running_workflow_is_kept_when_the_interval_is_over(scene: Scene) -> None:
    scene.create("shop_001", phases=["a", "b", "c"])
    scene.line(47)
    for phase, seconds in (("a", 10 * 60), ("b", 20 * 60)):
        scene.phases("shop_001", (phase, seconds))

    kinds = [(e.data["checkpoint_type"], e.data["name"]) for e in scene.events(kind="CHECKPOINT_CREATED")]
    assert kinds == [("phase_boundary", "pre_a"), ("phase_boundary", "pre_b"), ("interval", "at_b")]


# ── 48 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The workload on both sides of line 42; what is asked of it writes nothing."""
    scene = Scene(tmp_path_factory.mktemp("both") / "scene")
    scene.work_through("pre")
    scene.line(42)
    scene.work_through("post")
    return scene


def test_line_42_divides_the_periods_and_each_side_has_twenty_runs(both: Scene) -> None:
    (optimised,) = both.events(kind="RESOURCE_OPTIMIZED")

    found = both.say(raw(48) + " --explain").result

    assert found["n"] == {"baseline": 20, "current": 20}
    ends = {e.workflow_id: e.seq for e in both.events(kind="WORKFLOW_COMPLETED")}
    assert all(ends[name] < optimised.seq for name in found["explained_by"]["baseline"])
    assert all(ends[name] > optimised.seq for name in found["explained_by"]["current"])


def test_each_metric_has_n_intervals_a_test_and_the_change_relative_and_in_points(both: Scene) -> None:
    reply = both.line(48)

    found = reply.result["metrics"]
    assert set(found) == {"time", "agents", "utilisation", "quality", "reliability"}  # resources are two
    for one in found.values():
        assert one["baseline"]["n"] == one["current"]["n"] == 20
        assert one["low"] <= one["points"] <= one["high"]
        assert 0 <= one["p"] <= 1
        assert one["points"] == pytest.approx(one["current"]["mean"] - one["baseline"]["mean"])
        assert one["relative"] == pytest.approx(one["points"] / one["baseline"]["mean"])
    assert "points" in reply.text
    assert "relative" in reply.text


def test_a_label_that_is_no_period_is_an_error_that_lists_the_known_ones(both: Scene) -> None:
    for label in ("golden_age", "2001-01-01..2001-02-01"):
        with pytest.raises(BadInput) as refused:
            both.say(raw(48).replace("pre_optimization_period", label))
        assert (refused.value.exit_code, refused.value.field) == (2, "baseline")
        assert refused.value.allowed


def test_other_labels_are_periods_with_runs(both: Scene) -> None:
    found = both.say(raw(48).replace("pre_optimization_period", "last_7_days")).result

    assert found["n"] == {"baseline": 40, "current": 20}


def test_before_any_optimisation_there_is_nothing_to_compare(scene: Scene) -> None:
    scene.work_through("pre")

    with pytest.raises(BadInput) as refused:
        scene.line(48)

    assert refused.value.field == "baseline"


# ── 49 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def estimate(scene: Scene) -> float:
    reply = scene.progress("--workflow=next_001 --predictive-analysis")
    return float(reply.result["prediction"]["likely"])


def test_while_learning_is_on_the_estimate_moves_towards_what_is_seen(scene: Scene) -> None:
    for number in range(8):
        scene.past(f"old_{number}", 100)
    scene.line(49)
    scene.create("next_001", phases=["work"])
    scene.settle()
    seen = [estimate(scene)]
    for k in range(3):
        for number in range(6):
            scene.past(f"slow_{k}_{number}", 400)
        seen.append(estimate(scene))

    assert 80 < seen[0] < 130
    assert seen == sorted(seen)
    assert seen[-1] > 2 * seen[0]
    assert seen[-1] <= 400


def test_while_it_is_off_nothing_drifts(scene: Scene) -> None:
    for number in range(8):
        scene.past(f"old_{number}", 100)
    scene.say(raw(49).replace('"continuous"', '"off"'))
    scene.create("next_001", phases=["work"])
    scene.settle()
    first = estimate(scene)
    for number in range(8):
        scene.past(f"slow_{number}", 400)

    assert estimate(scene) == first
