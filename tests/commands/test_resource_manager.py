"""/resource-manager: what there is, who has it, who waits; and what is chosen about it."""

import json
from pathlib import Path

import pytest

from stretto.state.errors import BadInput
from tests.commands.clocked import Clocked
from tests.commands.door import Project

FOUR = {"capacity": {"agents": 4, "memory": "8GB", "cpu": 4}}


@pytest.fixture
def shop(tmp_path: Path) -> Clocked:
    """A store of four agents and 8 GiB."""
    found = Clocked(tmp_path / "shop")
    found.manager("configure", **FOUR)
    return found


# looking


def test_the_status_is_there_before_anything_was_done(project: Project) -> None:
    ran = project.run("resource-manager", "status", "--json")

    assert (ran.code, project.store.exists()) == (0, False)
    assert ran.json["result"]["free"]["agents"] == 4
    assert ran.json["result"]["utilisation"]["allocated_share"] is None
    assert "unknown" in project.run("resource-manager", "status").out


def test_the_status_says_who_has_what_and_when_those_who_wait_will_start(shop: Clocked) -> None:
    shop.hub("create", "one_001", resource_requirements={"agents": 3, "memory": "2GB", "duration": "4h"})
    shop.hub("create", "two_002", resource_requirements={"agents": 2, "duration": "2h"})
    shop.now += 3600

    result = shop.manager("status").result

    assert (result["allocated"]["agents"], result["free"]["agents"]) == (3, 1)
    assert result["free"]["memory"] == 6 * 1024**3
    (waits,) = result["queue"]
    assert (waits["workflow_id"], waits["position"], waits["estimated_start"]) == ("two_002", 1, "3h")
    assert waits["reason"] == "agents not free"


def test_utilisation_is_the_agent_time_that_the_log_tells_of(shop: Clocked) -> None:
    shop.hub("create", "one_001", phases=["a", "b"], resource_requirements={"agents": 2})
    shop.now += 100  # allocated, nobody works
    shop.hub("start", "one_001")
    shop.now += 300
    shop.hub("complete-phase", "one_001", "a")
    shop.now += 100

    use = shop.manager("status", "--explain").result["utilisation"]
    last = shop.manager("usage", window="100s").result["utilisation"]

    assert (use["capacity_agent_seconds"], use["allocated_agent_seconds"], use["busy_agent_seconds"]) == (
        2000,
        1000,
        600,
    )
    assert use["efficiency"] == pytest.approx(0.6)
    by_id = {e.event_id: e.type for e in shop.events()}
    assert [by_id[name] for name in use["explained_by"]] == ["RESOURCE_ALLOCATED", "PHASE_STARTED", "PHASE_COMPLETED"]
    assert (last["allocated_agent_seconds"], last["busy_agent_seconds"]) == (200, 0)


def test_of_what_is_only_allocated_nobody_knows_how_busy_it_is(shop: Clocked) -> None:
    shop.hub("create", "one_001", resource_requirements={"agents": 2})
    shop.now += 100

    use = shop.manager("status").result["utilisation"]

    assert (use["allocated_share"], use["busy_share"], use["efficiency"]) == (0.5, None, None)


def test_an_agent_that_somebody_has_is_shown_with_its_work(shop: Clocked) -> None:
    shop.hub("create", "one_001", resource_requirements={"agents": 1})
    shop.hub("assign-agents", "one_001", '[{"agent_id": "agent_002", "role": "database"}]')

    agents = {a["agent_id"]: a for a in shop.manager("status", "agents").result["agents"]}

    assert len(agents) == 4
    assert (agents["agent_002"]["state"], agents["agent_002"]["role"]) == ("busy", "database")
    assert agents["agent_001"]["state"] == "idle"


def test_the_monitor_warns_of_what_is_nearly_all_given_away(shop: Clocked) -> None:
    assert shop.manager("monitor").result["warnings"] == []
    shop.hub("create", "one_001", resource_requirements={"agents": 4})

    assert shop.manager("monitor").result["warnings"] == ["agents: 100 % allocated, above 90 %"]


# choosing


def test_what_is_configured_is_echoed_with_its_version_and_shown_by_the_status(shop: Clocked) -> None:
    reply = shop.manager(
        "configure",
        prediction_mode="enabled",
        learning_data="historical_workflows",
        optimization_strategy="adaptive",
        conflict_prevention="proactive",
    )

    assert reply.result["settings"] == {
        "version": 1,
        "prediction_mode": "enabled",
        "learning_data": "historical_workflows",
        "optimization_strategy": "adaptive",
        "conflict_prevention": "proactive",
    }
    assert "is empty" in reply.text
    assert [e.event_id for e in shop.events() if e.type == "SETTINGS_CHANGED"][-1:] == list(reply.events)
    assert shop.manager("status").result["settings"]["conflict_prevention"] == "proactive"


def test_a_choice_leaves_the_others_as_they_were(shop: Clocked) -> None:
    shop.manager("configure", conflict_prevention="proactive")
    reply = shop.manager("configure", learning_data="none")

    assert reply.result["settings"]["conflict_prevention"] == "proactive"
    assert reply.result["settings"]["version"] == 2


def test_the_data_to_learn_from_are_workflows_that_have_finished(shop: Clocked) -> None:
    shop.workflow("old_001", seconds=600)
    shop.now += 8 * 86400
    shop.workflow("new_002", seconds=600)

    everything = shop.manager("configure", learning_data="historical_workflows")
    recent = shop.manager("configure", learning_data="last_7_days")

    assert everything.result["learning"] == {
        "set": "historical_workflows",
        "n": 2,
        "workflows": ["old_001", "new_002"],
    }
    assert recent.result["learning"]["workflows"] == ["new_002"]


def test_those_who_wait_start_when_the_capacity_grows(shop: Clocked) -> None:
    shop.hub("create", "one_001", resource_requirements={"agents": 3})
    shop.hub("create", "two_002", resource_requirements={"agents": 3})

    shop.manager("configure", capacity={"agents": 6})

    assert shop.types("two_002")[-1] == "WORKFLOW_SCHEDULED"


@pytest.mark.parametrize(
    ("args", "field"),
    [
        (("status", "storage"), "scope"),
        (("status", '{"windw": "1h"}'), "windw"),
        (("configure", "{}"), "json"),
        (("configure", '{"prediction_mode": "maybe"}'), "prediction_mode"),
        (("configure", '{"learning_data": "all"}'), "learning_data"),
        (("configure", '{"capacity": {"agents": 2}}'), "capacity.agents"),
        (("configure", '{"capacity": {"memory": "much"}}'), "capacity.memory"),
        (("configure", '{"capacity": {"disk": 3}}'), "capacity.disk"),
        (("configure", '{"optimisation": 1}'), "optimisation"),
        (("status", "--agents=2"), "--agents"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field_and_nothing_is_written(
    shop: Clocked, args: tuple[str, ...], field: str
) -> None:
    shop.hub("create", "one_001", resource_requirements={"agents": 3})
    before = shop.events()

    with pytest.raises(BadInput) as caught:
        shop.manager(*args)

    assert (caught.value.exit_code, caught.value.details["field"]) == (2, field)
    assert shop.events() == before


def test_an_operation_that_is_not_there_is_refused_by_name(project: Project) -> None:
    ran = project.run("resource-manager", "tune", "cpu", "--json")

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, "operation")
    assert "does not have it yet" in ran.json["error"]["message"]
    assert json.dumps(ran.json)
    assert not project.store.exists()
