"""/resource-manager allocate: what is given, what waits, what is refused, and what is predicted."""

from pathlib import Path
from typing import Any

import pytest

from stretto.state.errors import BadInput
from tests.commands.clocked import Clocked

GIB = 1024**3
LINE_13: dict[str, Any] = {
    "workflow_id": "complex_feature_001",
    "workflow_type": "feature_development",
    "estimated_complexity": "high",
    "time_constraints": {"deadline": "2d", "priority": "high"},
    "prediction_context": {
        "similar_workflows": ["auth_feature", "payment_integration"],
        "team_performance": "current_team_metrics",
        "system_load": "current_utilization",
    },
}


@pytest.fixture
def shop(tmp_path: Path) -> Clocked:
    """A store of four agents and 8 GiB."""
    found = Clocked(tmp_path / "shop")
    found.manager("configure", capacity={"agents": 4, "memory": "8GB", "cpu": 8})
    return found


# amounts


def test_what_is_free_is_given_at_once(shop: Clocked) -> None:
    reply = shop.manager(
        "allocate", workflow_id="shop_001", priority="high", resources={"agents": 2, "memory": "1GB", "duration": "1h"}
    )

    assert reply.result["status"] == "approved"
    assert reply.result["allocated_resources"] == {"agents": 2, "memory": GIB, "seconds": 3600}
    assert not reply.result["workflow_exists"]
    assert "no workflow 'shop_001' yet" in reply.text
    assert shop.types("shop_001") == ["RESOURCE_REQUESTED", "RESOURCE_ALLOCATED"]
    assert [e.event_id for e in shop.events("shop_001")] == list(reply.events)
    (held,) = shop.live()
    assert (held.state, held.priority) == ("active", "high")


def test_agents_of_a_specialisation_come_from_the_pool(shop: Clocked) -> None:
    shop.workflow("db_001", resource_requirements={"agents": 1})
    shop.hub("assign-agents", "db_001", '[{"agent_id": "agent_003", "role": "research"}]')
    shop.hub("cancel", "db_001")
    shop.hub("create", "research_auth_001", resource_requirements={"agents": 1})

    reply = shop.manager("allocate", "research_auth_001", "--agents=2", "--specialization=research")

    assert (reply.result["status"], reply.result["agents"]) == ("approved", ["agent_003", "agent_001"])
    agents = shop.agents()
    assert {agents[name].role for name in reply.result["agents"]} == {"research"}
    assert {agents[name].workflow_id for name in reply.result["agents"]} == {"research_auth_001"}
    assert shop.told("AGENT_ALLOCATED")["role"] == "research"


def test_a_request_that_does_not_fit_waits_and_says_since_when_it_will_have_it(shop: Clocked) -> None:
    shop.manager("allocate", workflow_id="one_001", resources={"agents": 3, "duration": "2h"})
    reply = shop.manager("allocate", workflow_id="two_002", resources={"agents": 2})

    assert (reply.result["status"], reply.result["queue_position"]) == ("queued", 1)
    assert (reply.result["estimated_start"], reply.result["reason"]) == ("2h", "agents not free")
    assert reply.result["alternatives"][1]["option"] == "reduce_agents"

    shop.hub("create", "other_003", resource_requirements={"agents": 0})
    assert {one.state for one in shop.live("two_002")} == {"queued"}


@pytest.mark.parametrize(
    ("options", "status", "agents", "seconds"),
    [
        ({}, "denied", None, None),
        ({"queue_if_unavailable": True}, "queued", None, None),
        ({"reduce_agents": True}, "partial", 1, 3600),
        ({"extend_duration": True}, "partial", 1, 7200),
        ({"reduce_agents": True, "extend_duration": True, "queue_if_unavailable": True}, "partial", 1, 7200),
    ],
)
def test_what_it_would_take_instead_decides(
    shop: Clocked, options: dict[str, bool], status: str, agents: int | None, seconds: float | None
) -> None:
    shop.manager("allocate", workflow_id="one_001", resources={"agents": 3})

    reply = shop.manager(
        "allocate", workflow_id="two_002", resources={"agents": 2, "duration": "1h"}, fallback_options=options
    )

    granted = reply.result["allocated_resources"]
    assert (reply.result["status"], granted.get("agents"), granted.get("seconds")) == (status, agents, seconds)
    assert reply.exit_code == 0
    if status == "denied":
        assert reply.result["refused"][0]["reason"] == "agents not free"
        assert shop.types("two_002") == ["RESOURCE_REQUESTED", "RESOURCE_DEALLOCATED", "RESOURCE_CONFLICT"]
        assert shop.live("two_002") == []


