"""Faults injected through the door, measured, and judged by number."""

import json
from pathlib import Path
from typing import Any

import pytest

from stretto.commands.recovery_injection import ERRORS
from stretto.state.errors import BadInput, NotFound
from tests.commands.clocked import Clocked

LIMITS = {
    "recovery_time_limit": "60s",
    "data_consistency": "strict",
    "performance_degradation_limit": "20_percent",
}


@pytest.fixture
def shop(tmp_path: Path) -> Clocked:
    found = Clocked(tmp_path)
    criteria = ["coordination", "performance"]
    found.hub("create-test-workflow", "test_001", test_type="integration", validation_criteria=criteria)
    return found


def test_a_test_workflow_is_flagged_and_holds_no_agents(shop: Clocked) -> None:
    with shop.log() as log:
        row = log.workflow("test_001")

    assert row
    assert row.spec["coordination"]["test"] is True
    assert shop.told("WORKFLOW_CREATED")["test"] is True
    assert all(not one.granted.get("agents") for one in shop.live("test_001"))
    for step in ("start", "complete-phase coordination", "start-phase performance", "complete-phase performance"):
        operation, _, phase = step.partition(" ")
        shop.now += 60
        shop.hub(operation, "test_001", *([phase] if phase else []))
    shop.hub("complete", "test_001")
    assert shop.run("performance-monitor", "benchmark").result["n"] == 0


def test_three_faults_are_recovered_from_within_the_limits(shop: Clocked) -> None:
    scenarios = [{"error_type": e, "impact": i} for e, i in zip(ERRORS, ("medium", "high", "critical"), strict=True)]
    causes = {
        "agent_failure": "agent_failed",
        "resource_exhaustion": "resource_exhaustion",
        "network_partition": "network_partition",
    }

    ran = shop.run("workflow-recovery", "test-scenarios", *_json(scenarios))
    judged = shop.hub("validate-recovery", "test_001", **LIMITS)
    strict = shop.hub("validate-recovery", "test_001", performance_degradation_limit="1_percent")
    fast = shop.hub("validate-recovery", "test_001", recovery_time_limit="10s")

    found = {one["error_type"]: one for one in ran.result["scenarios"]}
    assert {name: one["cause"] for name, one in found.items()} == causes
    assert all(one["recovered"] and one["rows_hash"] == one["replay_hash"] for one in found.values())
    assert found["network_partition"]["stale_writes_refused"] == 1
    assert found["resource_exhaustion"]["waited"] > found["agent_failure"]["waited"]
    assert all(one["makespan"] > one["undisturbed"] for one in found.values())
    assert judged.exit_code == 0
    assert judged.result["passed"] is True
    assert {one["event_id"] for one in judged.result["scenarios"]} == set(ran.events)
    assert (strict.exit_code, fast.exit_code) == (1, 1)
    assert [one["error_type"] for one in fast.result["scenarios"] if not one["passed"]] == ["resource_exhaustion"]
    with shop.log() as log:
        assert [row.id for row in log.workflows()] == ["test_001"]


def test_without_runs_there_is_nothing_to_judge(shop: Clocked) -> None:
    with pytest.raises(BadInput, match="nothing to judge"):
        shop.hub("validate-recovery", "test_001", **LIMITS)


@pytest.mark.parametrize(
    ("items", "field"),
    [
        (None, "json"),
        ([], "json"),
        ([{"error_type": "flood"}], "[0].error_type"),
        ([{"impact": "high"}], "[0].error_type"),
        ([{"error_type": "agent_failure", "impact": "huge"}], "[0].impact"),
        ([{"error_type": "agent_failure", "when": 3}], "[0].when"),
    ],
)
def test_an_unknown_fault_is_refused_and_nothing_is_written(shop: Clocked, items: Any, field: str) -> None:
    before = shop.types()

    with pytest.raises(BadInput) as caught:
        shop.run("workflow-recovery", "test-scenarios", *_json(items))

    assert caught.value.details["field"] == field
    assert shop.types() == before


@pytest.mark.parametrize(
    ("args", "body", "error"),
    [
        (("create-test-workflow", "test_002"), {"scope": "moon"}, BadInput),
        (("create-test-workflow", "test_002"), {"validation_criteria": ["luck"]}, BadInput),
        (("validate-recovery", "nobody_001"), LIMITS, NotFound),
        (("validate-recovery", "test_001"), {"data_consistency": "loose"}, BadInput),
    ],
)
def test_what_makes_no_sense_is_refused(shop: Clocked, args: tuple[str, ...], body: Any, error: Any) -> None:
    before = shop.types()

    with pytest.raises(error):
        shop.run("coordination-hub", *args, **body)

    assert shop.types() == before


def _json(items: Any) -> list[str]:
    return [] if items is None else [json.dumps(items)]
