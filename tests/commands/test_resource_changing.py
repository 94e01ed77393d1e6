"""/resource-manager release, reserve, reallocate, transition, handle-failure."""

from pathlib import Path
from typing import Any

import pytest

from stretto.graph import handing_over
from stretto.graph.handing_over import context_of, hash_of
from stretto.state.allocation import Exhausted, in_use
from stretto.state.database import Database
from stretto.state.errors import BadInput, NotFound, StateConflict
from stretto.state.moments import stamp
from tests.commands.clocked import Clocked

DRAFT = {"path": "specs/plans/005_jwt_authentication.md", "phases": 5, "complexity": "high"}


@pytest.fixture
def shop(tmp_path: Path) -> Clocked:
    """A store of four agents and 8 GiB."""
    found = Clocked(tmp_path / "shop")
    found.manager("configure", capacity={"agents": 4, "memory": "8GB", "cpu": 8})
    return found


def agents_in_use(shop: Clocked) -> float:
    return in_use([one for one in shop.live() if one.state == "active"]).get("agents", 0)


# release


def test_what_is_released_goes_to_the_next_in_the_queue(shop: Clocked) -> None:
    shop.manager("allocate", "one_001", "--agents=3", "--specialization=research")
    shop.manager("allocate", "two_002", "--agents=2")

    reply = shop.manager("release", "one_001", reason="done early")

    assert reply.result["admitted"] == ["two_002"]
    assert agents_in_use(shop) == 2
    assert {one.state for one in shop.agents().values()} == {"idle"}
    assert shop.types()[-4:] == ["AGENT_DEALLOCATED", "AGENT_DEALLOCATED", "RESOURCE_DEALLOCATED", "RESOURCE_ALLOCATED"]


def test_a_running_workflow_keeps_what_it_works_with_unless_it_is_forced(shop: Clocked) -> None:
    shop.hub("create", "one_001", phases=["a"])
    shop.hub("start", "one_001")

    with pytest.raises(StateConflict, match="RUNNING"):
        shop.manager("release", "one_001")
    shop.manager("release", "one_001", force=True)

    assert shop.live() == []


def test_the_place_of_a_workflow_in_the_queue_is_not_released(shop: Clocked) -> None:
    shop.manager("allocate", "one_001", "--agents=4")
    shop.hub("create", "two_002")

    with pytest.raises(StateConflict, match="wait for ever"):
        shop.manager("release", "two_002", force=True)


# reserve


def test_a_reservation_keeps_its_window_clear_and_expires_unused(shop: Clocked) -> None:
    reply = shop.manager("reserve", "night_001", start_time="1h", duration="2h", resources={"agents": 3})
    long_ = shop.manager("allocate", workflow_id="long_002", resources={"agents": 2, "duration": "2h"})
    short = shop.manager("allocate", workflow_id="short_003", resources={"agents": 4, "duration": "1h"})

    assert reply.result["reservation"]["state"] == "reserved"
    assert (long_.result["status"], long_.result["reason"]) == ("queued", "agents reserved for later")
    assert long_.result["estimated_start"] == "3h"
    assert short.result["status"] == "approved"

    shop.now += 3 * 3600
    shop.manager("configure", conflict_prevention="reactive")
    assert shop.types("night_001") == ["RESOURCE_RESERVED", "RESOURCE_DEALLOCATED"]
    assert shop.live("night_001") == []


def test_a_reservation_is_used_within_its_window_alone(shop: Clocked) -> None:
    name = shop.manager("reserve", "night_001", start_time="1h", duration="2h", resources={"agents": 3}).result[
        "reservation"
    ]["id"]

    with pytest.raises(StateConflict, match="holds from"):
        shop.manager("allocate", "night_001", f'{{"reservation_id": "{name}"}}')
    shop.now += 3600
    waits = shop.manager("allocate", "other_002", "--agents=2")
    used = shop.manager("allocate", "night_001", f'{{"reservation_id": "{name}"}}')

    assert waits.result["status"] == "queued"
    assert (used.result["status"], used.result["allocation_id"]) == ("approved", name)


def test_what_is_promised_is_not_promised_twice(shop: Clocked) -> None:
    shop.manager("reserve", "one_001", start_time="1h", duration="1h", resources={"agents": 3})

    with pytest.raises(Exhausted, match="agents not free") as caught:
        shop.manager("reserve", "two_002", start_time="90m", duration="1h", resources={"agents": 2})

    assert caught.value.details["available_at"] == stamp(shop.now + 7200)
    shop.manager("reserve", "two_002", start_time="2h", duration="1h", resources={"agents": 2})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"resources": {"agents": 1}}, "duration"),
        ({"duration": "1h"}, "resources"),
        ({"duration": "1h", "resources": {"agents": 9}}, "resources.agents"),
        ({"duration": "1h", "start_time": "yesterday", "resources": {"agents": 1}}, "start_time"),
        ({"duration": "1h", "start_time": "2020-01-01T00:00:00Z", "resources": {"agents": 1}}, "start_time"),
    ],
)
def test_a_reservation_that_says_too_little_is_refused(shop: Clocked, body: dict[str, Any], field: str) -> None:
    before = shop.events()

    with pytest.raises(BadInput) as caught:
        shop.manager("reserve", "one_001", **body)

    assert (caught.value.details["field"], shop.events()) == (field, before)


