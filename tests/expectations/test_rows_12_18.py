"""Rows 12 to 18: settings, what is predicted and how that turns out, progress of several workflows together."""

import json
from collections.abc import Callable
from operator import itemgetter
from statistics import median
from typing import Any

import pytest

from stretto.state.errors import BadInput
from tests.expectations.scene import Scene, raw

GIB = 1024**3
FEATURE = "feature_development"


def allocate(scene: Scene, name: str = "complex_feature_001", **context: Any) -> dict[str, Any]:
    """Line 13 under another id, with other named inputs."""
    body: dict[str, Any] = json.loads(raw(13).partition("'")[2].rstrip("'"))
    return dict(scene.manager("allocate", **{**body, "workflow_id": name, "prediction_context": context}).result)


def history(scene: Scene, *seconds: float, name: str = "feature", agents: int = 2) -> None:
    for number, lasts in enumerate(seconds, 1):
        needs = {"agents": agents, "memory": "1GB"}
        scene.past(f"{name}_{number:03d}", lasts, type=FEATURE, resource_requirements=needs)


# ── 12 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_settings_are_echoed_versioned_and_shown_by_the_status(scene: Scene) -> None:
    reply = scene.line(12)

    chosen = {
        "prediction_mode": "enabled",
        "learning_data": "historical_workflows",
        "optimization_strategy": "adaptive",
        "conflict_prevention": "proactive",
    }
    assert reply.result["settings"] == {"version": 1, **chosen}
    assert scene.told("SETTINGS_CHANGED")["value"] == chosen
    shown = scene.manager("status").result["settings"]
    assert {**{name: shown[name] for name in chosen}, "learning_data": shown["learning_data"]["set"]} == chosen
    assert shown["version"] == 1


def test_the_same_settings_again_are_no_new_version_and_others_are(scene: Scene) -> None:
    scene.line(12)
    assert scene.line(12).events == ()

    other = scene.manager("configure", conflict_prevention="disabled")

    assert other.result["settings"]["version"] == 2
    assert scene.told("SETTINGS_CHANGED")["before"]["conflict_prevention"] == "proactive"


def test_what_it_learns_from_is_a_set_of_finished_workflows_or_empty(scene: Scene) -> None:
    assert scene.line(12).result["learning"] == {"set": "historical_workflows", "n": 0, "workflows": []}
    assert "is empty" in scene.line(12).text

    history(scene, 600, 700)

    assert scene.line(12).result["learning"]["workflows"] == ["feature_001", "feature_002"]


@pytest.mark.parametrize(
    ("body", "field"),
    [({"prediction_mode": "sometimes"}, "prediction_mode"), ({"prediction": "enabled"}, "prediction"), ({}, "json")],
)
def test_an_unknown_key_or_value_is_an_error_and_nothing_is_written(
    scene: Scene, body: dict[str, Any], field: str
) -> None:
    before = scene.last_seq()

    with pytest.raises(BadInput) as refused:
        scene.manager("configure", **body)

    assert (refused.value.exit_code, refused.value.field) == (2, field)
    assert scene.last_seq() == before


# ── 13 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_history_the_defaults_of_the_type_have_confidence_0_and_say_so(scene: Scene) -> None:
    reply = scene.line(13)

    found = reply.result["prediction"]
    assert (found["agents"], found["n"], found["confidence"]) == (6, 0, 0)
    assert "no finished workflow of this type: defaults of the type, confidence 0" in reply.text
    empty = "empty: nothing of it is stored"
    assert found["inputs"] == {
        "similar_workflows": {"auth_feature": empty, "payment_integration": empty},
        "team_performance": empty,
        "system_load": empty,
    }


def test_with_history_quantities_come_from_it_with_an_interval_and_n(scene: Scene) -> None:
    history(scene, 600, 700, 800, 900, 1000, 1100)

    found = scene.line(13).result["prediction"]

    assert (found["agents"], found["memory"], found["n"]) == (2, GIB, 6)
    assert found["low"] < found["seconds"] < found["high"]
    assert 0 < found["confidence"] < 1


def test_named_inputs_are_stored_records(scene: Scene) -> None:
    history(scene, 600, 600, 600)
    history(scene, 6000, 6000, name="auth_feature")
    scene.manager("allocate busy_001 --agents=1 --specialization=test")

    inputs = scene.line(13).result["prediction"]["inputs"]

    assert inputs["similar_workflows"]["auth_feature"] == ["auth_feature_001", "auth_feature_002"]
    assert set(inputs["team_performance"]["records"]) <= {e.workflow_id for e in scene.events()}
    assert inputs["system_load"]["records"] == ["alloc_busy_001_1"]


def test_other_similar_workflows_make_another_answer(scenes: Callable[[str], Scene]) -> None:
    found: list[float] = []
    for similar in (["auth_feature"], ["payment_integration"]):
        one = scenes(similar[0])
        history(one, 600, 600, 600)
        history(one, 6000, 6000, name="auth_feature")
        found.append(allocate(one, similar_workflows=similar)["prediction"]["seconds"])

    assert found[0] > found[1]


