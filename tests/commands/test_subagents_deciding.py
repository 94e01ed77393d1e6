"""/subagents configure, the decision it changes, and runs that belong to a coordinated workflow."""

import json
from typing import Any

import pytest

from stretto.graph.deciding import decide
from tests.commands.door import Project
from tests.commands.host import Host, W

REPORTS = [{"command": "/report", "topic": topic} for topic in ("one", "two", "three")]


def run(project: Project, context: dict[str, Any], tasks: list[dict[str, Any]], *more: str) -> Any:
    ran = project.work("subagents", json.dumps(context), json.dumps(tasks), *more, "--json")
    assert ran.code == 0, ran.out
    return ran.json


def test_the_table_decides_and_says_why() -> None:
    files = [{"id": n, "files": [f"{n}/x.py"]} for n in "abc"]
    assert decide(files, "build", "")[:2] == ("parallel", 80)
    assert decide(files[:2], "build", "").mode == "sequential"
    assert decide(files, "1", "").reasons[-1] == "sequential: phase 1 is never parallel"
    assert decide(files, "1", "dependency_aware").mode == "parallel"
    assert decide([*files, files[0]], "build", "").reasons[-1] == "sequential: two tasks write one file"
    assert decide([{"topic": t} for t in "abc"], "build", "")[:2] == ("batched", 50)
    assert decide([{"topic": "this depends on that"}] * 3, "build", "").mode == "sequential"


def test_what_was_configured_changes_how_the_next_run_decides(project: Project) -> None:
    before = run(project, {"phase": "look"}, REPORTS, "--dry-run")
    assert "decision" not in before["result"]

    ran = project.run("subagents", "configure", '{"parallel_optimization": true}', "--json")
    assert (ran.code, len(ran.json["events"])) == (0, 1), ran.out
    after = run(project, {"phase": "look"}, REPORTS)["result"]["decision"]

    assert (after["mode"], after["score"]) == ("batched", 50)
    assert "50 in all" in after["reasons"]
    bad = project.run("subagents", "configure", '{"load_balancing": "random"}')
    assert (bad.code, "load_balancing" in bad.err) == (2, True)


def test_dependencies_and_specializations_come_from_files_if_so_configured(project: Project) -> None:
    tasks = [{"id": n, "description": n, "files": ["tests/test_x.py"]} for n in ("first", "second")]
    words = ("subagents", "{}", json.dumps(tasks), "--dry-run")
    assert project.run(*words).code == 2

    configured = '{"dependency_analysis": "automatic", "agent_specialization": "adaptive"}'
    assert project.run("subagents", "configure", configured).code == 0

    assert project.run(*words).code == 0


def test_a_run_for_a_coordinated_workflow_is_its_child(project: Project) -> None:
    project.run("coordination-hub", "create", "research_001")

    done = run(project, {"phase": 1, "workflow_id": "research_001", "coordination": "parallel"}, REPORTS)

    assert done["workflow_id"] != "research_001"
    assert done["result"]["parent"] == "research_001"
    told = project.events("research_001")[-1]
    assert (told.data["child"], told.data["child_status"]) == (done["workflow_id"], "completed")
    assert told.event_id in done["events"]


def test_a_run_for_a_workflow_that_another_command_drove_is_its_child_too(project: Project) -> None:
    assert project.work("report", "How adding works", "--workflow-id=research_001").code == 0

    done = run(project, {"phase": "research", "workflow_id": "research_001"}, REPORTS)

    assert done["result"]["parent"] == "research_001"
    own = {"phase": "research", "workflow_id": "own_001"}
    assert run(project, own, REPORTS)["workflow_id"] == "own_001"
    assert project.work("subagents", json.dumps(own), json.dumps(REPORTS)).code == 2


def test_it_says_what_of_the_same_phase_is_ordered_already(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(project, monkeypatch)
    orders = host.start().json["result"]["orders"]
    words = ("subagents", json.dumps({"phase": "research", "workflow_id": W}), json.dumps(REPORTS))

    before = project.run(*words, "--dry-run", "--json").json
    other = project.run(words[0], json.dumps({"phase": "plan", "workflow_id": W}), words[2], "--dry-run", "--json").json
    begun = project.run(*words, "--json").json

    own = [order["order"] for order in orders]
    assert own[0].startswith(f"{W}/research/")
    for said in (before, begun):
        assert said["result"]["also_ordered"] == own
        assert said["next_steps"][-1].startswith(f"stretto orchestrate --resume {W}")
    assert "also_ordered" not in other["result"]
    assert begun["result"]["parent"] == W