# reallocate


def test_an_allocation_may_shrink_for_others_and_grow_where_nobody_waits(shop: Clocked) -> None:
    shop.manager("allocate", "one_001", "--agents=4", "--specialization=test")
    shop.manager("allocate", "two_002", "--agents=2")

    with pytest.raises(BadInput, match="there are 4"):
        shop.manager("reallocate", "one_001", "--agents=5")
    smaller = shop.manager("reallocate", "one_001", "--agents=2")
    shop.manager("allocate", "three_003", "--agents=1")
    with pytest.raises(Exhausted, match="comes first"):
        shop.manager("reallocate", "one_001", "--agents=3")

    assert smaller.result["admitted"] == ["two_002"]
    assert sum(one.state == "busy" for one in shop.agents().values()) == 2
    assert agents_in_use(shop) == 4


# transition


def research(shop: Clocked) -> None:
    """A research workflow that runs on three agents, two of them named, and has drafted a plan."""
    shop.hub("create", "research_auth_001", phases=["research"], resource_requirements={"memory": "1GB"})
    shop.manager("allocate", "research_auth_001", "--agents=2", "--specialization=research")
    shop.hub("start", "research_auth_001")
    shop.hub("complete-phase", "research_auth_001", "research")
    with shop.writing() as tx:
        tx.put_fact("research_auth_001", handing_over.DRAFT, DRAFT)


def test_a_transition_hands_over_allocation_context_and_draft_plan(shop: Clocked) -> None:
    research(shop)
    with shop.log() as log:
        digest = hash_of(context_of(log.glance(), "research_auth_001"))
    before = {name: one.granted for name, one in enumerate(shop.live("research_auth_001"))}

    reply = shop.manager("transition", "research_auth_001", "planning_auth_001", "--preserve-context")

    assert {name: one.granted for name, one in enumerate(shop.live("planning_auth_001"))} == before
    assert shop.live("research_auth_001") == []
    assert reply.result["context_hash"] == digest
    assert {one.context["hash"] for one in shop.live("planning_auth_001")} == {digest}
    with shop.log() as log:
        assert hash_of(log.fact("planning_auth_001", "context")["content"]) == digest
        assert log.fact("planning_auth_001", "draft_plan") == DRAFT
        assert log.fact("research_auth_001", "draft_plan") is None
    assert {one.workflow_id for one in shop.agents().values() if one.state == "busy"} == {"planning_auth_001"}
    started, done = (e for e in shop.events("planning_auth_001") if e.type.startswith("PLAN_"))
    assert (started.type, started.data["context_preserved"]) == ("PLAN_STARTED", True)
    assert (done.type, done.data["phases"], done.data["complexity"]) == ("PLAN_COMPLETED", 5, "high")
    assert "was made, with research_auth_001 as its parent" in reply.text


def test_without_the_flag_the_context_stays_behind(shop: Clocked) -> None:
    research(shop)

    shop.manager("transition", "research_auth_001", "planning_auth_001")

    with shop.log() as log:
        assert log.fact("planning_auth_001", "context") is None
        assert log.fact("research_auth_001", "draft_plan") == DRAFT


def test_a_workflow_that_waits_is_admitted_with_what_it_takes_over(shop: Clocked) -> None:
    research(shop)
    shop.hub("create", "planning_auth_001", phases=["planning"], resource_requirements={"agents": 4})
    assert shop.types("planning_auth_001")[-1] == "WORKFLOW_QUEUED"

    reply = shop.manager("transition", "research_auth_001", "planning_auth_001", "--preserve-context")

    assert not reply.result["workflow_made"]
    assert "WORKFLOW_SCHEDULED" in shop.types("planning_auth_001")
    assert agents_in_use(shop) == 3


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("nobody_001", "planning_001"), "holds no allocation"),
        (("research_auth_001", "research_auth_001"), "to itself"),
        (("research_auth_001", "done_001"), "COMPLETED"),
        (("waits_001", "planning_001"), "holds nothing yet"),
    ],
)
def test_what_cannot_be_handed_over_stays(shop: Clocked, args: tuple[str, str], why: str) -> None:
    shop.workflow("done_001", seconds=1)
    research(shop)
    shop.hub("create", "waits_001", resource_requirements={"agents": 4})
    before = shop.events()

    with pytest.raises(BadInput, match=why):
        shop.manager("transition", *args)

    assert shop.events() == before