def test_a_slower_team_makes_another_answer(scene: Scene) -> None:
    history(scene, *[600.0] * 12)
    history(scene, *[900.0] * 10, name="late")

    slow = allocate(scene, "one_001", team_performance="current_team_metrics")
    plain = allocate(scene, "two_002", team_performance="none")

    assert slow["prediction"]["seconds"] > plain["prediction"]["seconds"]


def test_a_load_makes_another_answer(scene: Scene) -> None:
    history(scene, *[600.0] * 6)
    scene.manager("allocate", workflow_id="all_001", resources={"agents": 4, "duration": "10h"})

    loaded = allocate(scene, "one_001", system_load="current_utilization")
    plain = allocate(scene, "two_002", system_load="none")

    assert loaded["deadline"]["completes_in"] > plain["deadline"]["completes_in"]


def test_the_deadline_is_met_or_not_by_the_scheduler(scene: Scene) -> None:
    assert scene.line(13).result["deadline"]["feasible"] is False
    scene.manager("release complex_feature_001")
    history(scene, 600, 700, 800, 900, 1000)

    found = allocate(scene, "two_002")

    assert found["deadline"]["feasible"] is True
    assert found["deadline"]["completes_in"] <= found["deadline"]["seconds"] == 2 * 86400


def test_it_is_granted_partial_or_queued(scene: Scene) -> None:
    assert scene.line(13).result["status"] == "partial"  # the defaults ask for more than there is
    scene.manager("release complex_feature_001")
    history(scene, 600, 700, 800, 900, 1000)
    assert allocate(scene, "two_002")["status"] == "approved"
    scene.manager("allocate rest_003 --agents=2 --specialization=test")
    assert allocate(scene, "three_003")["status"] == "queued"


# ── 14 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_efficiency_is_unknown_before_anything_ran(scene: Scene) -> None:
    scene.line(13)

    assert scene.line(14).result["efficiency"] is None
    assert "unknown" in scene.line(14).text


def test_efficiency_is_busy_by_allocated_agent_time_with_its_events_and_the_prefix_is_understood(scene: Scene) -> None:
    scene.create("complex_feature_001", phases=["work"], resource_requirements={"agents": 2})
    scene.wait(300)
    scene.phases("complex_feature_001", ("work", 900))
    scene.hub("complete complex_feature_001")

    found = scene.say(raw(14) + " --explain").result

    assert found["allocated"] == pytest.approx(2 * 1200, abs=6)
    assert found["efficiency"] == pytest.approx(900 / 1200, abs=0.01)
    assert set(found["events"]) <= {e.event_id for e in scene.events("complex_feature_001")}
    assert scene.line(14).workflow_id == "complex_feature_001"


# ── 15 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def predicted_and_run(scene: Scene, count: int, factor: float = 1.0, first: int = 1) -> None:
    """Workflows whose need is predicted by line 13's way, and which then take `factor` times as long as 600 s."""
    for number in range(first, first + count):
        name = f"next_{number:03d}"
        scene.create(name, phases=["work"], type=FEATURE, resource_requirements={"agents": 1})
        scene.settle()
        allocate(scene, name)
        scene.phases(name, ("work", 600 * factor + number))
        scene.hub(f"complete {name}")


def test_accuracy_is_unknown_under_five(scene: Scene) -> None:
    history(scene, *[600.0] * 6)
    predicted_and_run(scene, 4)

    found = scene.line(15).result

    assert found["demands"] == {
        "n": 4,
        "coverage": None,
        "bias": None,
        "median_error": None,
        "agents_error": None,
    }
    assert found["demand_comparison"] == []
    assert "unknown" in scene.line(15).text


def test_predicted_is_held_against_actual_with_n_coverage_bias_and_error(scene: Scene) -> None:
    history(scene, 500, 550, 600, 650, 700, 750)
    predicted_and_run(scene, 6, factor=1.0)

    found = scene.line(15).result["demands"]

    asked = [e.data for e in scene.events(kind="RESOURCE_REQUESTED") if "context" in e.data]
    said = [float(data["context"]["predicted"]["seconds"]) for data in asked]
    errors = [(s - (600 + n)) / (600 + n) for n, s in enumerate(said, 1)]
    assert found["n"] == 6
    assert found["coverage"] == 1.0
    assert found["bias"] == pytest.approx(sum(errors) / 6)
    assert found["median_error"] == pytest.approx(median(abs(e) for e in errors))


def test_history_is_compared_by_period(scene: Scene) -> None:
    history(scene, *[600.0] * 6)
    predicted_and_run(scene, 5)
    predicted_and_run(scene, 5, factor=3.0, first=6)

    before, since = scene.line(15).result["demand_comparison"]

    assert before["n"] == since["n"] == 5
    assert before["median_error"] < since["median_error"]


# ── 16 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def busy(scene: Scene) -> Scene:
    """One that holds the agents, one that waits for them."""
    scene.create("a_001", resource_requirements={"agents": 3, "duration": "2h"})
    scene.create("b_002", resource_requirements={"agents": 3, "duration": "2h"})
    scene.settle()
    scene.hub("start a_001")
    scene.wait(3600)
    return scene


