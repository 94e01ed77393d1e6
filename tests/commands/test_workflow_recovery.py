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
