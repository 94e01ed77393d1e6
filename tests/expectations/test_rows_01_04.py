"""Rows 1 to 4: workflows are created together, admitted by priority, and seen as the log has them."""

import json
import threading
from datetime import datetime
from pathlib import Path

import pytest

from stretto.graph.coordinated import Coordinated
from stretto.state.errors import BadInput, WorkflowExists
from stretto.state.show import as_dict
from stretto.state.wire import Event
from tests.commands.door import Project
from tests.expectations.scene import Scene, raw

GIB = 1024**3
EVENTS = """\
WORKFLOW_CREATED:feature_dev_001:setup:{"priority":"high","resources":{"agents":3}}
WORKFLOW_CREATED:bug_fix_002:setup:{"priority":"medium","resources":{"agents":2}}
RESOURCE_ANALYSIS_REQUESTED:system:coordination:{"total_agents":5,"conflicts":false}
WORKFLOW_SCHEDULED:feature_dev_001:ready:{"start_time":"immediate","estimated_completion":"4h"}
WORKFLOW_QUEUED:bug_fix_002:waiting:{"queue_position":1,"estimated_start":"30m"}"""
PAGE = Path(__file__).parents[2] / "commands" / "progress-aggregator.md"


def at(event: Event) -> float:
    return datetime.fromisoformat(event.timestamp).timestamp()


@pytest.fixture
def pair(scene: Scene) -> Scene:
    """Lines 1 and 2, typed at one moment that has ended."""
    scene.line(1)
    scene.line(2)
    scene.settle()
    return scene


# ── 1 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_created_workflow_is_what_its_line_says_in_bytes_and_seconds(scene: Scene) -> None:
    scene.line(1)

    asked = Coordinated.model_validate(scene.row("feature_dev_001").spec["coordination"])
    assert asked.name == "User Authentication Feature"
    assert [phase.name for phase in asked.phases] == ["research", "planning", "implementation", "testing"]
    assert (asked.priority, asked.resources.agents) == ("high", 3)
    assert (asked.resources.memory, asked.resources.seconds) == (2 * GIB, 4 * 3600)
    (made,) = scene.events(kind="WORKFLOW_CREATED")
    assert (made.workflow_id, made.phase, made.data["priority"]) == ("feature_dev_001", "setup", "high")


def test_names_that_are_no_workflow_are_external_and_the_warning_says_how_to_wait_for_them(scene: Scene) -> None:
    reply = scene.line(1)
    scene.settle()

    told = scene.told("WORKFLOW_CREATED")["dependencies"]
    assert told == [
        {"name": "database_migration", "kind": "external"},
        {"name": "security_review", "kind": "external"},
    ]
    (warning,) = reply.result["warnings"]
    assert "database_migration, security_review" in warning
    assert "--strict" in warning
    assert scene.row("feature_dev_001").status == "SCHEDULED"


def test_with_strict_the_same_names_are_gates_that_hold_it(scene: Scene) -> None:
    scene.say(raw(1) + " --strict")
    scene.settle()
    assert scene.told("WORKFLOW_QUEUED")["reason"] == "waits for database_migration, security_review"

    for gate in ("database_migration", "security_review"):
        scene.hub(f"open-gate feature_dev_001 {gate}")

    assert scene.row("feature_dev_001").status == "SCHEDULED"


def test_the_same_body_again_is_the_same_workflow_and_writes_nothing(scene: Scene) -> None:
    scene.line(1)
    scene.settle()
    before = scene.last_seq()

    again = scene.line(1)
    scene.settle()

    assert (again.result["created"], again.events) == (False, ())
    assert scene.last_seq() == before


def test_another_body_under_the_same_id_is_refused(scene: Scene) -> None:
    scene.line(1)
    scene.settle()
    before = scene.last_seq()

    with pytest.raises(WorkflowExists) as refused:
        scene.say(raw(1).replace('"agents": 3', '"agents": 2'))

    assert (refused.value.code, refused.value.exit_code) == ("WORKFLOW_EXISTS", 2)
    assert scene.last_seq() == before