def test_no_two_hold_one_file_whichever_way_it_is_written(shop: Clocked) -> None:
    shop.manager("allocate", workflow_id="one_001", resources={"agents": 1}, exclusive_files=["src/shop/"])
    body: dict[str, Any] = {"workflow_id": "two_002", "exclusive_files": ["src/shop/cart.py"]}

    waits = shop.manager("allocate", resources={"agents": 1}, **body)
    shares = shop.manager(
        "allocate",
        resources={"agents": 1},
        exclusive_files=["docs/a.md"],
        workflow_id="three_003",
        fallback_options={"accept_shared_resources": True},
    )

    assert (waits.result["status"], waits.result["reason"]) == ("queued", "src/shop/cart.py not free")
    assert shares.result["status"] == "approved"


def test_who_waits_is_not_passed_by_a_lower_priority_that_would_fit(shop: Clocked) -> None:
    shop.manager("allocate", workflow_id="one_001", resources={"agents": 3})
    shop.manager("allocate", workflow_id="two_002", priority="high", resources={"agents": 1}, exclusive_files=["a.py"])
    shop.manager("allocate", workflow_id="three_003", priority="critical", resources={"agents": 1})

    low = shop.manager("allocate", workflow_id="four_004", priority="low", resources={"agents": 1})

    assert low.result["status"] == "queued"
    assert low.result["queue_position"] == 2


def test_a_request_gives_up_when_it_has_waited_as_long_as_it_may(shop: Clocked) -> None:
    shop.manager("allocate", workflow_id="one_001", resources={"agents": 4})
    shop.manager("allocate", workflow_id="two_002", resources={"agents": 1}, constraints={"max_wait_time": "10m"})
    shop.now += 601

    shop.manager("configure", conflict_prevention="reactive")

    assert shop.live("two_002") == []
    assert shop.types("two_002")[-1] == "RESOURCE_DEALLOCATED"


def test_an_allocation_under_an_id_that_no_workflow_has_ends_with_its_time(shop: Clocked) -> None:
    shop.manager("allocate", workflow_id="one_001", resources={"agents": 4, "duration": "1h"})
    shop.now += 3600 + 299
    shop.manager("configure", conflict_prevention="reactive")
    assert shop.live("one_001")

    shop.now += 2
    shop.manager("configure", conflict_prevention="disabled")
    assert shop.live("one_001") == []


def test_what_a_driver_leaves_behind_is_given_back_a_while_after_its_workflow_has_ended(shop: Clocked) -> None:
    with shop.writing() as tx:
        tx.create_workflow("driven_001", kind="bug_fix", description="d", spec={}, runner="command:x")
        tx.set_status("driven_001", "SCHEDULED")
        tx.set_status("driven_001", "RUNNING")
    shop.manager("allocate", "driven_001", "--agents=2", "--specialization=research")
    with shop.writing() as tx:
        tx.set_status("driven_001", "COMPLETED")

    shop.now += 299
    shop.manager("configure", conflict_prevention="disabled")
    assert shop.live("driven_001")
    shop.now += 2
    shop.manager("configure", conflict_prevention="reactive")

    assert shop.live("driven_001") == []
    assert {one.state for one in shop.agents().values()} == {"idle"}


