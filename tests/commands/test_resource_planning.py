"""/resource-manager optimize, prefetch, forecast, plan-capacity, analyze-utilization, test-allocation."""

from pathlib import Path
from typing import Any

import pytest

from stretto.commands.reply import Reply
from stretto.state.errors import BadInput, NotFound, StateConflict
from tests.commands.clocked import Clocked
from tests.commands.door import Project

LINE_42 = {
    "strategy": "predictive_adaptive",
    "learning_enabled": True,
    "optimization_target": "total_time_with_quality",
}
LINE_46: dict[str, Any] = {
    "prediction_horizon": "2_phases",
    "confidence_threshold": 0.8,
    "resource_buffer": "10_percent",
}


@pytest.fixture
def shop(tmp_path: Path) -> Clocked:
    """A store of four agents."""
    found = Clocked(tmp_path / "shop")
    found.manager("configure", capacity={"agents": 4})
    return found


def busy(shop: Clocked) -> None:
    """A long job and six short ones that come while it waits for the whole pool."""
    shop.manager("allocate", workflow_id="first_000", resources={"agents": 4, "duration": "10m"})
    shop.manager("allocate", workflow_id="long_001", priority="medium", resources={"agents": 4, "duration": "5h"})
    for n in range(6):
        shop.now += 1
        body = {"agents": 4, "duration": "10m"}
        shop.manager("allocate", workflow_id=f"short_{n:03d}", priority="low", resources=body)
    lengths = {"long_001": 5 * 3600}
    while live := [one for one in shop.live() if one.state == "active"]:
        shop.now += lengths.get(live[0].workflow_id, 600)
        shop.manager("release", live[0].workflow_id)


def settings(shop: Clocked) -> Any:
    with shop.log() as log:
        return log.chosen("resources").value


# optimize


def test_an_optimisation_prints_what_it_changes_and_is_taken_back(shop: Clocked) -> None:
    busy(shop)
    shop.manager("configure", conflict_prevention="proactive")
    before = settings(shop)

    reply = shop.manager("optimize", optimization_target="total_time")

    assert reply.result["difference"]["scheduler.strict"] == {"from": True, "to": False}
    assert "scheduler.strict: True → False" in reply.text
    expected = reply.result["expected"]
    assert (expected["n"], expected["relative_change"] < -0.3) == (8, True)
    event = shop.told("RESOURCE_OPTIMIZED")
    assert event["improvement_metrics"]["after_seconds"] == expected["after_seconds"]
    assert settings(shop)["scheduler"]["strict"] is False
    assert settings(shop)["conflict_prevention"] == "proactive"

    undone = shop.manager("optimize", "--undo")
    assert settings(shop) == before
    assert undone.result["difference"]["scheduler.strict"] == {"from": False, "to": True}
    with pytest.raises(NotFound, match="no optimisation"):
        shop.manager("optimize", "--undo")


def test_the_settings_that_were_found_are_those_that_the_queue_goes_by(shop: Clocked) -> None:
    busy(shop)
    shop.manager("optimize", optimization_target="total_time")

    shop.manager("allocate", workflow_id="full_001", resources={"agents": 4, "duration": "10m"})
    shop.manager("allocate", workflow_id="long_002", priority="medium", resources={"agents": 4, "duration": "5h"})
    shop.manager("allocate", workflow_id="short_009", priority="low", resources={"agents": 4, "duration": "10m"})
    shop.manager("release", "full_001")

    assert [one.workflow_id for one in shop.live() if one.state == "active"] == ["short_009"]


def test_a_dry_run_changes_nothing(shop: Clocked) -> None:
    busy(shop)
    before, chosen = shop.events(), settings(shop)

    reply = shop.manager("optimize", "--dry-run", **LINE_42)

    assert (reply.result["applied"], reply.events) == (False, ())
    assert "dry run" in reply.text
    assert (shop.events(), settings(shop)) == (before, chosen)


def test_what_an_optimisation_brings_is_unknown_where_little_has_run(shop: Clocked) -> None:
    reply = shop.manager("optimize", **LINE_42)

    assert reply.result["expected"]["relative_change"] is None
    assert "unknown" in reply.text
    assert reply.result["difference"]["optimization_strategy"] == {"from": "adaptive", "to": "predictive_adaptive"}
    assert "RESOURCE_OPTIMIZED" in shop.types()


def test_settings_that_were_changed_since_are_not_taken_back(shop: Clocked) -> None:
    shop.manager("optimize", **LINE_42)
    shop.manager("configure", conflict_prevention="proactive")

    with pytest.raises(StateConflict, match="changed since"):
        shop.manager("optimize", "--undo")


