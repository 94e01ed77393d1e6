"""/workflow-recovery through its door: what failed, what waits for it, and what to do."""

from pathlib import Path
from typing import Any

import pytest

from stretto.graph import coordination, recovery
from stretto.graph.recovery import strategy
from stretto.state import wire
from stretto.state.errors import BadInput, NotFound, StrettoError
from tests.commands.clocked import Clocked

PHASES = [
    "plan",
    {"name": "move", "after": ["plan"]},
    {"name": "check", "after": ["move"]},
    {"name": "tell", "after": ["plan"]},
]


@pytest.fixture
def shop(tmp_path: Path) -> Clocked:
    """A workflow whose second phase is at work."""
    found = Clocked(tmp_path)
    found.hub("create", "shop_001", phases=PHASES, resource_requirements={"agents": 1})
    for phase in ("plan", "move"):
        found.hub("start-phase", "shop_001", phase)
        if phase == "plan":
            found.now += 60
            found.hub("complete-phase", "shop_001", phase)
    return found


def recover(shop: Clocked, *args: str, **body: Any) -> Any:
    return shop.run("workflow-recovery", *args, **body)


def strike(shop: Clocked, error: str = "connection_timeout", severity: str = "critical") -> str:
    """An error on record, as whoever meets it would write it; the analysis that is made by itself."""
    with shop.writing() as tx:
        tx.event("ERROR_ENCOUNTERED", "shop_001", "move", {"error": error}, severity=severity)
        made = recovery.noticed(tx, coordination.row_of(tx, "shop_001"))
    assert made
    return made.id


def fail(shop: Clocked, reason: str) -> None:
    shop.hub("fail-phase", "shop_001", "move", reason=reason)


def test_a_failure_has_its_cause_its_evidence_and_the_phases_that_wait_for_it(shop: Clocked) -> None:
    shop.hub("create", "after_002", dependencies=["shop_001"])
    fail(shop, "connection refused")

    reply = recover(shop, "analyze-failure", "shop_001", failure_impact="workflow_blocked")

    (event,) = [e for e in shop.events("shop_001") if e.type == "PHASE_FAILED"]
    assert reply.result["cause"]["kind"] == "external_error"
    assert reply.result["cause"]["evidence"] == (event.event_id,)
    assert reply.result["impact"]["phases"] == ("check",)
    assert reply.result["impact"]["finished"] == ("plan",)
    assert reply.result["impact"]["workflows"] == ("after_002",)
    assert reply.result["agrees"] is True
    assert shop.told("WORKFLOW_STATE_UPDATED")["analysis_id"] == reply.result["analysis_id"]
    assert reply.events


def test_what_was_looked_into_by_itself_is_the_same_analysis_when_asked_for(shop: Clocked) -> None:
    made = strike(shop)
    fail(shop, "it did not pass")

    first = recover(shop, "analyze-failure", "shop_001", error_context="x", recovery_priority="maintain_progress")
    second = recover(shop, "analyze-failure", made)

    assert first.result["analysis_id"] == second.result["analysis_id"] == made
    assert first.result["automatic"] is True
    assert first.events == second.events == ()
    assert first.result["cause"]["kind"] == "external_error"
    assert first.result["severity"] == "critical"
    assert first.result["strategy"] == "full_restore_from_checkpoint"


@pytest.mark.parametrize("mode", ["automatic", "manual"])
def test_in_test_mode_failures_are_looked_into_by_themselves_if_that_is_asked(shop: Clocked, mode: str) -> None:
    shop.run("performance-monitor", "test-mode", failure_analysis=mode)

    fail(shop, "timed out")

    assert recover(shop, "analyze-failure", "shop_001").result["already_made"] is (mode == "automatic")


def test_a_workflow_it_waits_for_that_failed_is_the_cause(shop: Clocked) -> None:
    shop.hub("create", "before_001")
    shop.hub("cancel", "before_001")
    shop.hub("create", "waits_001", dependencies=["before_001"])
    with shop.writing() as tx:
        tx.event("ERROR_ENCOUNTERED", "waits_001", "main", {"error": "it cannot begin"}, severity="error")

    cause = recover(shop, "root-cause", "waits_001").result["cause"]

    assert (cause["kind"], cause["component"]) == ("dependency_failed", "before_001")
    assert cause["evidence"][0] == next(e.event_id for e in shop.events() if e.type == "WORKFLOW_CANCELLED")


