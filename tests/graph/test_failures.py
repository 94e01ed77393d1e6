"""Causes from events: what was injected is what is named, or nothing is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.failures import CAUSES, incidents, last_of, primary_cause, severity
from stretto.state.wire import Event


def event(seq: int, kind: str, level: str = "error", phase: str = "build", **data: Any) -> Event:
    return Event(seq, f"evt_{seq}", kind, "shop_001", phase, "2026-01-05T09:00:00.000Z", "test", level, data)


@pytest.mark.parametrize(
    ("kind", "data", "cause"),
    [
        ("ERROR_ENCOUNTERED", {"error": "connection_timeout", "impact": "critical"}, "external_error"),
        ("ERROR_ENCOUNTERED", {"error": "agent_failure"}, "agent_failed"),
        ("ERROR_ENCOUNTERED", {"error": "resource_exhaustion"}, "resource_exhaustion"),
        ("ERROR_ENCOUNTERED", {"error": "network_partition"}, "network_partition"),
        ("ERROR_ENCOUNTERED", {"error": "state_corruption"}, "state_damaged"),
        ("ERROR_ENCOUNTERED", {"error": "external_dependency"}, "external_error"),
        ("ERROR_ENCOUNTERED", {"error": "something odd"}, "unknown"),
        ("AGENT_ERROR", {"agent_id": "a", "error_type": "crash", "error_details": "?"}, "agent_failed"),
        (
            "AGENT_ERROR",
            {"agent_id": "a", "error_type": "oom", "error_details": "out of memory"},
            "resource_exhaustion",
        ),
        ("AGENT_TIMEOUT", {"agent_id": "a", "timeout_duration": "30m"}, "agent_timeout"),
        ("TASK_TIMEOUT", {"task_id": "build/T1", "agent_id": "a", "timeout_duration": "30m"}, "agent_timeout"),
        (
            "TASK_FAILED",
            {"task_id": "build/T1", "failure_reason": "OSError: No space left on device"},
            "resource_exhaustion",
        ),
        (
            "TASK_FAILED",
            {"task_id": "build/T2", "failure_reason": "not started, since build/T1 failed"},
            "dependency_failed",
        ),
        ("TESTING_FAILED", {"failed": 3}, "test_failed"),
        ("PHASE_FAILED", {"failure_reason": "3 tests failed"}, "test_failed"),
        ("PHASE_FAILED", {"failure_reason": "as it happens"}, "unknown"),
    ],
)
def test_the_cause_is_what_the_event_says_or_unknown(kind: str, data: dict[str, Any], cause: str) -> None:
    (incident,) = incidents([event(7, kind, **data)])

    found = primary_cause(incident)

    assert found.kind == cause
    assert found.evidence == ("evt_7",)


def test_the_earliest_event_that_names_a_cause_decides_and_consequences_do_not() -> None:
    found = incidents(
        [
            event(1, "PHASE_STARTED", "info"),
            event(2, "ERROR_ENCOUNTERED", "critical", error="connection_timeout"),
            event(3, "TASK_FAILED", task_id="build/T1", failure_reason="Trouble in build: connection_timeout."),
            event(4, "TASK_FAILED", task_id="build/T2", failure_reason="not started, since build/T1 failed"),
            event(5, "PHASE_FAILED", failure_reason="2 of 2 tasks failed"),
            event(6, "WORKFLOW_FAILED", failure_reason="2 of 2 tasks failed"),
        ]
    )

    cause = primary_cause(found[0])
    assert (cause.kind, cause.evidence) == ("external_error", ("evt_2", "evt_3"))
    assert severity(found[0]) == "critical"


def test_what_a_later_attempt_made_good_is_no_failure() -> None:
    tried = event(1, "TASK_FAILED", "warning", task_id="build/T1", failure_reason="timed out", final=False)

    assert incidents([tried, event(2, "TASK_COMPLETED", "info", task_id="build/T1")]) == []


def test_a_resume_without_a_stop_before_it_follows_a_driver_that_died() -> None:
    died = [event(1, "WORKFLOW_STARTED", "info"), event(2, "WORKFLOW_RESUMED", "info")]
    stopped = [
        died[0],
        event(2, "WORKFLOW_PAUSED", "info", pause_reason="stopped"),
        event(3, "WORKFLOW_RESUMED", "info"),
    ]

    assert [primary_cause(i).kind for i in incidents(died)] == ["driver_died"]
    assert incidents(stopped) == []


def test_an_incident_is_over_when_its_phase_is_done_and_the_next_one_has_another_id() -> None:
    events = [
        event(1, "PHASE_FAILED", failure_reason="tests failed"),
        event(2, "PHASE_COMPLETED", "info"),
        event(3, "PHASE_FAILED", failure_reason="timed out"),
    ]

    first, second = incidents(events)

    assert first.over == events[1]
    assert first.id != second.id
    assert last_of([first, second]) == second
    assert last_of(incidents(events[:2])) == first


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ERROR_ENCOUNTERED", "TASK_FAILED", "TASK_COMPLETED", "PHASE_COMPLETED", "WORKFLOW_RESUMED"]),
        st.sampled_from(["build", "test"]),
        st.dictionaries(st.sampled_from(["error", "task_id", "failure_reason"]), st.text(max_size=20) | st.none()),
    ),
    max_size=12,
)


@given(_EVENTS)
def test_any_log_gives_the_same_causes_twice_each_with_evidence(rows: list[tuple[str, str, dict[str, Any]]]) -> None:
    events = [event(i, kind, phase=phase)._replace(data=data) for i, (kind, phase, data) in enumerate(rows, 1)]

    found = [(i.id, primary_cause(i)) for i in incidents(events)]

    assert found == [(i.id, primary_cause(i)) for i in incidents(iter(events))]
    assert len({name for name, _ in found}) == len(found)
    assert all(cause.kind in CAUSES and cause.evidence for _, cause in found)
