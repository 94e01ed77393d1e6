"""Faults injected through the door, measured, and judged by number."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from stretto.commands.fault_figures import longer
from stretto.commands.fault_late import late_report
from stretto.commands.fault_workload import Span
from stretto.commands.recovery_injection import ERRORS, Fault, batch
from stretto.commands.reply import Reply
from stretto.state.errors import BadInput, NotFound
from stretto.state.log import Log
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


@pytest.fixture(scope="module")
def struck(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clocked, Reply, float]:
    """A project in which the three faults were let happen once, what was said of it, and the seconds that it took."""
    found = Clocked(tmp_path_factory.mktemp("struck"))
    found.hub("create-test-workflow", "test_001")
    scenarios = [{"error_type": e, "impact": i} for e, i in zip(ERRORS, ("medium", "high", "critical"), strict=True)]
    began = time.monotonic()
    ran = found.run("workflow-recovery", "test-scenarios", *_json(scenarios))
    return found, ran, time.monotonic() - began


@pytest.mark.slow
def test_real_processes_are_struck_and_the_work_is_made_good(struck: tuple[Clocked, Reply, float]) -> None:
    shop, ran, seconds = struck
    found = {one["error_type"]: one for one in ran.result["scenarios"]}
    killed, exhausted, cut = (found[name] for name in ERRORS)

    assert ran.exit_code == 0
    assert ran.result["test"] is True
    assert "exit code -9" in killed["evidence"], "the agent died of SIGKILL"
    assert "queued at 1" in exhausted["evidence"]
    assert "no outcome within 0.9 s" in cut["evidence"], "the agent lived, and nothing of it arrived"
    assert (killed["cause"], exhausted["cause"], cut["cause"]) == ("agent_failed", "resource_exhaustion", "unknown")
    assert all(one["recovered"] and 0 < one["recovery_seconds"] <= one["made_good_seconds"] for one in found.values())
    assert exhausted["recovery_seconds"] >= 0.6, "so long the pool was exhausted"
    assert cut["recovery_seconds"] >= 0.1, "so long it was not yet given up"
    assert seconds < 35
    with shop.log() as log:
        assert [row.id for row in log.workflows()] == ["test_001"]


@pytest.mark.slow
def test_state_after_each_fault_is_that_of_a_replay(struck: tuple[Clocked, Reply, float]) -> None:
    for one in struck[1].result["scenarios"]:
        assert one["rows_hash"] == one["replay_hash"]
        assert one["files_equal"]
        assert one["consistent"]


@pytest.mark.slow
def test_degradation_is_measured_beside_a_run_without_the_fault(struck: tuple[Clocked, Reply, float]) -> None:
    for one in struck[1].result["scenarios"]:
        low, high = one["interval"]
        assert low <= one["degradation"] <= high
        assert one["pairs"] == 9, "all tasks of the chain but the one that was struck"
        assert one["machine_load"] >= 0
        assert 0.4 < one["load"] < 0.8
        if one["higher"] is not None:
            assert one["load"] < one["higher"]["load"] <= 1
        assert f"{one['degradation']:.1%} longer at load {one['load']:.2f}" in struck[1].text


@pytest.mark.slow
def test_a_report_after_the_cut_is_refused_and_changes_nothing(struck: tuple[Clocked, Reply, float]) -> None:
    late = {one["error_type"]: one["late"] for one in struck[1].result["scenarios"]}

    assert (late["agent_failure"], late["resource_exhaustion"]) == (None, None)
    if (found := late["network_partition"]) is None:  # a machine that had no time left says so
        assert "no time for a report after the cut" in struck[1].text
        return
    assert (found["sent"], found["refused"], found["code"]) == (1, 1, "INVALID_TRANSITION")
    assert (found["changed"], found["ended"]) == (False, "completed")
    assert "1 of 1 reports after the cut refused (INVALID_TRANSITION), nothing of it counted" in struck[1].text


def test_an_agent_that_was_given_up_and_lives_is_not_heard(tmp_path: Path) -> None:
    """Two agents live for one task; the first speaks while the second works."""
    found = asyncio.run(late_report(tmp_path / "late"))

    assert found.held_off
    assert "is closed" in found.said
    with Log.open(tmp_path / "late" / "store") as log:
        states = [(a.attempt, a.state) for a in log.attempts("struck_001")]
    assert states == [(1, "failed"), (2, "completed")]


@pytest.mark.slow
def test_recovery_is_judged_by_number(struck: tuple[Clocked, Reply, float]) -> None:
    shop, ran, _ = struck
    lenient = {**LIMITS, "performance_degradation_limit": "100_percent"}
    measured = {one["error_type"]: one["degradation"] for one in ran.result["scenarios"]}

    passed = shop.hub("validate-recovery", "test_001", **lenient)
    judged = shop.hub("validate-recovery", "test_001", **LIMITS)
    fast = shop.hub("validate-recovery", "test_001", **{**lenient, "recovery_time_limit": "0.5s"})

    assert (passed.exit_code, passed.result["passed"]) == (0, True)
    assert {one["event_id"] for one in passed.result["scenarios"]} == set(ran.events)
    busy = max(one["machine_load"] for one in ran.result["scenarios"]) > 0.7
    assert {t["error_type"]: t["passed"] for t in judged.result["scenarios"]} == {
        name: longer <= 0.2 or (None if busy else False) for name, longer in measured.items()
    }
    assert fast.exit_code == 1
    assert "resource_exhaustion" in [one["error_type"] for one in fast.result["scenarios"] if not one["passed"]]


@pytest.mark.parametrize(
    ("changed", "code", "passed", "word"),
    [
        ({}, 0, True, "t_001: passed: 1 of 1"),
        ({"degradation": 0.35}, 1, False, "35.0% longer of 20% at load 0.60 (5.0% to 12.0%, 9 pairs of tasks): FAIL"),
        ({"degradation": 0.35, "machine_load": 2.31}, 0, None, "not measured: the machine's load is 2.31"),
        ({"machine_load": 2.31}, 0, True, "t_001: passed: 1 of 1"),
        ({"recovery_seconds": 61.0, "machine_load": 2.31}, 1, False, "61.00 s of 60 s"),
        ({"consistent": False, "machine_load": 2.31}, 1, False, "NOT consistent"),
        ({"recovered": False, "recovery_seconds": None, "degradation": None}, 1, False, "NOT recovered"),
    ],
)
def test_a_busy_machine_is_no_excuse_but_for_how_long_it_took(
    shop: Clocked, changed: dict[str, Any], code: int, passed: bool | None, word: str
) -> None:
    shop.hub("create-test-workflow", "t_001")
    sound = {"recovered": True, "consistent": True, "chain_sound": True, "recovery_seconds": 1.0, "higher": None}
    taken = {"load": 0.6, "degradation": 0.1, "interval": [0.05, 0.12], "pairs": 9, "machine_load": 0.3}
    metrics = {"error_type": "agent_failure", **sound, **taken, **changed}
    with Log.open(shop.root / "store") as log, log.write() as tx:
        tx.event("METRICS_RECORDED", "system", "recovery", {"kind": "fault_trial", "run": "r1", "metrics": metrics})

    judged = shop.hub("validate-recovery", "t_001", **LIMITS)

    assert (judged.exit_code, judged.result["passed"]) == (code, passed)
    assert judged.result["not_measured"] == (["agent_failure"] if passed is None else [])
    assert word in judged.text


def test_what_the_machine_did_meanwhile_counts_for_one_pair() -> None:
    calm = Span(5.0, 0.6, (0.5,) * 10)
    hiccup = Span(8.0, 0.6, (0.5, 0.5, 0.5, 0.5, 1.0, 0.5, 0.5, 3.0, 0.5, 0.5))
    slow = Span(6.4, 0.6, (0.6,) * 4 + (1.0,) + (0.6,) * 5)

    assert longer(hiccup, calm) == pytest.approx((0.1, 0.1, 0.1, 9))
    assert longer(slow, calm) == pytest.approx((0.28, 0.28, 0.28, 9)), "what is slower all along does count"
    assert longer(Span(1.0, 0.6, (0.5, 0.5)), calm) is None


def test_only_the_task_whose_agent_was_killed_runs_again(tmp_path: Path) -> None:
    """One fault at one load, so that it is seen in the quick tests, too."""
    (found,) = asyncio.run(batch([Fault("agent_failure", "low")], 0.7, tmp_path, 120.0))

    assert found.recovered
    assert found.consistent
    log = Log.find(tmp_path / "0" / "store")
    assert log
    with log:
        attempts = {a.task_id: a.state for a in log.attempts("struck_001") if a.attempt == 2}
    assert attempts == {"work/a04": "completed"}


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
        ([{"error_type": "agent_failure"}] * 5, "json"),
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
