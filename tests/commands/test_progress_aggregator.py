"""/progress-aggregator: its figures are those of the log, or unknown."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.commands.reply import Reply
from stretto.state.errors import BadInput, NotFound
from tests.commands.clocked import Clocked

BODY: dict[str, Any] = {"phases": ["build", "check"], "resource_requirements": {"agents": 3, "duration": "2h"}}


@pytest.fixture
def world(tmp_path: Path) -> Clocked:
    return Clocked(tmp_path)


def ask(world: Clocked, *args: str, **body: Any) -> Reply:
    return world.run("progress-aggregator", *args, **body)


def of(reply: Reply, name: str) -> Any:
    return next(w for w in reply.result["workflows"] if w["workflow_id"] == name)


def test_without_a_store_there_is_nothing_to_tell_and_nothing_is_made(world: Clocked) -> None:
    reply = ask(world, "system-overview", "--include-conflicts", "--resource-analysis")

    assert (reply.result["total"], reply.result["overall_progress"]) == (0, None)
    assert not Path(world.app.state).exists()


def test_progress_is_the_weighted_share_of_phases(world: Clocked) -> None:
    world.hub(
        "create",
        "a_001",
        phases=["build", {"name": "check", "duration": "30m"}],
        resource_requirements={"duration": "2h"},
    )
    world.hub("create", "b_002", priority="critical", phases=["x", "y"])
    for step in (("start-phase", "a_001", "1"), ("complete-phase", "a_001", "1"), ("start-phase", "b_002", "1")):
        world.hub(*step)

    reply = ask(world, "system-overview")

    assert of(reply, "a_001")["progress"] == pytest.approx(0.75)
    assert of(reply, "b_002")["progress"] == 0
    assert reply.result["overall_progress"] == pytest.approx(0.6 * 0.75 / 1.6)
    assert reply.result["weighted_by"] == "priority"


def test_it_says_why_one_waits_and_how_the_resources_are_used(world: Clocked) -> None:
    world.hub("create", "a_001", **BODY)
    world.hub("create", "b_002", **BODY)
    world.hub("start", "a_001")
    world.now += 3600

    reply = ask(world, "system-overview", "--include-conflicts", "--resource-analysis")

    assert reply.result["conflicts"] == {
        "conflicts": [],
        "waiting": [{"workflow_id": "b_002", "position": 1, "reason": "agents not free"}],
    }
    assert reply.result["resources"]["allocated"]["agents"] == 3
    assert reply.result["resources"]["utilisation"] == pytest.approx(0.75)


def test_the_events_behind_a_figure_are_named(world: Clocked) -> None:
    world.hub("create", "a_001", **BODY)

    explained = of(ask(world, "system-overview", "--explain"), "a_001")["events"]

    counting = [e.event_id for e in world.events("a_001") if e.type.startswith("WORKFLOW_")]
    assert list(explained) == counting
    assert "events" not in of(ask(world, "system-overview"), "a_001")


def test_what_is_left_is_what_was_said_or_unknown(world: Clocked) -> None:
    world.hub("create", "a_001", **BODY)
    world.hub("create", "b_002", phases=["x"])
    world.hub("start", "a_001")
    world.now += 600

    assert ask(world, "--workflow=a_001", "--predictive-analysis").result["prediction"]["likely"] == pytest.approx(6600)
    assert ask(world, "--workflow=b_002", "--predictive-analysis").result["prediction"]["likely"] is None


def test_what_is_left_is_forecast_from_phases_of_the_same_name(world: Clocked) -> None:
    for i in range(8):
        world.workflow(f"past_{i:03d}", 100 + i)
    world.hub("create", "next_001", phases=["work"])

    found = ask(world, "--workflow=next_001", "--predictive-analysis").result["prediction"]

    assert found["low"] < found["likely"] < found["high"]
    assert 80 < found["likely"] < 130


def test_rows_and_events_are_held_against_each_other(world: Clocked) -> None:
    world.hub("create", "a_001", **BODY)
    world.hub("start", "a_001")

    found = ask(world, "--workflow=a_001", "--sync-state").result["sync"]

    assert (found["in_sync"], found["differences"]) == (True, [])


def test_tracked_workflows_that_do_not_exist_yet_are_unknown_and_count_when_they_do(world: Clocked) -> None:
    body = [
        {"workflow_id": "feature_A", "weight": "high", "critical_path": True},
        {"workflow_id": "bugfix_B", "weight": "medium", "critical_path": False},
    ]
    import json

    reply = ask(world, "track-workflows", json.dumps(body))
    assert [one["status"] for one in reply.result["tracked"]] == ["unknown", "unknown"]

    world.workflow("feature_A", 10)
    world.hub("create", "bugfix_B", phases=["x", "y"])
    world.hub("create", "other_C", phases=["x"])
    for step in (("start-phase", "bugfix_B", "1"), ("complete-phase", "bugfix_B", "1")):
        world.hub(*step)

    overall = ask(world, "system-overview").result["overall_progress"]
    assert overall == pytest.approx((0.8 * 1 + 0.6 * 0.5) / 1.4)


def test_a_report_has_the_parts_that_were_asked_for_and_no_others(world: Clocked) -> None:
    world.hub("create", "a_001", **BODY)

    parts = ask(world, "system-report", include=["progress", "bottlenecks"]).result
    drawn = ask(world, "system-report", format="dashboard")

    assert set(parts) == {"format", "update_frequency", "progress", "bottlenecks"}
    assert "░" in drawn.text
    assert ask(world, "system-report", format="markdown").text.startswith("## Progress")


def test_what_was_configured_is_honoured(world: Clocked) -> None:
    world.hub("create", "a_001", **BODY)
    world.hub("create", "b_002", **BODY)
    world.now += 7200
    ask(world, "configure", prediction="disabled", bottleneck_detection="manual", aggregation_level="summary")

    found = ask(world, "system-report").result

    assert found["predictions"] == "disabled by configure"
    assert found["bottlenecks"] == []
    assert found["progress"]["workflows"] == []
    assert found["progress"]["total"] == 2


def test_the_bottleneck_that_was_planted_is_named_first_and_none_on_a_balanced_load(world: Clocked) -> None:
    for name in ("a_001", "b_002"):
        world.hub("create", name, resource_requirements={"agents": 2, "duration": "1h"})
    world.now += 3600
    assert ask(world, "bottleneck-analysis").result["bottlenecks"] == []

    world.hub("create", "c_003", resource_requirements={"agents": 2})
    world.hub("create", "d_004", dependencies=["c_003"])
    world.now += 3600
    found = ask(world, "bottleneck-analysis").result["bottlenecks"]

    assert [(b["what"], b["waiting"]) for b in found] == [("agents", ("c_003",)), ("c_003", ("d_004",))]
    assert found[0]["seconds"] == pytest.approx(3600)
    world.manager("configure", capacity={"agents": 6})
    world.hub("get-status", "c_003")
    assert world.types("c_003")[-1] == "WORKFLOW_SCHEDULED"


def test_accuracy_is_unknown_until_enough_is_on_record(world: Clocked) -> None:
    found = ask(world, "resource-prediction-accuracy", "--historical-comparison")
    assert found.result["starts"]["median_error"] is None
    assert "too little on record" in found.text

    for i in range(6):
        world.hub("create", f"a_{i}", resource_requirements={"agents": 4, "duration": "100s"})
        world.hub("create", f"b_{i}", resource_requirements={"agents": 4, "duration": "1s"})
        world.hub("start", f"a_{i}")
        world.now += 125
        world.hub("complete-phase", f"a_{i}", "main")
        world.hub("complete", f"a_{i}")
        world.hub("cancel", f"b_{i}")

    starts = ask(world, "resource-prediction-accuracy").result["starts"]
    assert starts["n"] == 6
    assert starts["median_error"] == pytest.approx(0.2)
    assert starts["bias"] == pytest.approx(-0.2)


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["start-phase", "complete-phase", "skip-phase", "pause", "resume"]), max_size=14))
def test_progress_never_falls_while_nothing_is_done_again(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    world = Clocked(tmp_path_factory.mktemp("world"))
    world.hub("create", "a_001", phases=["x", "y", "z"], state_sync={"checkpoints": "none"})
    seen = [0.0]
    for number, step in enumerate(steps):
        words = [str(number % 3 + 1)] if "phase" in step else []
        body = {"reason": "no"} if step == "skip-phase" else {}
        try:
            world.hub(step, "a_001", *words, **body)
        except BadInput:
            continue
        seen.append(of(ask(world, "system-overview"), "a_001")["progress"])

    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("args", "body", "field"),
    [
        (("configure",), {"scope": "all"}, "scope"),
        (("configure",), {"colour": "red"}, "colour"),
        (("system-report",), {"include": ["weather"]}, "include[0]"),
        (("system-report",), {"format": "png"}, "format"),
        (("track-workflows", "[]"), {}, "json"),
        (("track-workflows", '[{"workflow_id": "a", "weight": 3}]'), {}, "[0].weight"),
        (("track-workflows", '[{"workflow_id": "a"}, {"workflow_id": "a"}]'), {}, "workflow_id"),
        (("system-overview", "--sync-state"), {}, "--sync-state"),
        (("performance-analytics",), {}, "operation"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field_and_nothing_is_written(
    world: Clocked, args: tuple[str, ...], body: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        ask(world, *args, **body)

    assert refused.value.field == field
    assert not Path(world.app.state).exists()


def test_a_workflow_that_is_not_there_is_not_found(world: Clocked) -> None:
    with pytest.raises(NotFound):
        ask(world, "--workflow=nobody_001")
