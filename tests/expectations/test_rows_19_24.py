"""Rows 19 to 22 and 24: research that is begun by one command, done by another's tasks, and handed on."""

import json
import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stretto.state.log import Log
from stretto.state.wire import Event
from tests.commands.door import Project
from tests.expectations.scene import raw, run_lines

W, NEXT = "research_auth_001", "planning_auth_001"
DESCRIPTION = "Research authentication best practices and JWT implementation patterns"
CONTEXT = json.dumps({"phase": "research", "workflow_id": W})
TASKS = json.dumps([{"command": "/report", "topic": "a"}, {"id": "b", "command": "/report", "topic": "b"}])


class Story(NamedTuple):
    """What the lines came to, and what they left."""

    outcomes: Mapping[int, str]
    events: list[Event]
    files: list[str]
    audit: str

    def of(self, workflow: str, *kinds: str) -> list[Event]:
        return [e for e in self.events if e.workflow_id == workflow and e.type in kinds]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Lines 19 to 24, run as `stretto verify` does."""
    root = tmp_path_factory.mktemp("research")
    lines = [raw(n) for n in range(19, 25)]
    ran, _ = run_lines(lines, root)
    outcomes = {n: done.outcome for n, done in enumerate(ran.steps, 19)}
    with Log.open(root / ".stretto" / "state") as log:
        events = list(log.events())
    project = Project(root)
    listed = project.git("ls-tree", "-r", "--name-only", f"stretto/{W}").splitlines()
    files = [path for path in listed if path.startswith("specs/reports/")]
    audit = next((project.git("show", f"stretto/{W}:{path}") for path in files if "debug" in path), "")
    return Story(outcomes, events, files, audit)


def test_every_line_is_done(story: Story) -> None:
    assert set(story.outcomes.values()) == {"done"}


def test_the_workflow_opens_from_its_template_with_the_topics_that_are_named_and_waits_for_their_tasks(
    story: Story,
) -> None:
    started, paused = story.of(W, "RESEARCH_STARTED")[0], story.of(W, "WORKFLOW_PAUSED")[0]

    assert started.data["agents"] == 2
    assert started.data["basis"] == "no history: default of the template, confidence 0"
    assert paused.data["left"] == "research"
    first = min(e.seq for e in story.of(W, "TASK_STARTED"))
    assert started.seq < paused.seq < first


def test_a_creation_of_what_is_there_takes_its_priority_and_makes_nothing(story: Story) -> None:
    assert len(story.of(W, "WORKFLOW_CREATED")) == 1
    assert next(e.data for e in story.of(W, "WORKFLOW_STATE_UPDATED")) == {"priority": "high", "before": "medium"}


def test_two_agents_for_research_are_granted_to_it(story: Story) -> None:
    granted = story.of(W, "RESOURCE_ALLOCATED")[0].data["resource_details"]

    assert (granted["agents"], granted["specialization"], len(granted["agent_ids"])) == (2, "research", 2)


def test_three_tasks_are_done_at_once_and_nothing_is_researched_twice(story: Story) -> None:
    begun, ended = story.of(W, "TASK_STARTED"), story.of(W, "TASK_COMPLETED")

    assert [e.data["task_id"] for e in begun] == [f"research/task_00{n}" for n in (1, 2, 3)]
    assert max(e.seq for e in begun) < min(e.seq for e in ended)
    assert len(ended) == 3
    assert [len(story.of(W, kind)) for kind in ("RESEARCH_STARTED", "RESEARCH_COMPLETED")] == [1, 1]


def test_the_reports_are_files_and_the_insights_are_their_recommendations(story: Story) -> None:
    (done,) = story.of(W, "RESEARCH_COMPLETED")

    assert done.data["reports_generated"] == len(story.files) == 3
    assert done.data["insights"] == 6


def test_two_are_reports_and_one_is_the_debug_report_of_a_security_audit(story: Story) -> None:
    roles = sorted(e.data["role"] for e in story.of(W, "TASK_STARTED"))

    assert roles == ["debugger", "researcher", "researcher"]
    assert [path.rpartition("/")[2][:9] for path in story.files] == ["001_jwt_s", "002_authe", "003_debug"]
    assert story.audit.startswith("# Debug Report: current_auth_system")
    assert story.audit.count("Security scan by") == 1  # as evidence, and not as a part of the problem


def test_it_stops_when_what_was_left_is_done(story: Story) -> None:
    assert [e.data["phase_id"] for e in story.of(W, "PHASE_STARTED")] == ["research"]
    assert story.of(W, "WORKFLOW_PAUSED")[-1].data["pause_reason"] == "research is done, and no more was asked for"


def test_what_it_held_and_drafted_is_the_next_workflows_in_one_step(story: Story) -> None:
    new, old = story.of(NEXT, "RESOURCE_ALLOCATED")[0], story.of(W, "RESOURCE_DEALLOCATED")[0]

    assert new.data["taken_over"] == old.data["allocation_id"]
    assert old.seq == new.seq + 1
    assert story.of(NEXT, "WORKFLOW_CREATED")[0].data["priority"] == "high"
    assert story.of(NEXT, "PLAN_STARTED")[0].data["context_preserved"] is True
    (planned,) = story.of(NEXT, "PLAN_COMPLETED")
    assert (planned.data["phases"], planned.data["complexity"]) == (5, "high")


@pytest.mark.parametrize("event", ["WORKFLOW_CREATED", "PLAN_STARTED", "PLAN_COMPLETED"])
def test_a_handing_over_that_breaks_off_leaves_all_with_the_first(project: Project, event: str) -> None:
    project.run("coordination-hub", "create", W)
    project.run("resource-manager", "allocate", W, "--agents=2")
    before = project.events(W)
    refuse = (
        f"CREATE TRIGGER refusing BEFORE INSERT ON events WHEN NEW.type = '{event}' AND NEW.workflow_id = '{NEXT}'"
        " BEGIN SELECT RAISE(ABORT, 'no room'); END"
    )
    with Log.open(project.store) as log, log.write() as tx:
        tx.put_fact(W, "draft_plan", {"path": "specs/plans/001_x.md", "phases": 5, "complexity": "high"})

    _execute(project, refuse)
    broken = project.run("resource-manager", "transition", W, NEXT, "--preserve-context")
    _execute(project, "DROP TRIGGER refusing")

    assert broken.code != 0
    assert project.events(W) == before
    assert project.events(NEXT) == []
    again = project.run("resource-manager", "transition", W, NEXT, "--preserve-context")
    assert again.code == 0, again.out + again.err
    assert [e.type for e in project.events(NEXT) if e.type.startswith("PLAN_")] == ["PLAN_STARTED", "PLAN_COMPLETED"]


def _execute(project: Project, statement: str) -> None:
    """The database itself, which breaks on one event as a full disk would."""
    with closing(sqlite3.connect(Path(project.store) / "events.db")) as database:
        database.execute(statement)
        database.commit()


# ── by hand ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def left(project: Project) -> Project:
    """A workflow that leaves its research to others."""
    ran = project.work(
        "orchestrate",
        DESCRIPTION,
        "--template=research-implementation",
        "--workflow-id",
        W,
        "--leave=research",
        "--json",
    )
    assert (ran.code, ran.json["result"]["left"]) == (3, "research")
    assert any(W in step and "subagents" in step for step in ran.json["next_steps"])
    return project


def tasks_of(project: Project) -> list[str]:
    return [e.data["task_id"] for e in project.events(W) if e.type == "TASK_COMPLETED"]


def test_the_status_says_how_the_phase_is_done(left: Project) -> None:
    steps = left.run("workflow-status", W, "--json").json["next_steps"]

    assert steps[0] == f"""stretto subagents '{{"phase": "research", "workflow_id": "{W}"}}' '[…]'"""
    assert steps[1].startswith(f"stretto orchestrate --resume {W}")


def test_the_reply_names_what_came_of_each_task(left: Project) -> None:
    ran = left.work("subagents", CONTEXT, TASKS, "--json")

    assert (ran.code, ran.json["workflow_id"]) == (0, W)
    assert ran.json["result"]["outcome"] == "completed"
    assert ran.json["result"]["tasks"] == {"research/task_001": "completed", "research/b": "completed"}


def test_a_task_that_fails_makes_the_outcome_partial(left: Project) -> None:
    left.agent({"b": {"exit": 1}})

    ran = left.work("subagents", CONTEXT, TASKS, "--attempts=1", "--json")

    assert ran.code == 1
    assert ran.json["result"]["outcome"] == "partial"
    assert [e.data["final"] for e in left.events(W) if e.type == "TASK_FAILED"] == [False, True]  # the one attempt
    assert ran.json["result"]["tasks"] == {"research/task_001": "completed", "research/b": "failed"}

    left.agent({})
    again = left.work("orchestrate", "--resume", W)
    assert (again.code, "research is done, and no more was asked for" in again.out) == (3, True)
    assert tasks_of(left) == ["research/task_001", "research/b"]
    assert left.work("orchestrate", "--resume", W).code == 0


def test_whoever_resumes_it_instead_has_it_do_its_own_research(left: Project) -> None:
    ran = left.work("orchestrate", "--resume", W)

    assert ran.code == 0, ran.err
    assert set(tasks_of(left)[:2]) == {"research/topic-1", "research/topic-2"}


def killed(driver: "subprocess.Popen[str]", begun: Path) -> None:
    """Kill a driver once a file is there."""
    try:
        end = time.monotonic() + 60
        while not begun.exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert begun.exists()
    finally:
        driver.kill()
        driver.communicate()


def test_a_driver_that_is_killed_over_the_tasks_leaves_them_to_the_next(left: Project, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    left.agent({"b": {"touch": str(begun), "sleep": 60}})
    killed(left.start("subagents", CONTEXT, TASKS, "--runner", left.runner), begun)
    left.agent({})

    ran = left.work("orchestrate", "--resume", W)

    assert ran.code == 3, ran.err
    assert set(tasks_of(left)) == {"research/task_001", "research/b"}
    assert len(list(left.root.glob("specs/reports/*.md"))) == 2
    assert left.work("orchestrate", "--resume", W).code == 0
    assert not any("topic" in name for name in tasks_of(left))


GIT = """#!/bin/sh
# git, but that it hangs once the driver has said that it goes on
if grep -aqs WORKFLOW_RESUMED {log} {log}-wal; then touch {begun}; exec sleep 5; fi
exec {git} "$@"
"""


def test_tasks_that_were_brought_to_a_driver_which_died_at_once_are_not_forgotten(
    left: Project, tmp_path: Path
) -> None:
    begun, folder = tmp_path / "begun", tmp_path / "bin"
    folder.mkdir()
    words = {"log": left.store / "events.db", "begun": begun, "git": shutil.which("git")}
    (folder / "git").write_text(GIT.format(**words), "utf-8")
    (folder / "git").chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    killed(left.start("subagents", CONTEXT, TASKS, "--runner", left.runner, PATH=path), begun)
    assert "TASK_STARTED" not in left.types(W)

    assert left.work("orchestrate", "--resume", W).code == 3

    assert set(tasks_of(left)) == {"research/task_001", "research/b"}


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"phase": "planning", "workflow_id": W}, "context.phase"),
        ({"phase": "synthesis", "workflow_id": W}, "context.phase"),
    ],
)
def test_tasks_for_another_phase_are_refused_and_nothing_is_written(left: Project, context: Any, field: str) -> None:
    before = left.everything()

    ran = left.work("subagents", json.dumps(context), TASKS, "--json")

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, field)
    assert left.everything() == before


@pytest.mark.parametrize(
    ("context", "flag", "field"),
    [
        ({}, "--merge=never", "--merge"),
        ({}, "--gate=merge", "--gate"),
        ({"name": "Other"}, "--attempts=2", "context.name"),
    ],
)
def test_what_was_said_when_the_workflow_began_is_not_said_again(
    left: Project, context: dict[str, str], flag: str, field: str
) -> None:
    before = left.everything()

    ran = left.work("subagents", json.dumps({**json.loads(CONTEXT), **context}), TASKS, flag, "--json")

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, field)
    assert left.everything() == before


def test_a_dry_run_shows_what_it_would_do(left: Project) -> None:
    before = left.everything()

    ran = left.work("subagents", CONTEXT, TASKS, "--dry-run")

    assert (ran.code, "[researcher] a" in ran.out) == (0, True)
    assert left.everything() == before


def test_a_phase_that_is_not_there_cannot_be_left(project: Project) -> None:
    before = project.everything()

    ran = project.work("orchestrate", DESCRIPTION, "--leave=research,cooking", "--json")

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, "--leave")
    assert "'cooking'" in ran.json["error"]["message"]
    assert project.everything() == before


def test_a_creation_with_a_body_of_what_is_there_is_another_workflow(left: Project) -> None:
    before = left.everything()

    ran = left.run("coordination-hub", "create-workflow", W, '{"phases": ["a"]}', "--json")

    assert (ran.code, ran.json["error"]["code"]) == (2, "WORKFLOW_EXISTS")
    assert left.everything() == before
