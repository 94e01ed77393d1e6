import pytest

from stretto.state.errors import BadInput
from stretto.state.filter import Filter
from stretto.state.wire import Event


def event(kind: str, workflow: str = "shop_001", severity: str = "info") -> Event:
    return Event(1, "evt_1", kind, workflow, "plan", "2026-01-01T00:00:00.000Z", "stretto", severity, {})


@pytest.mark.parametrize(
    ("pattern", "wanted", "unwanted"),
    [
        ("PHASE_*", ["PHASE_STARTED", "PHASE_FAILED"], ["TASK_STARTED", "PHASE"]),
        ("phase_*", ["PHASE_STARTED"], ["TASK_STARTED"]),
        ("*", ["PHASE_STARTED", "MY_OWN_THING", "my.own.thing"], []),
        ("*_FAILED", ["TASK_FAILED", "WORKFLOW_FAILED"], ["TASK_FAILED_AGAIN", "FAILED"]),
        ("workflow.*", ["WORKFLOW_CREATED", "workflow.archived"], ["PHASE_STARTED", "WORKFLOW"]),
        ("*.failed", ["TASK_FAILED", "recovery_failed"], ["TASK_TIMEOUT"]),
        ("phase.completed", ["PHASE_COMPLETED"], ["PHASE_STARTED", "PHASE_COMPLETED_LATE"]),
        ("planning.started", ["PLAN_STARTED"], ["PLANNING_STARTED"]),
        ("MY_OWN_THING", ["MY_OWN_THING", "my.own.thing"], ["MY_OWN"]),
        ("T*_*ED", ["TASK_STARTED", "TASK_FAILED"], ["TASK_TIMEOUT"]),
    ],
)
def test_a_pattern_means_types(pattern: str, wanted: list[str], unwanted: list[str]) -> None:
    wants = Filter(patterns=(pattern,)).test()

    assert [kind for kind in wanted if not wants(event(kind))] == []
    assert [kind for kind in unwanted if wants(event(kind))] == []


@pytest.mark.parametrize(
    ("pattern", "wanted", "unwanted"),
    [
        ("workflow.*.phase_completed", [("PHASE_COMPLETED", "any")], [("PHASE_STARTED", "any")]),
        ("workflow.shop_001.completed", [("WORKFLOW_COMPLETED", "shop_001")], [("WORKFLOW_COMPLETED", "shop_002")]),
        ("workflow.shop_*.*", [("TASK_FAILED", "shop_002")], [("TASK_FAILED", "school_001")]),
        ("agent.*.timeout", [("AGENT_TIMEOUT", "any")], [("TASK_TIMEOUT", "any"), ("TIMEOUT", "any")]),
        ("system.system.*", [("SYSTEM_ERROR", "system")], [("SYSTEM_ERROR", "shop_001")]),
        ("task.v1.2.failed", [("TASK_FAILED", "v1.2")], [("TASK_FAILED", "v1_2"), ("TASK_FAILED", "V1.2")]),
    ],
)
def test_a_pattern_of_three_parts_names_the_workflow_too(
    pattern: str, wanted: list[tuple[str, str]], unwanted: list[tuple[str, str]]
) -> None:
    wants = Filter(patterns=(pattern,)).test()

    assert [known for known in wanted if not wants(event(*known))] == []
    assert [known for known in unwanted if wants(event(*known))] == []


def test_one_of_the_patterns_and_one_of_the_classes_and_the_severity_have_to_fit() -> None:
    wants = Filter(("task.*", "phase.*"), ("error", "checkpoint"), "warning").test()

    assert wants(event("TASK_FAILED", severity="warning"))
    assert wants(event("PHASE_FAILED", severity="critical"))
    assert not wants(event("PHASE_FAILED", severity="info"))
    assert not wants(event("PHASE_STARTED", severity="error"))
    assert not wants(event("WORKFLOW_FAILED", severity="error"))


def test_a_filter_without_conditions_wants_everything() -> None:
    assert Filter().test()(event("MY_OWN_THING"))


@pytest.mark.parametrize("pattern", ["", ".", "workflow.", ".failed", "a..b", "a b", "[a-z]", "a?", "a:b", "x" * 201])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(BadInput) as refused:
        Filter(patterns=(pattern,)).test()

    assert refused.value.details["field"] == "pattern"


@pytest.mark.parametrize(
    ("wanted", "field"), [(Filter(classes=("errors",)), "class"), (Filter(severity="fatal"), "severity")]
)
def test_an_unknown_class_or_severity_is_refused_naming_those_that_there_are(wanted: Filter, field: str) -> None:
    with pytest.raises(BadInput) as refused:
        wanted.test()

    assert refused.value.details["field"] == field
    assert "error" in refused.value.details["allowed"]


def test_many_stars_take_no_time() -> None:
    wants = Filter(patterns=("*A" * 90,)).test()

    assert not wants(event("A" * 5000 + "B"))


def test_a_filter_comes_back_from_the_store_as_it_was() -> None:
    wanted = Filter(("*.failed",), ("error",), "warning", "shop_001")

    assert Filter.of(wanted.as_dict()) == wanted
