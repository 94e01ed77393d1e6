import pytest

from stretto.state import registry, wire

SEED = """\
WORKFLOW_CREATED:feature_dev_001:setup:{"priority":"high","resources":{"agents":3}}
WORKFLOW_CREATED:bug_fix_002:setup:{"priority":"medium","resources":{"agents":2}}
RESOURCE_ANALYSIS_REQUESTED:system:coordination:{"total_agents":5,"conflicts":false}
WORKFLOW_SCHEDULED:feature_dev_001:ready:{"start_time":"immediate","estimated_completion":"4h"}
WORKFLOW_QUEUED:bug_fix_002:waiting:{"queue_position":1,"estimated_start":"30m"}
RESEARCH_STARTED:research_auth_001:research:{"agents":2,"estimated_duration":"2h"}
RESEARCH_COMPLETED:research_auth_001:research:{"reports_generated":3,"insights":15}
PLAN_STARTED:planning_auth_001:planning:{"context_preserved":true}
PLAN_COMPLETED:planning_auth_001:planning:{"phases":5,"complexity":"high"}
IMPLEMENTATION_STARTED:impl_auth_001:implementation:{"parallel_tracks":3}
PHASE_COMPLETED:impl_auth_001:backend:{"duration":"45m","tests_passing":true}
PHASE_COMPLETED:impl_auth_001:frontend:{"duration":"60m","tests_passing":true}
PHASE_COMPLETED:impl_auth_001:database:{"duration":"30m","tests_passing":true}
TESTING_COMPLETED:impl_auth_001:testing:{"coverage":95,"security_passed":true}
WORKFLOW_COMPLETED:impl_auth_001:finalization:{"total_duration":"4h","success":true}
ERROR_ENCOUNTERED:microservices_migration_001:database_migration:{"error":"connection_timeout","impact":"critical"}
"""


def test_the_registry_has_the_59_canonical_types_and_our_own() -> None:
    assert len(registry.TYPES - registry.OWN) == 59
    assert registry.OWN <= registry.TYPES
    assert {"RESEARCH_STARTED", "DOCUMENTATION_FAILED", "CHECKPOINT_RESTORED"} <= registry.TYPES


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("workflow.created", "WORKFLOW_CREATED"),
        ("phase_started", "PHASE_STARTED"),
        ("PLANNING_STARTED", "PLAN_STARTED"),
        ("planning_completed", "PLAN_COMPLETED"),
        ("planning.failed", "PLAN_FAILED"),
        ("recovery.started", "RECOVERY_INITIATED"),
        ("resource.released", "RESOURCE_DEALLOCATED"),
        ("agent_assigned", "AGENT_ALLOCATED"),
        ("checkpoint_created", "CHECKPOINT_CREATED"),
        ("TASK_FAILED", "TASK_FAILED"),
    ],
)
def test_other_spellings_mean_the_canonical_type(name: str, meant: str) -> None:
    assert registry.canonical(name) == meant


@pytest.mark.parametrize(
    "name", ["EMERGENCY_RESPONSE_ACTIVATED", "my.own_thing", "Workflow_Created", "command_started"]
)
def test_an_unknown_type_is_kept_as_it_is_and_marked(name: str) -> None:
    assert registry.canonical(name) == name
    assert not registry.is_known(name)


def test_every_alias_leads_to_a_known_type_and_hides_none() -> None:
    assert set(registry.ALIASES.values()) <= registry.TYPES
    assert not set(registry.ALIASES) & registry.TYPES


@pytest.mark.parametrize(
    ("event_type", "classes"),
    [
        ("PHASE_STARTED", {"state_change"}),
        ("WORKFLOW_FAILED", {"state_change", "error"}),
        ("AGENT_TIMEOUT", {"error"}),
        ("ERROR_ENCOUNTERED", {"error"}),
        ("CHECKPOINT_CREATED", {"checkpoint"}),
        ("RESOURCE_ALLOCATED", set[str]()),
    ],
)
def test_a_type_belongs_to_its_classes(event_type: str, classes: set[str]) -> None:
    assert registry.classes(event_type) == classes


def test_what_a_type_must_say_is_named_when_it_is_left_out_and_more_may_be_said() -> None:
    assert registry.missing("TASK_FAILED", {"task_id": "plan/T1", "agent_id": "a"}) == ("failure_reason", "retry_count")
    assert registry.missing("ERROR_ENCOUNTERED", {"error": None, "impact": "critical"}) == ()
    assert registry.missing("MY_OWN_THING", {}) == ()


def test_requirements_are_of_types_that_there_are() -> None:
    assert registry.REQUIRED.keys() <= registry.TYPES
    assert all(registry.REQUIRED.values())


def test_the_sixteen_event_lines_of_the_seed_say_what_is_required_of_them() -> None:
    lines = [wire.parse_event(line) for line in SEED.splitlines()]

    assert len(lines) == 16
    assert [registry.missing(registry.canonical(line.type), line.data) for line in lines] == [()] * 16
    assert all(registry.is_known(line.type) for line in lines)