def test_predictive_settings_estimate_what_says_nothing_of_its_time(shop: Clocked) -> None:
    for n in range(6):
        shop.workflow(f"old_{n:03d}", seconds=600, type="bug_fix", resource_requirements={"agents": 4})
    shop.manager("optimize", **LINE_42)
    shop.manager("allocate", workflow_id="now_001", resources={"agents": 4, "duration": "1h"})
    for name in ("one_001", "two_002"):
        shop.hub("create", name, type="bug_fix", resource_requirements={"agents": 4})
        shop.now += 1

    first, second = shop.manager("status").result["queue"]

    assert settings(shop)["durations"] == {"bug_fix": 600}
    assert second["estimated_start_seconds"] - first["estimated_start_seconds"] == pytest.approx(600, abs=1)


# prefetch


def finished(shop: Clocked, count: int) -> None:
    for n in range(count):
        name = f"old_{n:03d}"
        shop.hub("create", name, phases=["plan", "build", "check"], type="bug_fix")
        shop.hub("start", name)
        for phase in ("plan", "build", "check"):
            if phase != "plan":
                shop.hub("start-phase", name, phase)
            shop.now += 600
            shop.hub("complete-phase", name, phase)
        shop.hub("complete", name)


def running(shop: Clocked) -> Reply:
    phases = ["plan", {"name": "build", "agents": 2}, {"name": "check", "agents": 1}]
    shop.hub("create", "new_001", phases=phases, type="bug_fix", resource_requirements={"agents": 1})
    shop.hub("start", "new_001")
    return shop.manager("prefetch", **LINE_46)


def test_nothing_is_reserved_for_what_is_not_sure_enough(shop: Clocked) -> None:
    finished(shop, 3)

    reply = running(shop)

    assert [one["state"] for one in reply.result["prefetched"]] == ["not sure enough"] * 2
    assert reply.result["prefetched"][0]["confidence"] == pytest.approx(3 / 5)
    assert "RESOURCE_RESERVED" not in shop.types()


def test_the_next_two_phases_get_what_they_need_and_the_buffer_rounded_up(shop: Clocked) -> None:
    finished(shop, 8)

    reply = running(shop)

    build, check = reply.result["prefetched"]
    assert (build["phase"], build["confidence"], build["need"], build["extra"]) == ("build", 0.8, 2, 2)  # ceil(2.2) - 1
    assert (check["phase"], check["need"], check["extra"]) == ("check", 1, 1)  # ceil(1.1) - 1
    reserved = [one for one in shop.live("new_001") if one.state == "reserved"]
    assert [one.granted["agents"] for one in reserved] == [2, 1]
    again = shop.manager("prefetch", **LINE_46)
    assert {one["state"] for one in again.result["prefetched"]} == {"reserved before"}


def test_a_reservation_is_used_when_its_phase_begins_given_back_when_it_ends_and_counted(shop: Clocked) -> None:
    finished(shop, 8)
    running(shop)
    shop.now += 600
    shop.hub("complete-phase", "new_001", "plan")
    shop.hub("start-phase", "new_001", "build")
    assert sum(one.granted["agents"] for one in shop.live("new_001") if one.state == "active") == 3

    shop.hub("complete-phase", "new_001", "build")
    assert sum(one.granted["agents"] for one in shop.live("new_001") if one.state == "active") == 1
    shop.now += 7200
    rate = shop.manager("prefetch", **LINE_46).result["hit_rate"]

    assert (rate["used"], rate["unused"], rate["share"]) == (1, 1, 0.5)


# forecasts


def test_a_forecast_is_unknown_below_five_finished_workflows(shop: Clocked) -> None:
    for n in range(4):
        shop.workflow(f"old_{n:03d}", seconds=600 + n, type="bug_fix")
    few = shop.manager("forecast", workflow_type="bug_fix").result["forecast"]
    shop.workflow("old_004", seconds=700, type="bug_fix")
    enough = shop.manager("predict", workflow_type="bug_fix").result["forecast"]

    assert [few[name]["likely"] for name in ("duration", "agents", "memory")] == [None] * 3
    assert few["duration"]["n"] == 4
    assert enough["duration"]["low"] < enough["duration"]["likely"] < enough["duration"]["high"]
    assert enough["duration"]["likely"] == pytest.approx(620, rel=0.1)
    assert (enough["agents"]["likely"], enough["agents"]["n"]) == (1, 5)
    assert "unknown" in shop.manager("forecast", workflow_type="bug_fix", metric="memory").text