def test_as_configured_the_report_is_of_the_whole_system_detailed_with_predictions_and_bottlenecks(busy: Scene) -> None:
    reply = busy.line(16)
    assert reply.result["version"] == 1
    report = busy.line(18).result

    assert [w["workflow_id"] for w in report["progress"]["workflows"]] == ["a_001", "b_002"]
    assert [p["workflow_id"] for p in report["predictions"]] == ["a_001", "b_002"]
    assert [b["what"] for b in report["bottlenecks"]] == ["agents"]


def scope_of(report: Any) -> Any:
    return report["progress"]["total"]


def detail(report: Any) -> Any:
    return report["progress"]["workflows"]


@pytest.mark.parametrize(
    ("setting", "of", "expected"),
    [
        ({"scope": "tracked"}, scope_of, 0),
        ({"aggregation_level": "summary"}, detail, []),
        ({"prediction": "disabled"}, itemgetter("predictions"), "disabled by configure"),
        ({"bottleneck_detection": "manual"}, itemgetter("bottlenecks"), []),
    ],
)
def test_each_setting_changes_the_report(
    busy: Scene, setting: dict[str, str], of: Callable[[Any], Any], expected: object
) -> None:
    busy.line(16)
    assert of(busy.line(18).result) != expected

    busy.progress("configure", **setting)

    assert of(busy.line(18).result) == expected


# ── 17 and 18 ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_does_not_exist_yet_is_watched_and_not_invented(scene: Scene) -> None:
    tracked = scene.line(17).result["tracked"]

    assert [(t["workflow_id"], t["status"]) for t in tracked] == [
        ("feature_A", "unknown"),
        ("bugfix_B", "unknown"),
        ("refactor_C", "unknown"),
    ]
    report = scene.line(18).result["progress"]
    assert {t["workflow_id"]: (t["progress"], t["on_critical_path"]) for t in report["tracked"]} == {
        "feature_A": (None, None),
        "bugfix_B": (None, None),
        "refactor_C": (None, None),
    }
    assert (report["overall_progress"], report["total"]) == (None, 0)


@pytest.fixture
def three(scene: Scene) -> Scene:
    """Line 17, and then its three: the first is long and another waits for it."""
    scene.line(16)
    scene.line(17)
    scene.create("feature_A", phases=["x", "y"], resource_requirements={"agents": 1, "duration": "4h"})
    scene.create("bugfix_B", phases=["x", "y"], resource_requirements={"agents": 1, "duration": "1h"})
    scene.create("refactor_C", phases=["x", "y"], resource_requirements={"agents": 1, "duration": "2h"})
    scene.create("later_D", resource_requirements={"agents": 1, "duration": "1h"}, dependencies=["feature_A"])
    scene.settle()
    scene.phases("bugfix_B", ("x", 60), ("y", 60))
    scene.phases("refactor_C", ("x", 60))
    return scene


def test_once_they_run_they_count_with_the_weights_of_high_medium_and_low(three: Scene) -> None:
    found = three.line(18).result["progress"]

    assert {t["workflow_id"]: t["progress"] for t in found["tracked"]} == {
        "feature_A": 0,
        "bugfix_B": 1,
        "refactor_C": 0.5,
    }
    assert found["overall_progress"] == pytest.approx((0.8 * 0 + 0.6 * 1 + 0.4 * 0.5) / 1.8)


def test_the_one_that_was_called_critical_is_on_the_critical_path_and_the_others_are_not(three: Scene) -> None:
    found = three.line(18).result["progress"]

    assert {t["workflow_id"]: t["on_critical_path"] for t in found["tracked"]} == {
        "feature_A": True,
        "bugfix_B": False,
        "refactor_C": False,
    }
    assert found["critical_path"] == {"workflows": ("feature_A", "later_D"), "seconds": 5 * 3600}


def test_the_report_has_the_parts_that_are_asked_for_and_no_others(three: Scene) -> None:
    whole = three.line(18).result
    assert set(whole) == {"format", "update_frequency", "progress", "resources", "predictions", "bottlenecks"}

    part = three.progress("system-report", include=["resources"]).result
    assert set(part) == {"format", "update_frequency", "resources"}


def test_the_dashboard_draws_the_numbers_of_the_json(three: Scene) -> None:
    drawn = three.line(18)
    same = three.progress(
        "system-report", include=["progress", "resources", "predictions", "bottlenecks"], format="json"
    )

    assert json.loads(same.text)["progress"] == json.loads(json.dumps(drawn.result["progress"]))
    for one in drawn.result["progress"]["workflows"]:
        line = next(text for text in drawn.text.splitlines() if one["workflow_id"] in text)
        assert f"{one['progress'] * 100:.0f} %" in line
        assert line.count("█") == round(one["progress"] * 20)
    used = drawn.result["resources"]
    assert f"{used['allocated']['agents']:g} of {used['capacity']['agents']:g}" in drawn.text
    assert f"allocated {used['utilisation'] * 100:.0f} %" in drawn.text
    assert "critical path: feature_A → later_D" in drawn.text
