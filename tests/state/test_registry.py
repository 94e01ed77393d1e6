import pytest

from stretto.state import registry


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
