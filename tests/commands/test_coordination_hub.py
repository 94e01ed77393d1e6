"""/coordination-hub through its door: what is written, what is held, and what is refused."""

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from stretto.state.allocation import in_use
from stretto.state.log import Log
from stretto.state.wire import Event
from tests.commands.door import Project, Ran

BIG: dict[str, Any] = {"phases": ["build", "check"], "resource_requirements": {"agents": 3, "memory": "2MB"}}
SMALL: dict[str, Any] = {"phases": ["fix"], "resource_requirements": {"agents": 2, "duration": "30m"}}


def hub(project: Project, *args: str, **body: Any) -> Ran:
    """Call the hub with a JSON body, if there is one."""
    return project.run("coordination-hub", *args, *([json.dumps(body)] if body else []))


def events(project: Project, workflow: str | None = None) -> list[Event]:
    log = Log.find(project.store)
    assert log
    with log:
        return list(log.events(workflow))


def types(project: Project, workflow: str | None = None) -> list[str]:
    return [e.type for e in events(project, workflow)]


def told(project: Project, kind: str) -> Mapping[str, Any]:
    """The data of the newest event of a type."""
    return next(e.data for e in reversed(events(project)) if e.type == kind)


def held(project: Project) -> dict[str, float]:
    log = Log.find(project.store)
    assert log
    with log:
        return in_use(log.allocations(live=True))


def test_a_workflow_that_fits_is_scheduled_at_once_and_holds_what_it_asked_for(project: Project) -> None:
    ran = hub(project, "create-workflow", workflow_id="shop_001", priority="high", **BIG)

    assert ran.code == 0, ran.err
    assert types(project)[:2] == ["WORKFLOW_CREATED", "RESOURCE_REQUESTED"]
    assert types(project)[2:4] == ["RESOURCE_ANALYSIS_REQUESTED", "RESOURCE_ALLOCATED"]
    assert told(project, "WORKFLOW_CREATED")["resources"]["agents"] == 3
    assert told(project, "WORKFLOW_SCHEDULED") == {
        "start_time": "immediate",
        "estimated_completion": "unknown",
        "allocation_id": "alloc_shop_001_1",
    }
    assert held(project) == {"agents": 3, "memory": 2 * 1024**2, "workflows": 1}


def test_one_that_does_not_fit_waits_and_starts_when_enough_is_free(project: Project) -> None:
    hub(project, "create", "shop_001", **BIG)
    ran = hub(project, "create", "fix_002", **SMALL)

    queued = told(project, "WORKFLOW_QUEUED")
    assert "queued at 1" in ran.out
    assert (queued["queue_position"], queued["estimated_start"], queued["reason"]) == (1, "unknown", "agents not free")

    for step in ("start", "complete-phase build", "start-phase 2", "complete-phase check", "complete"):
        operation, *rest = step.split()
        assert hub(project, operation, "shop_001", *rest).code == 0

    assert types(project, "fix_002")[-2:] == ["RESOURCE_ALLOCATED", "WORKFLOW_SCHEDULED"]
    assert held(project) == {"agents": 2, "workflows": 1}


def test_the_same_request_again_is_the_same_workflow_and_another_one_is_refused(project: Project) -> None:
    hub(project, "create", "shop_001", **BIG)
    before = project.everything()

    again = hub(project, "create", "shop_001", **BIG)
    other = hub(project, "create", "shop_001", **SMALL)

    assert (again.code, "there already" in again.out) == (0, True)
    assert (other.code, "exists already" in other.err) == (2, True)
    assert project.everything() == before


