"""What /workflow-status tells and does beyond a look, through its door."""

from typing import Any

import pytest

from stretto.state.log import Log
from tests.commands.door import Project
from tests.commands.test_coordination_hub import BIG, hub, told, types

SHOP: dict[str, Any] = {**BIG, "dependencies": ["review", "other_002"]}


@pytest.fixture
def shop(project: Project) -> Project:
    hub(project, "create", "other_002", phases=["a"])
    hub(project, "create", "shop_001", **SHOP)
    return project


def status(project: Project, *args: str) -> Any:
    ran = project.run("workflow-status", *args, "--json")
    assert ran.code == 0, ran.out
    return ran.json["result"]


def test_what_it_waits_for_is_shown_with_its_kind_and_state(shop: Project) -> None:
    found = status(shop, "shop_001", "--detailed", "--include-dependencies")

    assert found["dependencies"] == [
        {"name": "review", "kind": "external", "state": "not checked", "satisfied": True},
        {"name": "other_002", "kind": "workflow", "state": "SCHEDULED", "satisfied": False},
    ]
    assert found["phases_after"] == {"build": [], "check": ["build"]}
    assert found["allocations"][0]["state"] == "queued"


def test_what_it_holds_and_who_works_for_it_is_shown(shop: Project) -> None:
    hub(shop, "assign-agents", "other_002", '[{"agent_id": "agent_003", "role": "database"}]')

    ran = shop.run("workflow-status", "other_002", "--detailed")
    found = status(shop, "other_002", "--detailed")

    assert "holds 1 agents, 1 workflows" in ran.out
    assert "agent_003 works for it (database" in ran.out
    assert [a["agent_id"] for a in found["agents"]] == ["agent_003"]
    assert found["left"]["likely"] is None


def test_a_subscription_hands_over_each_event_once_and_only_its_classes(shop: Project) -> None:
    first = status(shop, "other_002", "--subscribe", "--events=[checkpoint, error]")
    assert first["pending"] == []
    hub(shop, "start-phase", "other_002", "a")
    with Log.open(shop.store, durability="process") as log, log.write() as tx:
        tx.event("ERROR_ENCOUNTERED", "other_002", "a", {"error": "timeout"}, severity="error")
        tx.event("ERROR_ENCOUNTERED", "shop_001", "a", {"error": "not mine"}, severity="error")

    second = status(shop, "other_002", "--subscribe", "--events=[checkpoint, error]")
    third = status(shop, "other_002", "--subscribe", "--events=[error, checkpoint]")

    assert [e["event_type"] for e in second["pending"]] == ["CHECKPOINT_CREATED", "ERROR_ENCOUNTERED"]
    assert third["pending"] == []
    assert first["subscription_id"] == third["subscription_id"]


def test_a_person_moves_a_workflow_and_every_move_is_an_event(shop: Project) -> None:
    hub(shop, "start-phase", "other_002", "a")
    for args in (
        ["--pause", "--reason", "lunch"],
        ["--resume"],
        ["--priority=low"],
        ["--checkpoint", "--name", "here"],
    ):
        assert shop.run("workflow-status", "other_002", *args).code == 0

    assert types(shop, "other_002")[-4:] == [
        "WORKFLOW_PAUSED",
        "WORKFLOW_RESUMED",
        "WORKFLOW_STATE_UPDATED",
        "CHECKPOINT_CREATED",
    ]
    assert told(shop, "WORKFLOW_PAUSED")["pause_reason"] == "lunch"


def test_a_higher_priority_changes_who_is_next(project: Project) -> None:
    hub(project, "create", "busy_001", **BIG)
    for name in ("first_002", "second_003"):
        hub(project, "create", name, **BIG)
    project.run("workflow-status", "second_003", "--priority=critical")

    hub(project, "cancel", "busy_001")

    assert types(project, "second_003")[-1] == "WORKFLOW_SCHEDULED"
    assert types(project, "first_002")[-1] == "WORKFLOW_QUEUED"


def test_a_phase_is_skipped_for_a_reason(shop: Project) -> None:
    hub(shop, "create", "third_003", phases=["a", "b"])
    assert shop.run("workflow-status", "third_003", "--skip", "b").code == 2

    assert shop.run("workflow-status", "third_003", "--skip", "b", "--reason", "no need").code == 0
    assert told(shop, "PHASE_SKIPPED")["skip_reason"] == "no need"


@pytest.mark.parametrize(
    ("args", "field"),
    [
        (("--subscribe",), "workflow_id"),
        (("shop_001", "--events=[error]"), "--events"),
        (("shop_001", "--subscribe", "--events=[everything]"), "class"),
        (("shop_001", "--pause", "--resume"), "--resume"),
        (("shop_001", "--pause", "--name=x"), "--name"),
        (("shop_001", "--pause", "--detailed"), "--detailed"),
        (("shop_001", "--checkpoint"), "name"),
        (("nobody_001", "--pause"), "workflow_id"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_is_written(
    shop: Project, args: tuple[str, ...], field: str
) -> None:
    before = shop.everything()

    ran = shop.run("workflow-status", *args, "--json")

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, field)
    assert shop.everything() == before


def test_a_workflow_of_a_driver_is_asked_to_pause_only_while_one_runs_it(project: Project) -> None:
    project.work("report", "Sessions")

    for flag, field in (("--pause", "--pause"), ("--resume", "--resume"), ("--skip=a", "--skip")):
        ran = project.run("workflow-status", "sessions_001", flag, "--json")
        assert (ran.code, ran.json["error"]["details"]["field"]) == (2, field)


def test_an_id_that_begins_with_workflow_is_found_as_it_is_and_without_it(project: Project) -> None:
    for name in ("workflow_123", "shop_001"):
        assert project.run("coordination-hub", "create", name).code == 0

    for name in ("workflow_123", "workflow_shop_001"):
        assert project.run("workflow-status", name).code == 0
        assert project.run("workflow-status", name, "--subscribe", "--events=error").code == 0
    assert project.run("workflow-status", "123").code == 2