def test_a_transition_that_breaks_off_anywhere_has_not_happened(shop: Clocked, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every statement that it writes; a commit that is not acknowledged is the last of them."""
    research(shop)
    before, held = shop.events(), shop.live()
    real, step = Database.execute, 0
    broken = 0
    while True:
        step += 1
        left = [step]

        def execute(self: Database, sql: str, parameters: Any = (), left: list[int] = left) -> Any:
            if sql.startswith(("INSERT", "DELETE", "COMMIT")):
                left[0] -= 1
                if not left[0]:
                    raise OSError("cut off")
            return real(self, sql, parameters)

        monkeypatch.setattr(Database, "execute", execute)
        try:
            shop.manager("transition", "research_auth_001", "planning_auth_001", "--preserve-context")
        except OSError:
            broken += 1
            monkeypatch.setattr(Database, "execute", real)
            assert (shop.events(), shop.live()) == (before, held)
            continue
        break

    monkeypatch.setattr(Database, "execute", real)
    assert broken > 20
    assert shop.live("research_auth_001") == []


# failures


def migration(shop: Clocked) -> None:
    shop.hub("create", "migration_001", phases=["database_migration"], resource_requirements={"agents": 2})
    named = '[{"agent_id": "agent_001", "role": "database"}, {"agent_id": "agent_002", "role": "api"}]'
    shop.hub("assign-agents", "migration_001", named)
    shop.hub("start", "migration_001")


def test_the_agents_of_a_failed_component_leave_the_pool_and_others_take_their_work(shop: Clocked) -> None:
    migration(shop)
    since = len(shop.events())

    reply = shop.manager(
        "handle-failure",
        "migration_001",
        failed_component="database_service",
        impact_assessment="medium",
        reallocation_strategy="isolate_and_recover",
    )

    agents = shop.agents()
    assert (agents["agent_001"].state, agents["agent_002"].state) == ("failed", "busy")
    assert (reply.result["isolated"], reply.result["replacements"]) == (["agent_001"], ["agent_003"])
    assert agents["agent_003"].workflow_id == "migration_001"
    assert agents_in_use(shop) == 2
    assert shop.manager("capacity").result["capacity"]["agents"] == 3
    types = [e.type for e in shop.events()[since:]]
    assert types == [
        "RESOURCE_DEALLOCATED",
        "AGENT_DEALLOCATED",
        "RESOURCE_REQUESTED",
        "RESOURCE_ALLOCATED",
        "AGENT_ALLOCATED",
        "TASK_REASSIGNED",
    ]
    assert shop.told("TASK_REASSIGNED")["new_agent"] == "agent_003"


def test_work_whose_agents_have_no_replacement_waits(shop: Clocked) -> None:
    migration(shop)
    shop.manager("allocate", "other_002", "--agents=2")

    reply = shop.manager("handle-failure", "migration_001", failed_component="database_service")

    assert reply.result["replacements"] == []
    assert reply.result["waiting_request"] in {one.id for one in shop.live("migration_001") if one.state == "queued"}
    assert agents_in_use(shop) == 3
    assert shop.told("TASK_REASSIGNED")["new_agent"] == ""


def test_a_component_that_is_nobodys_isolates_nobody_and_says_so(shop: Clocked) -> None:
    migration(shop)

    reply = shop.manager("handle-failure", "migration_001", failed_component="payment_gateway")

    assert (reply.exit_code, reply.result["isolated"]) == (0, [])
    assert reply.result["refused"]
    assert {one.state for one in shop.agents().values()} == {"busy", "idle"}


@pytest.mark.parametrize(
    ("args", "error", "field"),
    [
        (("migration_001", "{}"), BadInput, "failed_component"),
        (("nobody_001", '{"failed_component": "x"}'), NotFound, "workflow_id"),
        (
            ("migration_001", '{"failed_component": "x", "reallocation_strategy": "pray"}'),
            BadInput,
            "reallocation_strategy",
        ),
        (("migration_001", '{"failed_component": "x", "impact_assessment": "some"}'), BadInput, "impact_assessment"),
    ],
)
def test_a_failure_that_is_told_badly_is_refused(
    shop: Clocked, args: tuple[str, ...], error: type[BadInput], field: str
) -> None:
    migration(shop)
    before = shop.events()

    with pytest.raises(error) as caught:
        shop.manager("handle-failure", *args)

    assert (caught.value.details["field"], shop.events()) == (field, before)