def test_rows_that_are_not_what_the_log_tells_are_damage(shop: Clocked) -> None:
    with shop.writing() as tx:
        row = coordination.row_of(tx, "shop_001")._replace(phase="check")
        tx.database.put("workflows", (*row[:5], wire.compact(row.spec), *row[6:]))

    cause = recover(shop, "root-cause", "shop_001").result["cause"]

    assert cause["kind"] == "state_damaged"
    assert "phase" in cause["words"]


def test_nothing_is_written_by_those_that_only_look(shop: Clocked) -> None:
    fail(shop, "timed out")
    before = shop.types()

    replies = [recover(shop, name, "shop_001") for name in ("root-cause", "impact-assessment", "recovery-plan")]

    assert shop.types() == before
    assert replies[0].result["chain"][0]["type"] == "PHASE_FAILED"
    assert replies[1].result["is"] == "workflow_blocked"
    assert replies[2].result["success"] == {"n": 0, "share": None}
    assert "unknown" in replies[2].text


@pytest.mark.parametrize(
    ("severity", "recoverable", "chosen"),
    [
        ("critical", True, "full_restore_from_checkpoint"),
        ("critical", False, "emergency_partial_recovery"),
        ("high", True, "targeted_recovery_with_rollback"),
        ("medium", True, "selective_state_repair"),
        ("low", True, "progressive_recovery"),
        ("medium", False, "manual_intervention"),
    ],
)
def test_the_strategy_is_a_table(severity: Any, recoverable: bool, chosen: str) -> None:
    assert strategy(severity, recoverable=recoverable) == chosen


@pytest.mark.parametrize(
    ("args", "body", "error", "field"),
    [
        (("analyze-failure",), {}, StrettoError, ""),
        (("analyze-failure", "nobody_001"), {}, NotFound, "workflow_id"),
        (("analyze-failure", "shop_001"), {"failure_impact": "huge"}, BadInput, "failure_impact"),
        (("analyze-failure", "shop_001"), {"depth": 3}, BadInput, "depth"),
        (("analyze-failure", "shop_001"), {}, BadInput, "workflow_id"),
        (("recovery-plan", "shop_001"), {"recovery_priority": "fast"}, BadInput, "recovery_priority"),
        (("merge-states", "shop_001"), {}, BadInput, "operation"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    shop: Clocked, args: tuple[str, ...], body: dict[str, Any], error: type[StrettoError], field: str
) -> None:
    before = shop.types()

    with pytest.raises(error) as caught:
        recover(shop, *args, **body)

    assert caught.value.exit_code == 2
    assert not field or caught.value.details.get("field") == field
    assert shop.types() == before


# ── recovery mode ────────────────────────────────────────────────────────────────────────────────────────────────────

MODE: dict[str, Any] = {
    "recovery_strategy": "checkpoint_restore",
    "fallback_options": ["manual_intervention", "alternative_approach"],
    "maintain_partial_progress": True,
}


def test_recovery_mode_keeps_the_strategy_the_fallbacks_in_order_and_what_is_finished(shop: Clocked) -> None:
    made = strike(shop)
    fail(shop, "it did not pass")

    reply = shop.hub("shop_001", "recovery-mode", **MODE)
    again = shop.hub("shop_001", "recovery-mode", **MODE)

    told = shop.told("RECOVERY_INITIATED")
    assert reply.result["status"] == "RECOVERING"
    assert {name: told[name] for name in MODE} == MODE
    assert told["kept_phases"] == ["plan"]
    assert told["analysis_id"] == made
    assert told["failed_phase"] == "move"
    assert again.result["new"] is False
    assert again.events == ()
    with shop.log() as log:
        row = log.workflow("shop_001")
        assert row
        assert row.status == "RECOVERING"


def test_a_recovery_is_over_when_the_phase_that_failed_is_done(shop: Clocked) -> None:
    fail(shop, "timed out")
    shop.hub("shop_001", "recovery-mode", recovery_strategy="retry_operation")
    shop.now += 30
    shop.hub("start-phase", "shop_001", "tell")
    shop.hub("complete-phase", "shop_001", "tell")
    assert "RECOVERY_COMPLETED" not in shop.types()

    shop.hub("start-phase", "shop_001", "move")
    shop.now += 12
    shop.hub("complete-phase", "shop_001", "move")

    told = shop.told("RECOVERY_COMPLETED")
    assert (told["seconds"], told["recovery_strategy"], told["by"]) == (42.0, "retry_operation", "shop_001")
    with shop.writing() as tx:
        assert recovery.rates(tx)["retry_operation"].share == 1.0


def test_giving_up_fails_the_recovery(shop: Clocked) -> None:
    fail(shop, "timed out")
    shop.hub("shop_001", "recovery-mode", recovery_strategy="retry_operation")

    shop.hub("cancel", "shop_001", reason="no use")

    assert shop.told("RECOVERY_FAILED")["reason"] == "no use"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "recovery_strategy"),
        ({"recovery_strategy": "hope"}, "recovery_strategy"),
        ({**MODE, "fallback_options": ["prayer"]}, "fallback_options[0]"),
        ({**MODE, "fallback_options": ["checkpoint_restore"]}, "fallback_options"),
        ({**MODE, "maintain_partial_progress": "yes"}, "maintain_partial_progress"),
        ({**MODE, "when": "now"}, "when"),
        (MODE, "workflow_id"),
    ],
)
def test_a_recovery_of_nothing_or_by_nothing_is_refused(shop: Clocked, body: dict[str, Any], field: str) -> None:
    before = shop.types()

    with pytest.raises(BadInput) as caught:
        shop.hub("shop_001", "recovery-mode", **body)

    assert caught.value.details["field"] == field
    assert shop.types() == before