def test_more_agents_make_shorter_waits_in_the_plan_of_the_capacity(shop: Clocked) -> None:
    assert shop.manager("plan-capacity").result["plan"] is None
    for n in range(12):
        shop.manager("allocate", workflow_id=f"job_{n:03d}", resources={"agents": 2, "duration": "30m"})
    while live := [one for one in shop.live() if one.state == "active"]:
        shop.now += 900
        shop.manager("release", live[0].id)

    plan = shop.manager("plan-capacity", target_wait="1h").result
    waits = [row["mean_wait_seconds"] for row in plan["plan"]]

    assert plan["n"] == 12
    assert waits == sorted(waits, reverse=True)
    assert plan["enough"] is not None
    (chosen,) = (row for row in plan["plan"] if row["agents"] == plan["enough"])
    assert chosen["p95_wait_seconds"] <= 3600


def test_the_analysis_names_who_holds_agents_that_do_nothing(shop: Clocked) -> None:
    shop.hub("create", "idle_001", resource_requirements={"agents": 2})
    shop.hub("create", "busy_002", resource_requirements={"agents": 2}, phases=["a"])
    shop.hub("start", "busy_002")
    shop.now += 1000

    found = shop.manager("analyze-utilization").result

    assert (found["allocated_share"], found["busy_share"]) == (pytest.approx(1.0), pytest.approx(0.5))
    assert found["mostly_idle"] == ["idle_001"]
    assert found["workflows"]["busy_002"]["efficiency"] == pytest.approx(1.0)
    assert len(found["over_time"]) == 12


# trials


def test_three_scenarios_are_really_run_beside_the_store_of_the_project(project: Project) -> None:
    ran = project.run(
        "resource-manager",
        "test-allocation",
        '{"scenarios": ["normal_load", "high_contention", "failure_recovery"],'
        ' "validation": ["allocation_accuracy", "conflict_resolution", "performance"]}',
        "--json",
    )

    assert ran.code == 0, ran.err
    found = ran.json["result"]["scenarios"]
    assert [*found] == ["normal_load", "high_contention", "failure_recovery"]
    for one in found.values():
        assert (one["over_allocated"], one["shared_files"]) == (0, 0)
        assert one["allocation_accuracy"]["granted"] == one["allocation_accuracy"]["requests"] == 60
        assert one["events"] > 200
    assert found["high_contention"]["conflict_resolution"]["found"] > 5
    assert found["high_contention"]["conflict_resolution"]["share"] == 1.0
    assert found["failure_recovery"]["recovery"]["failed"] == 5
    assert found["failure_recovery"]["recovery"]["replaced"] >= 4
    assert found["high_contention"]["performance"]["longest_wait"]["low"] < 24 * 3600
    assert not project.store.exists()


def test_a_trial_again_is_the_same_and_with_another_seed_another(project: Project) -> None:
    def events(seed: int) -> int:
        body = f'{{"scenarios": ["normal_load"], "seed": {seed}, "validation": ["allocation_accuracy"]}}'
        found = project.run("resource-manager", "test-allocation", body, "--json").json["result"]["scenarios"]
        assert set(found["normal_load"]) == {"over_allocated", "shared_files", "events", "allocation_accuracy"}
        return int(found["normal_load"]["events"])

    assert events(1) == events(1)
    assert events(1) != events(2)


@pytest.mark.parametrize(
    ("args", "field"),
    [
        (("optimize", '{"strategy": "magic"}'), "strategy"),
        (("optimize", '{"optimization_target": "all"}'), "optimization_target"),
        (("optimize", '{"learning_enabled": "yes"}'), "learning_enabled"),
        (("optimize", "--undo"), "--undo"),
        (("optimize", "--undo", "--dry-run"), "--undo"),
        (("optimize", "cpu"), "scope"),
        (("prefetch", '{"confidence_threshold": 2}'), "confidence_threshold"),
        (("prefetch", '{"prediction_horizon": "soon"}'), "prediction_horizon"),
        (("prefetch", "shop_001"), "workflow_id"),
        (("forecast", '{"metric": "joy"}'), "metric"),
        (("forecast", '{"confidence_level": 3}'), "confidence_level"),
        (("plan-capacity", '{"growth_assumptions": "much"}'), "growth_assumptions"),
        (("analyze-utilization", '{"time_period": "ever"}'), "time_period"),
        (("test-allocation", '{"scenarios": ["flood"]}'), "scenarios[0]"),
        (("test-allocation", '{"scenarios": ["normal_load", "normal_load"]}'), "scenarios"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(shop: Clocked, args: tuple[str, ...], field: str) -> None:
    before = shop.events()

    with pytest.raises(BadInput) as caught:
        shop.manager(*args)

    assert (caught.value.details["field"], shop.events()) == (field, before)
