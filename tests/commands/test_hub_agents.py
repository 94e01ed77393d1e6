"""Agents chosen by score, their work handed to others, the pool looked at; through the hub's door."""

import json
from typing import Any

import pytest

from tests.commands.door import Project, Ran
from tests.commands.test_coordination_hub import events, hub, told, types


def publish(project: Project, workflow: str, kind: str, **data: Any) -> Ran:
    return hub(project, workflow, "publish-event", event_type=kind, data=data)


@pytest.fixture
def shop(project: Project) -> Project:
    """A running workflow that may have three agents, with two of them: the first is at work on two tasks."""
    hub(project, "create", "shop_001", phases=["build"], resource_requirements={"agents": 3})
    hub(project, "start", "shop_001")
    for name, role in (("agent_001", "database"), ("agent_002", "frontend")):
        named = json.dumps([{"agent_id": name, "role": role}])
        assert project.run("coordination-hub", "shop_001", "assign-agents", named).code == 0
    for task in ("build/tables", "build/index"):
        publish(project, "shop_001", "TASK_STARTED", task_id=task, agent_id="agent_001")
    return project


def scores(ran: Ran) -> dict[str, float]:
    return {one["agent_id"]: one["score"] for one in ran.json["result"]["scores"]}


def test_the_idle_agents_of_the_highest_score_are_chosen(project: Project) -> None:
    hub(project, "create", "past_001", phases=["go"], resource_requirements={"agents": 2})
    project.run("coordination-hub", "past_001", "assign-agents", '[{"agent_id": "agent_002", "role": "database"}]')
    publish(project, "past_001", "TASK_COMPLETED", task_id="go/a", agent_id="agent_003", results={})
    publish(project, "past_001", "TASK_FAILED", task_id="go/b", agent_id="agent_001", failure_reason="x", retry_count=0)
    hub(project, "cancel", "past_001")
    hub(project, "create", "shop_001", phases=["build"], resource_requirements={"agents": 2})

    ran = hub(project, "assign-agents", "shop_001", "--json", agent_count=2, specializations=["database_migration"])

    assert ran.code == 0, ran.err
    # 70 for its role and 12.5 as nobody has seen it at work, 5 free; then no role, one of one done: 35 + 25 · 2/3 + 5
    assert scores(ran) == {"agent_002": 87.5, "agent_003": pytest.approx(35 + 50 / 3 + 5, abs=0.01)}
    assert told(project, "AGENT_ALLOCATED")["role"] == "database_migration"


def test_agents_below_the_threshold_are_not_chosen_and_nothing_is_written(project: Project) -> None:
    hub(project, "create", "shop_001", phases=["build"], resource_requirements={"agents": 2})
    before = project.everything()

    ran = hub(project, "assign-agents", "shop_001", agent_count=1, performance_threshold=0.6)

    assert ran.code != 0
    assert "reliable enough" in ran.err
    assert project.everything() == before


def test_the_open_tasks_of_an_agent_go_to_the_others_in_their_order(shop: Project) -> None:
    shop.run("coordination-hub", "shop_001", "assign-agents", '[{"agent_id": "agent_003", "role": "database"}]')

    ran = hub(shop, "redistribute-tasks", "shop_001", "--json", failed_agent="agent_001")

    assert ran.code == 0, ran.err
    moved = [(one["task_id"], one["new_agent"]) for one in ran.json["result"]["moved"]]
    assert moved == [("build/tables", "agent_003"), ("build/index", "agent_003")]
    again = [e.data for e in events(shop) if e.type == "TASK_REASSIGNED"]
    assert [(d["task_id"], d["old_agent"], d["new_agent"]) for d in again] == [
        ("build/tables", "agent_001", "agent_003"),
        ("build/index", "agent_001", "agent_003"),
    ]


def test_by_load_each_task_goes_to_whoever_has_the_least(shop: Project) -> None:
    shop.run("coordination-hub", "shop_001", "assign-agents", '[{"agent_id": "agent_003", "role": "database"}]')

    ran = hub(shop, "redistribute-tasks", "shop_001", "--json", failed_agent="agent_001", strategy="least_loaded")

    assert [one["new_agent"] for one in ran.json["result"]["moved"]] == ["agent_003", "agent_002"]


def test_finished_tasks_stay_whose_they_were(shop: Project) -> None:
    publish(shop, "shop_001", "TASK_COMPLETED", task_id="build/tables", agent_id="agent_001", results={})

    ran = hub(shop, "redistribute-tasks", "shop_001", "--json", failed_agent="agent_001")

    assert [one["task_id"] for one in ran.json["result"]["moved"]] == ["build/index"]


def test_the_pool_tells_who_has_an_agent_and_how_it_did(shop: Project) -> None:
    publish(shop, "shop_001", "TASK_COMPLETED", task_id="build/tables", agent_id="agent_001", results={})

    found = {one["agent_id"]: one for one in hub(shop, "monitor-pool", "--json").json["result"]["agents"]}

    first, second = found["agent_001"], found["agent_002"]
    assert (first["workflow_id"], first["done"], first["open"]) == ("shop_001", 1, ["shop_001:build/index"])
    assert first["reliability"] == pytest.approx(2 / 3, abs=1e-4)
    assert second["reliability"] is None  # nobody has seen it at work: unknown, not a half


def test_the_pool_is_told_of_where_nobody_has_worked_yet(project: Project) -> None:
    ran = project.run("coordination-hub", "monitor-pool")
    assert ran.code == 0
    assert ran.out.startswith("4 agents: 0 busy, 4 idle, 0 failed; room for 4 at work\n  agent_001  no role  idle")
    assert not project.store.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "failed_agent"),
        ({"failed_agent": "agent_099"}, "failed_agent"),
        ({"failed_agent": "agent_001", "strategy": "random"}, "strategy"),
        ({"failed_agent": "agent_001", "preserve_order": False}, "preserve_order"),
    ],
)
def test_bad_redistribution_names_the_field_and_writes_nothing(shop: Project, body: dict[str, Any], field: str) -> None:
    before = types(shop)
    ran = shop.run("coordination-hub", "redistribute-tasks", "shop_001", json.dumps(body), "--json")
    assert ran.code == 2
    assert ran.json["error"]["details"]["field"] == field
    assert types(shop) == before


def test_what_has_ended_gives_back_what_it_held_and_is_archived(shop: Project) -> None:
    early = hub(shop, "cleanup", "shop_001", "--json")
    assert early.code == 2
    assert "only what has ended" in early.json["error"]["message"]
    hub(shop, "complete-phase", "shop_001", "build")
    hub(shop, "complete", "shop_001")

    ran = hub(shop, "cleanup", "shop_001", "--json", archive_state=True)

    assert ran.code == 0, ran.err
    assert ran.json["result"]["status"] == "ARCHIVED"
    assert json.loads(shop.run("workflow-status", "shop_001", "--json").out)["result"]["status"] == "ARCHIVED"
    assert shop.run("workflow-recovery", "validate-state", "shop_001").code == 0