@pytest.mark.parametrize(
    ("args", "field"),
    [
        (("{}",), "workflow_id"),
        (("shop_001",), "resources"),
        (("shop_001", "--agents=9"), "resources.agents"),
        (("shop_001", '{"resources": {"agents": 0.5}}'), "resources.agents"),
        (("shop_001", '{"resources": {"gpu": 1}}'), "resources.gpu"),
        (("shop_001", '{"resources": {"memory": "2XB"}}'), "resources.memory"),
        (("shop_001", '{"exclusive_files": ["../x"]}'), "exclusive_files[0]"),
        (("shop_001", '{"workflow_id": "other_002", "resources": {"agents": 1}}'), "workflow_id"),
        (("shop_001", '{"resources": {"agents": 1}, "priority": "urgent"}'), "priority"),
        (("shop_001", '{"resources": {"agents": 1}, "fallback_options": {"wait": true}}'), "fallback_options.wait"),
        (("shop_001", '{"workflow_type": "magic"}'), "workflow_type"),
        (
            ("shop_001", '{"workflow_type": "bug_fix", "prediction_context": {"team_performance": "good"}}'),
            "prediction_context.team_performance",
        ),
        (("shop_001", '{"reservation_id": "alloc_nobody_1"}'), "allocation_id"),
        (("done_001", "--agents=1"), "workflow_id"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field_and_nothing_is_written(
    shop: Clocked, args: tuple[str, ...], field: str
) -> None:
    shop.workflow("done_001", seconds=1)
    before = shop.events()

    with pytest.raises(BadInput) as caught:
        shop.manager("allocate", *args)

    assert (caught.value.exit_code, caught.value.details["field"]) == (2, field)
    assert shop.events() == before


# prediction


def history(shop: Clocked, *seconds: float, name: str = "feature", agents: int = 2) -> None:
    for number, length in enumerate(seconds, 1):
        shop.workflow(
            f"{name}_{number:03d}",
            seconds=length,
            type="feature_development",
            resource_requirements={"agents": agents, "memory": "1GB"},
        )


def test_without_history_the_defaults_of_the_type_are_taken_and_said_to_be_that(shop: Clocked) -> None:
    reply = shop.manager("allocate", **LINE_13)

    found = reply.result["prediction"]
    assert (found["agents"], found["memory"], found["n"], found["confidence"]) == (6, 16 * GIB, 0, 0)
    assert "defaults of the type, confidence 0" in reply.text
    assert (reply.result["status"], reply.result["allocated_resources"]["agents"]) == ("partial", 4)
    assert "4 of 6 agents" in reply.result["reason"]
    assert set(found["inputs"]["similar_workflows"].values()) == {"empty: nothing of it is stored"}
    assert found["inputs"]["team_performance"] == found["inputs"]["system_load"] == "empty: nothing of it is stored"
    assert reply.result["deadline"]["feasible"] is False
    assert shop.live("complex_feature_001")[0].context["predicted"]["n"] == 0


def test_a_prediction_is_what_finished_workflows_of_the_type_needed(shop: Clocked) -> None:
    history(shop, 600, 700, 800, 900, 1000, 1100)

    reply = shop.manager("allocate", **LINE_13)

    found = reply.result["prediction"]
    assert (found["agents"], found["memory"], found["n"]) == (2, GIB, 6)
    assert (found["seconds"], found["low"], found["high"]) == (pytest.approx(800, rel=0.2), 600, 1100)
    assert 0.5 < found["confidence"] <= 0.75
    assert reply.result["deadline"]["feasible"] is True
    assert reply.result["status"] == "approved"


def test_few_finished_workflows_make_no_interval(shop: Clocked) -> None:
    history(shop, 600, 700)

    found = shop.manager("allocate", **LINE_13).result["prediction"]

    assert (found["n"], found["low"], found["high"]) == (2, None, None)


def test_each_named_input_stands_for_stored_records_and_changes_the_answer(shop: Clocked) -> None:
    history(shop, 600, 600, 600, 600)
    history(shop, 6000, 6000, name="auth_feature", agents=3)
    ask: dict[str, Any] = {**LINE_13, "fallback_options": {}}
    shop.manager("allocate", workflow_id="all_000", resources={"agents": 4, "duration": "10h"})

    def predicted(**context: Any) -> dict[str, Any]:
        body = {**ask, "workflow_id": f"x_{shop.now:.0f}", "prediction_context": context}
        shop.now += 1
        return dict(shop.manager("allocate", **body).result)

    plain = predicted()
    similar = predicted(similar_workflows=["auth_feature", "payment_integration"])
    team = predicted(team_performance="current_team_metrics")
    load = predicted(system_load="none")

    inputs = similar["prediction"]["inputs"]["similar_workflows"]
    assert inputs["auth_feature"] == ["auth_feature_001", "auth_feature_002"]
    assert inputs["payment_integration"] == "empty: nothing of it is stored"
    assert similar["prediction"]["seconds"] > plain["prediction"]["seconds"]
    assert similar["prediction"]["agents"] > plain["prediction"]["agents"] - 1
    assert len(team["prediction"]["inputs"]["team_performance"]["records"]) == 6
    assert plain["prediction"]["inputs"]["system_load"]["allocated_agents"] == 4
    assert load["deadline"]["starts_in"] != plain["deadline"]["starts_in"]


def test_a_slower_team_makes_a_longer_prediction(shop: Clocked) -> None:
    history(shop, *[600.0] * 12)
    history(shop, *[900.0] * 10, name="late")
    context = LINE_13["prediction_context"]

    with_team = shop.manager("allocate", **LINE_13).result["prediction"]
    without = shop.manager(
        "allocate",
        **{**LINE_13, "workflow_id": "y_001", "prediction_context": {**context, "team_performance": "none"}},
    ).result["prediction"]

    assert with_team["seconds"] == pytest.approx(1.5 * without["seconds"])


def test_what_to_learn_from_is_what_was_configured(shop: Clocked) -> None:
    history(shop, 600, 700)
    shop.manager("configure", learning_data="none")

    assert shop.manager("allocate", **LINE_13).result["prediction"]["n"] == 0

    shop.manager("configure", prediction_mode="disabled")
    with pytest.raises(BadInput, match="Prediction is off"):
        shop.manager("allocate", **{**LINE_13, "workflow_id": "y_001"})


def test_clashes_are_staggered_proactively_recorded_reactively_and_let_be_if_disabled(tmp_path: Path) -> None:
    seen: dict[str, tuple[str, bool]] = {}
    for mode in ("proactive", "reactive", "disabled"):
        shop = Clocked(tmp_path / mode)
        shop.manager("configure", conflict_prevention=mode, capacity={"agents": 4})
        for name in ("one_001", "two_002"):
            reply = shop.manager("allocate", workflow_id=name, resources={"agents": 1}, files=["src/cart.py"])
        seen[mode] = (reply.result["status"], "RESOURCE_CONFLICT" in shop.types())

    assert seen == {
        "proactive": ("queued", False),
        "reactive": ("approved", True),
        "disabled": ("approved", False),
    }