def test_of_two_that_come_at_one_moment_the_more_urgent_is_first(project: Project) -> None:
    hub(project, "create", "warm_000", **SMALL)
    hub(project, "cancel", "warm_000")
    threads = [
        threading.Thread(target=hub, args=(project, "create", name), kwargs={**BIG, "priority": priority})
        for name, priority in (("later_001", "low"), ("urgent_002", "critical"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    scheduled = [e.workflow_id for e in events(project) if e.type == "WORKFLOW_SCHEDULED"]
    assert scheduled == ["warm_000", "urgent_002"]


def test_both_orders_of_id_and_operation_mean_the_same(project: Project) -> None:
    assert hub(project, "shop_001", "create", name="Shop").code == 0
    assert hub(project, "shop_001", "start-phase", "1").code == 0

    assert types(project, "shop_001")[-2:] == ["WORKFLOW_STARTED", "PHASE_STARTED"]


@pytest.mark.parametrize(
    ("args", "code", "why"),
    [
        (("start-phase", "shop_001", "2"), "INVALID_TRANSITION", "waits for build"),
        (("start-phase", "shop_001", "3"), "PHASE_NOT_FOUND", "has no phase '3'"),
        (("start-phase", "nobody", "1"), "NOT_FOUND", "no workflow 'nobody'"),
        (("complete-phase", "shop_001", "build"), "INVALID_TRANSITION", "is pending"),
        (("complete", "shop_001"), "INVALID_TRANSITION", "build, check not done"),
        (("pause", "shop_001"), "INVALID_TRANSITION", "cannot become PAUSED"),
        (("skip-phase", "shop_001", "build"), "BAD_INPUT", "Why"),
        (("open-gate", "shop_001", "review"), "NOT_FOUND", "no gate 'review'"),
        (("assign-agents", "shop_001", '[{"agent_id": "agent_099"}]'), "NOT_FOUND", "no agent 'agent_099'"),
        (("create", "start"), "BAD_INPUT", "is an operation"),
        (("create", "x_001", '{"phases": []}'), "BAD_INPUT", "at least one phase"),
        (("create", "x_001", '{"phases": ["a", "a"]}'), "BAD_INPUT", "twice"),
        (("create", "x_001", '{"phases": ["a:b"]}'), "BAD_INPUT", "make a name"),
        (("create", "x_001", '{"phasse": ["a"]}'), "BAD_INPUT", "phasse is not known"),
        (("create", "x_001", '{"resource_requirements": {"memory": "much"}}'), "BAD_INPUT", "amount of memory"),
        (("create", "x_001", '{"resource_requirements": {"agents": 99}}'), "BAD_INPUT", "there are 4 in all"),
        (("create", "x_001", '{"workflow_id": "y_001"}'), "BAD_INPUT", "before the JSON"),
        (
            ("create", "x_001", '{"state_sync": {"enabled": false}}'),
            "BAD_INPUT",
            "state_sync.enabled cannot be",
        ),
        (("create", "x_001", '{"state_sync": {"frequency": "manual"}}'), "BAD_INPUT", "not possible"),
        (("create", "x_001", '{"monitoring": {"resources": false}}'), "BAD_INPUT", "monitoring.resources cannot be"),
        (("create", "x_001", '{"dependencies": ["x_001"]}'), "BAD_INPUT", "wait for itself"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    project: Project, args: tuple[str, ...], code: str, why: str
) -> None:
    hub(project, "create", "shop_001", **BIG)
    before = project.everything()

    ran = project.run("coordination-hub", *args, "--json")

    assert (ran.code, ran.json["error"]["code"]) == (2, code)
    assert why in ran.json["error"]["message"]
    assert project.everything() == before


def test_a_gate_holds_a_workflow_until_somebody_opens_it(project: Project) -> None:
    hub(project, "create", "shop_001", "--strict", dependencies=["review"])
    assert told(project, "WORKFLOW_QUEUED")["reason"] == "waits for review"

    hub(project, "open-gate", "shop_001", "review")

    assert types(project, "shop_001")[-2:] == ["RESOURCE_ALLOCATED", "WORKFLOW_SCHEDULED"]


def test_a_workflow_waits_for_the_workflow_that_it_depends_on(project: Project) -> None:
    hub(project, "create", "first_001", phases=["a"])
    hub(project, "create", "second_002", dependencies=["first_001"])
    assert told(project, "WORKFLOW_QUEUED")["reason"] == "waits for first_001"

    for step in ("start", "complete-phase a", "complete"):
        operation, *rest = step.split()
        hub(project, operation, "first_001", *rest)

    assert types(project, "second_002")[-1] == "WORKFLOW_SCHEDULED"


def test_a_name_that_no_workflow_has_is_recorded_and_warned_about(project: Project) -> None:
    ran = hub(project, "create", "shop_001", dependencies=["security_review"])

    assert "security_review" in ran.out
    assert "--strict" in ran.out
    assert types(project, "shop_001")[-1] == "WORKFLOW_SCHEDULED"


def test_an_agent_that_works_elsewhere_is_not_given_away(project: Project) -> None:
    for name in ("one_001", "two_002"):
        hub(project, "create", name)
    first = hub(project, "one_001", "assign-agents", '[{"agent_id":"agent_001","role":"database"}]')
    second = hub(project, "two_002", "assign-agents", '[{"agent_id":"agent_001","role":"database"}]', "--json")

    assert first.code == 0, first.err
    assert told(project, "AGENT_ALLOCATED")["role"] == "database"
    assert (second.code, second.json["error"]["code"]) == (1, "STATE_CONFLICT")


def test_a_workflow_to_which_more_agents_are_assigned_than_it_holds_holds_as_many_if_they_are_free(
    project: Project,
) -> None:
    hub(project, "create", "shop_001")
    several = '[{"agent_id": "agent_002", "role": "docs"}, {"agent_id": "agent_003", "role": "test"}]'
    given = hub(project, "shop_001", "assign-agents", several)
    hub(project, "create", "rest_002", resource_requirements={"agents": 2})
    more = hub(project, "shop_001", "assign-agents", '[{"agent_id": "agent_001", "role": "code"}]', "--json")

    assert given.code == 0, given.err
    assert held(project)["agents"] == 4
    assert (more.code, more.json["error"]["code"]) == (1, "RESOURCE_EXHAUSTED")


def test_nothing_is_held_after_a_cancellation(project: Project) -> None:
    hub(project, "create", "shop_001", **BIG)
    hub(project, "assign-agents", "shop_001", '[{"agent_id":"agent_002"}]')

    assert hub(project, "cancel", "shop_001").code == 0

    assert held(project) == {}
    assert types(project, "shop_001")[-3:] == ["AGENT_DEALLOCATED", "RESOURCE_DEALLOCATED", "WORKFLOW_CANCELLED"]


def test_without_a_store_the_list_is_empty_and_nothing_is_made(project: Project) -> None:
    ran = hub(project, "list-workflows", "--json")

    assert (ran.code, ran.json["result"]) == (0, {"workflows": []})
    assert not project.store.exists()


def test_the_next_step_is_one_that_can_be_taken(project: Project) -> None:
    steps = [hub(project, "create", name, "--json", **BIG).json["next_steps"] for name in ("shop_001", "late_002")]
    hub(project, "start", "shop_001")
    failed = hub(project, "fail-phase", "shop_001", "1", "--json", reason="no")

    assert "stretto coordination-hub start-phase shop_001 1" in steps[0]
    assert steps[1] == ["stretto workflow-status late_002 --detailed"]
    for step in (*steps[0][1:], *steps[1], *failed.json["next_steps"]):
        assert project.run(*step.split()[1:]).code == 0


def test_what_it_did_is_in_the_reply(project: Project) -> None:
    ran = hub(project, "create", "shop_001", "--json")

    assert set(ran.json["events"]) == {e.event_id for e in events(project)}
    assert ran.json["next_steps"]


def test_a_workflow_that_is_moved_by_hand_cannot_be_driven(project: Project) -> None:
    hub(project, "create", "shop_001")
    before = project.everything()

    ran = project.run("orchestrate", "--resume", "shop_001", "--runner", "host", "--json")

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, "workflow_id")
    assert "stretto coordination-hub start shop_001" in ran.json["error"]["next_steps"]
    assert project.everything() == before
