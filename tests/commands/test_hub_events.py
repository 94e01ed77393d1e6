"""Events that others publish, read and subscribe to; through the hub's door."""

import json
from typing import Any

import pytest

from tests.commands.door import Project
from tests.commands.test_coordination_hub import events, hub, types


@pytest.fixture
def shop(project: Project) -> Project:
    hub(project, "create", "shop_001", phases=["build"])
    hub(project, "start", "shop_001")
    return project


def test_a_report_is_in_the_log_with_who_wrote_it(shop: Project) -> None:
    data = {"task_id": "build/api", "agent_id": "agent_001"}

    ran = hub(shop, "publish-event", "shop_001", event_type="task.started", data=data, phase="build")

    assert ran.code == 0, ran.err
    newest = events(shop)[-1]
    assert (newest.type, newest.phase, newest.source, newest.data) == ("TASK_STARTED", "build", "published", data)
    assert "build/api" in shop.run("workflow-status", "shop_001", "--detailed").out


def test_a_critical_error_is_looked_into_by_itself(shop: Project) -> None:
    hub(shop, "publish-event", "shop_001", event_type="ERROR_ENCOUNTERED", severity="critical", data={"error": "gone"})

    assert types(shop)[-2:] == ["ERROR_ENCOUNTERED", "WORKFLOW_STATE_UPDATED"]


def test_a_type_of_ones_own_is_kept_and_marked(shop: Project) -> None:
    ran = hub(shop, "publish-event", "--json", event_type="DEPLOY_DONE", data={"host": "a"})
    assert ran.json["result"] == {
        "event_type": "DEPLOY_DONE",
        "workflow_id": "system",
        "phase": "global",
        "known": False,
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "event_type"),
        ({"event_type": "WORKFLOW_COMPLETED"}, "event_type"),
        ({"event_type": "phase.completed"}, "event_type"),
        ({"event_type": "RESOURCE_ALLOCATED", "data": {}}, "event_type"),
        ({"event_type": "TASK_STARTED", "data": {"task_id": "a"}}, "data.agent_id"),
        ({"event_type": "SYSTEM_ERROR", "severity": "loud"}, "severity"),
        ({"event_type": "DEPLOY_DONE", "data": []}, "data"),
        ({"event_type": "DEPLOY_DONE", "data": {"x": "y" * 70_000}}, "data"),
        ({"event_type": "DEPLOY_DONE", "enable_batching": True}, "enable_batching"),
    ],
)
def test_what_would_move_a_workflow_or_is_not_whole_is_refused(shop: Project, body: dict[str, Any], field: str) -> None:
    before = types(shop)
    ran = shop.run("coordination-hub", "publish-event", "shop_001", json.dumps(body), "--json")
    assert ran.code == 2
    assert ran.json["error"]["details"]["field"] == field
    assert types(shop) == before


def test_the_type_may_hold_nothing_that_divides_a_line(shop: Project) -> None:
    ran = hub(shop, "publish-event", "shop_001", event_type="A:B\u00e9", data={})
    assert ran.code == 2


def test_nothing_happens_any_more_to_what_has_ended(shop: Project) -> None:
    hub(shop, "cancel", "shop_001")
    ran = hub(shop, "publish-event", "shop_001", event_type="SYSTEM_ERROR")
    assert ran.code == 2


def test_events_are_read_by_pattern_the_newest_first_or_on_from_a_number(shop: Project) -> None:
    for number in range(5):
        hub(shop, "publish-event", "shop_001", event_type="PHASE_PROGRESS", data={"progress_percentage": number})

    newest = hub(shop, "shop_001", "get-events", "--json", patterns=["phase.progress"], limit=2).json["result"]
    assert newest["found"] == 5
    assert [e["data"]["progress_percentage"] for e in newest["events"]] == [3, 4]

    begin = newest["events"][0]["seq"] - 3
    onward = hub(shop, "shop_001", "get-events", "--json", patterns=["phase.progress"], limit=2, after=begin)
    assert [e["data"]["progress_percentage"] for e in onward.json["result"]["events"]] == [1, 2]


def test_a_subscriber_is_given_each_event_once(shop: Project) -> None:
    def pending() -> list[Any]:
        ran = hub(shop, "shop_001", "subscribe-event", "--json", subscriber="mailer", patterns=["phase.*"])
        assert ran.code == 0, ran.err
        return [e["data"].get("progress_percentage") for e in ran.json["result"]["pending"]]

    assert pending() == []
    hub(shop, "publish-event", "shop_001", event_type="PHASE_PROGRESS", data={"progress_percentage": 7})
    assert pending() == [7]
    assert pending() == []


def test_a_subscriber_needs_a_name_and_a_pattern_that_is_one(shop: Project) -> None:
    assert hub(shop, "subscribe-event", patterns=["phase.*"]).code == 2
    assert hub(shop, "subscribe-event", subscriber="../x", patterns=["phase.*"]).code == 2
    assert hub(shop, "subscribe-event", subscriber="mailer", patterns=["ph/ase"]).code == 2
