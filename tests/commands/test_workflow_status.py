import json
import subprocess
import sys
from pathlib import Path

import pytest

import stretto.state
from stretto.state.log import Log
from stretto.state.show import as_dict
from stretto.state.view import fold
from tests.commands.door import Project
from tests.commands.test_verbs import SECONDS, wait_for


def test_without_a_store_it_says_so_and_makes_nothing(project: Project) -> None:
    before = project.everything()

    for args in ((), ("--detailed",)):
        ran = project.run("workflow-status", *args)
        assert (ran.code, "No workflow has run here yet." in ran.out) == (0, True)
    assert project.run("workflow-status", "--json").json["result"] == {
        "workflows": [],
        "total": 0,
        "by_status": {},
    }
    assert project.everything() == before


def test_looking_at_a_store_changes_nothing_in_it(project: Project) -> None:
    project.work("report", "Sessions")
    before = project.everything()

    for args in ((), ("sessions_001",), ("sessions_001", "--detailed"), ("--json",), ("nobody",)):
        project.run("workflow-status", *args)
    project.run("events")

    assert project.everything() == before


def test_each_workflow_is_a_line_and_the_newest_is_offered(project: Project) -> None:
    project.work("report", "Sessions")
    project.agent({"researcher": {"outcome": {"status": "failed", "error": "closed"}}})
    project.work("report", "Tokens", "--attempts=1")

    ran = project.run("workflow-status")

    first, second = ran.out.splitlines()[:2]
    assert first.split()[:2] == ["sessions_001", "COMPLETED"]
    assert second.split()[:2] == ["tokens_001", "FAILED"]
    assert "stretto workflow-status tokens_001" in ran.out


def test_of_many_workflows_it_shows_what_has_not_ended_and_the_newest_and_counts_the_rest(project: Project) -> None:
    with Log.open(project.store, durability="process", clock=iter(range(1_700_000_000, 1_800_000_000)).__next__) as log:
        for i in range(1, 61):
            with log.write() as tx:
                tx.create_workflow(f"w_{i:03d}", kind="report", description="Many", spec={}, runner="r")
            if i not in (3, 7):
                with log.write() as tx:
                    tx.set_status(f"w_{i:03d}", "FAILED" if i % 2 else "CANCELLED")

    said = project.run("workflow-status").out
    seen = project.run("workflow-status", "--json").json["result"]
    every = project.run("workflow-status", "--all", "--json").json["result"]

    shown = ["w_003", "w_007", *(f"w_{i:03d}" for i in range(43, 61))]
    assert [line.split()[0] for line in said.splitlines()[:20]] == shown
    assert "and 40 more: 21 CANCELLED, 19 FAILED" in said
    assert "stretto workflow-status --all" in said
    assert [w["workflow_id"] for w in seen["workflows"]] == shown
    assert (seen["total"], seen["by_status"]) == (60, {"CREATED": 2, "FAILED": 28, "CANCELLED": 30})
    assert [w["workflow_id"] for w in every["workflows"]] == [f"w_{i:03d}" for i in range(1, 61)]
    assert " more:" not in project.run("workflow-status", "--all").out
    assert len(project.run("workflow-status", "--detailed").out.split("  unknown · ")) == 21
    refused = project.run("workflow-status", "w_003", "--all")
    assert (refused.code, "--all lists every workflow" in refused.err) == (2, True)


def test_one_workflow_in_short_is_its_phases_and_what_is_not_done(project: Project) -> None:
    project.agent({"planner": {"outcome": {"status": "failed", "error": "no idea \x1b[31m at all"}}})
    project.work("orchestrate", "Add multiplication", "--attempts=2", "--workflow-id=w")

    short = project.run("workflow-status", "w").out
    whole = project.run("workflow-status", "w", "--detailed").out

    assert "w  FAILED  Add multiplication" in short
    assert "planning/plan" in short
    assert "research/topic-1" not in short
    assert "last events" not in short
    assert "research/topic-1" in whole
    assert "last events" in whole
    assert "warnings" in whole
    assert len(short.splitlines()) < len(whole.splitlines()) / 2
    assert "\x1b" not in short + whole
    assert "stretto orchestrate --resume w" in short
    assert "50 tokens in, 25 out, cost 0.0050 USD" in short


def test_as_json_it_is_the_fold_of_the_events(project: Project) -> None:
    project.work("report", "Sessions")

    seen = project.run("workflow-status", "sessions_001", "--json").json["result"]

    found = as_dict(fold(project.events("sessions_001")))
    assert {k: v for k, v in seen.items() if k in found} == json.loads(json.dumps(found))
    assert seen.keys() - found.keys() == {"driver", "runner", "undone", "caps", "usage_with_children", "at_work"}
    assert (seen["driver"], seen["undone"], seen["runner"]) == (None, False, project.runner)


def test_a_workflow_that_waits_at_a_gate_names_the_answers(project: Project) -> None:
    project.work("report", "Sessions", "--gate=merge")

    ran = project.run("workflow-status", "sessions_001")

    assert "waits at the gate 'merge'" in ran.out
    assert "stretto orchestrate --resume sessions_001 --approve" in ran.out


@pytest.mark.slow
def test_it_tells_a_living_driver_from_one_that_is_gone(project: Project) -> None:
    begun, go = project.root.with_name("begun"), project.root.with_name("go")
    project.agent({"researcher": {"touch": str(begun), "until": str(go)}})
    driver = project.start("report", "Sessions", "--runner", project.runner)
    try:
        wait_for(begun.exists, "the agent to begin")
        alive = project.run("workflow-status", "sessions_001")
        driver.kill()
        driver.wait(timeout=SECONDS)
        gone = project.run("workflow-status", "sessions_001")
        listed = project.run("workflow-status")
    finally:
        go.touch()
        driver.kill()
        driver.communicate()

    assert f"driven by process {driver.pid}" in alive.out
    assert "research/topic" in alive.out
    assert "running" in alive.out
    assert "stretto events sessions_001 --follow" in alive.out
    assert "Its driver is gone." in gone.out
    assert "stretto orchestrate --resume sessions_001" in gone.out
    assert "RUNNING, driver gone" in listed.out
    assert project.run("orchestrate", "--resume=sessions_001").code == 0


@pytest.mark.parametrize("args", [("workflow-status",), ("workflow-status", "sessions_001", "--json"), ("events",)])
def test_in_a_plugins_folder_it_works_with_the_standard_library_alone(project: Project, args: tuple[str, ...]) -> None:
    project.work("report", "Sessions")
    rooms = Path(stretto.state.__path__[0]).parent
    door = (
        "import sys, types\nstretto = sys.modules['stretto'] = types.ModuleType('stretto')\n"
        "stretto.__path__ = [sys.argv.pop(1)]\n"
        "from stretto.commands.cli import main\nsys.exit(main())"
    )

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", door, str(rooms), *args],
        cwd=project.root, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert "sessions_001" in done.stdout