# ── how it went ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_recovery_is_told_with_its_times_and_events(shop: Clocked) -> None:
    shop.hub("create", "after_002", dependencies=["shop_001"])
    shop.now += 100
    fail(shop, "connection refused")
    shop.now += 10
    shop.hub("shop_001", "recovery-mode", **MODE)
    shop.now += 20

    before = shop.run("progress-aggregator", "recovery-analysis", "shop_001", learning_for_prevention=True)
    again = shop.run("progress-aggregator", "recovery-analysis", "shop_001", learning_for_prevention=True)
    shop.hub("shop_001", "restore", checkpoint_id="pre_move", prepare_alternative=True)
    shop.hub("start-phase", "shop_001", "move")
    shop.now += 30
    shop.hub("complete-phase", "shop_001", "move")
    after = shop.run("performance-monitor", "recovery-success", "shop_001")

    assert before.result["since_failure"] == 30
    assert before.result["recovery_seconds"] is None
    assert before.result["delay"] == {"seconds": 30, "workflows": {"after_002": 30}}
    assert before.result["learned"]["patterns"][0]["cause"] == "external_error"
    assert again.events == ()
    assert after.result["recovered"] is True
    assert after.result["recovery_seconds"] == 60
    assert after.result["lost_work_seconds"] == 100
    assert after.result["success"] == {"n": 1, "share": 1.0}
    assert set(after.result["explained_by"]) <= {e.event_id for e in shop.events()}


def test_the_report_has_events_behind_every_line(shop: Clocked) -> None:
    fail(shop, "connection refused")
    shop.hub("shop_001", "recovery-mode", **MODE)
    shop.hub("shop_001", "restore", checkpoint_id="pre_move", prepare_alternative=True)

    reply = shop.run("workflow-status", "shop_001", "--recovery-report", "--lessons-learned")

    ids = {e.event_id for e in shop.events()}
    recovered, lessons = reply.result["recovery"], reply.result["lessons"]
    assert recovered["timeline"][0]["what"].split()[0] == "PHASE_FAILED"
    assert {m["event_id"] for m in recovered["timeline"]} <= ids
    assert recovered["strategy"] == "checkpoint_restore"
    assert recovered["recovered"] is None
    assert recovered["degradation"] is None
    assert lessons
    assert all(lesson["events"] and set(lesson["events"]) <= ids for lesson in lessons)
    assert any("kept plan" in lesson["text"] for lesson in lessons)


@pytest.mark.parametrize(
    "line",
    [
        ("progress-aggregator", "recovery-analysis", "shop_001"),
        ("performance-monitor", "recovery-success", "shop_001"),
        ("workflow-status", "shop_001", "--recovery-report"),
    ],
)
def test_of_a_workflow_that_has_not_failed_nothing_is_told(shop: Clocked, line: tuple[str, ...]) -> None:
    before = shop.types()

    with pytest.raises(BadInput, match="Nothing that failed"):
        shop.run(*line)

    assert shop.types() == before