def test_priority_decides_between_creations_of_one_moment_and_not_who_came_first(scene: Scene) -> None:
    for name, priority in (("first_001", "low"), ("second_002", "critical"), ("third_003", "high")):
        scene.create(name, priority=priority, resource_requirements={"agents": 4})
    scene.status("first_001")

    told = [(e.type, e.workflow_id) for e in scene.events() if e.type in ("WORKFLOW_SCHEDULED", "WORKFLOW_QUEUED")]
    assert told == [
        ("WORKFLOW_SCHEDULED", "second_002"),
        ("WORKFLOW_QUEUED", "third_003"),
        ("WORKFLOW_QUEUED", "first_001"),
    ]


def test_in_real_time_creations_within_some_milliseconds_are_admitted_together(project: Project) -> None:
    """The first to come sleeps for the window before it admits; a reader then sees what was decided."""
    project.run("coordination-hub", "create", "warm_000")
    project.run("coordination-hub", "cancel", "warm_000")

    def create(name: str, priority: str) -> None:
        body = {"priority": priority, "resource_requirements": {"agents": 4}}
        project.run("coordination-hub", "create", name, json.dumps(body))

    threads = [threading.Thread(target=create, args=a) for a in (("later_001", "low"), ("urgent_002", "critical"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    shown = project.run("workflow-status", "--json").json["result"]["workflows"]
    assert {w["workflow_id"]: w["status"] for w in shown if w["workflow_id"] != "warm_000"} == {
        "later_001": "QUEUED",
        "urgent_002": "SCHEDULED",
    }


# ── 2 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_pass_for_both_counts_five_agents_and_calls_too_few_no_conflict(pair: Scene) -> None:
    (analysed,) = pair.events(kind="RESOURCE_ANALYSIS_REQUESTED")

    assert (analysed.workflow_id, analysed.phase) == ("system", "coordination")
    assert (analysed.data["total_agents"], analysed.data["conflicts"]) == (5, False)
    assert sorted(analysed.data["workflows"]) == ["bug_fix_002", "feature_dev_001"]


def test_the_first_is_scheduled_with_three_agents_and_the_second_waits_at_place_one(pair: Scene) -> None:
    first, second = pair.told("WORKFLOW_SCHEDULED"), pair.told("WORKFLOW_QUEUED")

    assert (first["start_time"], first["estimated_completion"]) == ("immediate", "4h")
    assert pair.held("feature_dev_001") == {"agents": 3, "memory": 2 * GIB, "workflows": 1}
    assert pair.held("bug_fix_002") == {}
    assert second["queue_position"] == 1
    assert second["estimated_start"] != "unknown"


def test_the_five_event_lines_of_the_document_hold_in_total_order(project: Project) -> None:
    lines = "\n".join(raw(n) for n in (1, 2, 3, 4))
    project.write({"doc.md": f"### Pair\n```bash\n{lines}\n```\n```\n{EVENTS}\n```\n"})

    ran = project.run("verify", "doc.md", "--total-order", "--json")

    assert ran.code == 0, ran.out
    counts = ran.json["result"]["counts"]
    assert (counts["commands"]["held"], counts["events"]["held"]) == (4, 5)


def test_the_estimated_start_is_within_a_tenth_of_the_start_that_comes_by_itself(pair: Scene) -> None:
    said = next(w for w in pair.manager("status").result["queue"] if w["workflow_id"] == "bug_fix_002")
    asked = pair.now
    pair.run_on()

    (started,) = (e for e in pair.events("bug_fix_002") if e.type == "WORKFLOW_SCHEDULED")
    waited = at(started) - asked
    assert waited > 0
    assert abs(said["estimated_start_seconds"] - waited) <= 0.1 * waited


def test_when_agents_are_released_who_waits_is_scheduled_without_another_command(pair: Scene) -> None:
    pair.phases("feature_dev_001", *((name, 60) for name in ("research", "planning", "implementation", "testing")))
    done = pair.hub("complete feature_dev_001")

    assert pair.row("bug_fix_002").status == "SCHEDULED"
    scheduled = next(e for e in pair.events("bug_fix_002") if e.type == "WORKFLOW_SCHEDULED")
    assert scheduled.event_id in done.events
    assert pair.held() == {"agents": 2, "memory": GIB, "workflows": 1}


# ── 3 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_detailed_status_shows_phases_allocation_agents_events_and_dependencies(pair: Scene) -> None:
    pair.hub("start-phase feature_dev_001 research")
    pair.say('/coordination-hub feature_dev_001 assign-agents \'[{"agent_id":"agent_002","role":"research"}]\'')

    seen = pair.line(3).result

    assert [(p["name"], p["state"]) for p in seen["phases"]] == [
        ("research", "in_progress"),
        ("planning", "pending"),
        ("implementation", "pending"),
        ("testing", "pending"),
    ]
    (held,) = seen["allocations"]
    assert (held["state"], held["granted"]["agents"], held["granted"]["memory"]) == ("active", 3, 2 * GIB)
    assert [(a["agent_id"], a["role"]) for a in seen["agents"]] == [("agent_002", "research")]
    assert seen["last_events"][-1]["event_type"] == "AGENT_ALLOCATED"
    assert [(d["name"], d["kind"], d["state"]) for d in seen["dependencies"]] == [
        ("database_migration", "external", "not checked"),
        ("security_review", "external", "not checked"),
    ]
    assert seen["phases_after"]["testing"] == ["implementation"]


def test_the_status_is_a_fold_of_the_log(pair: Scene) -> None:
    pair.hub("start-phase feature_dev_001 research")
    pair.wait(100)
    pair.hub("complete-phase feature_dev_001 research")

    seen = pair.line(3).result

    folded = json.loads(json.dumps(as_dict(pair.view("feature_dev_001"), pair.now)))
    assert {name: seen[name] for name in folded} == folded


def test_the_estimate_has_an_interval_or_says_that_it_has_none(scene: Scene) -> None:
    scene.line(1)
    said = scene.line(3)
    assert said.result["left"]["likely"] == 4 * 3600
    assert (said.result["left"]["low"], said.result["left"]["high"]) == (None, None)
    assert "between unknown and unknown" in said.text

    scene.hub("cancel feature_dev_001")
    scene.create("new_001", phases=["work"])
    assert scene.status("new_001 --detailed").result["left"]["likely"] is None
    for n in range(8):
        scene.past(f"old_{n:03d}", 600 + 10 * n)
    left = scene.status("new_001 --detailed").result["left"]
    assert left["low"] < left["likely"] < left["high"]


# ── 4 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_overview_weighs_progress_by_the_published_formula(pair: Scene) -> None:
    page = PAGE.read_text("utf-8")
    assert "critical 1, high .8, medium .6, low .4" in page
    assert "Σ weight · share of its phases ÷ Σ weight" in page
    pair.phases("feature_dev_001", ("research", 60), ("planning", 60))

    seen = pair.line(4).result

    assert {w["workflow_id"]: w["progress"] for w in seen["workflows"]} == {"feature_dev_001": 0.5, "bug_fix_002": 0}
    assert seen["overall_progress"] == pytest.approx((0.8 * 0.5 + 0.6 * 0.0) / (0.8 + 0.6))


def test_the_overview_finds_no_conflict_and_says_why_the_second_waits(pair: Scene) -> None:
    assert pair.line(4).result["conflicts"] == {
        "conflicts": [],
        "waiting": [{"workflow_id": "bug_fix_002", "position": 1, "reason": "agents not free"}],
    }


def test_the_overview_counts_capacity_allocated_free_and_the_utilisation_of_the_window(pair: Scene) -> None:
    pair.hub("start-phase feature_dev_001 research")
    pair.wait(3600)
    pair.hub("complete-phase feature_dev_001 research")
    pair.wait(3599)

    seen = pair.line(4).result["resources"]

    assert {name: seen[name]["agents"] for name in ("capacity", "allocated", "free")} == {
        "capacity": 4,
        "allocated": 3,
        "free": 1,
    }
    assert seen["free"]["memory"] == 6 * GIB
    assert seen["window_seconds"] == pytest.approx(7200, abs=2)
    assert seen["utilisation"] == pytest.approx(3 / 4)
    assert seen["efficiency"] == pytest.approx(0.5, abs=0.001)


def test_an_unknown_flag_of_the_overview_is_refused(pair: Scene) -> None:
    with pytest.raises(BadInput):
        pair.progress("system-overview --include-everything")
