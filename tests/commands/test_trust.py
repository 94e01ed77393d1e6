"""A store that came with a clone: it may be looked at, and nothing in it runs without being asked for by name."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.commands.door import Project

ROOT = Path(__file__).parents[2]
WORKFLOW = "multiplication_subtraction_001"


@pytest.fixture
def planted(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose store somebody else has made, with a workflow that waits for orders."""
    assert project.run("orchestrate", "Add multiplication and subtraction", "--runner", "host").code == 3
    project.git(
        "add", "-f", *(f".stretto/state/{name}" for name in ("mark", "events.db", "events.lock", "checkpoints"))
    )
    project.git("commit", "-q", "-m", "Add a workflow")
    project.git("clone", "-q", str(project.root), str(tmp_path / "clone" / "calc"))
    theirs = Project(tmp_path / "clone" / "calc")
    monkeypatch.chdir(theirs.root)
    return theirs


def ask(event: str, project: Project, data: Path, **payload: object) -> str:
    """What a hook answers in the project."""
    done = subprocess.run(
        ["sh", str(ROOT / "hooks" / "run"), event],
        input=json.dumps({"cwd": str(project.root), **payload}),
        env={**os.environ, "CLAUDE_PROJECT_DIR": str(project.root), "CLAUDE_PLUGIN_DATA": str(data)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_planted_workflow_is_not_resumed_unless_its_runner_is_named(planted: Project) -> None:
    before = planted.git("status", "--porcelain"), len(planted.run("events").out)

    ran = planted.run("orchestrate", "--resume", WORKFLOW, "--json")

    assert ran.code == 2
    assert ran.json["error"]["details"]["field"] == "--runner"
    assert "was not made by you on this machine" in ran.json["error"]["message"]
    assert (planted.git("status", "--porcelain"), len(planted.run("events").out)) == before
    assert planted.run("orchestrate", "--resume", WORKFLOW, "--runner", "host").code == 3


def test_a_planted_order_runs_no_checks(planted: Project) -> None:
    ran = planted.run("check", f"{WORKFLOW}/research/topic-1#1")

    assert (ran.code, "somebody else's choice" in ran.err) == (2, True)


def test_a_planted_store_can_be_looked_at(planted: Project) -> None:
    assert planted.run("workflow-status", WORKFLOW).code == 0


def test_no_hook_speaks_of_a_planted_workflow_nor_lets_it_run(planted: Project, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()

    assert ask("session-start", planted, data) == ""
    command = {"command": f"stretto orchestrate --resume {WORKFLOW}"}
    assert ask("shell", planted, data, tool_name="Bash", tool_input=command) == ""
    launch = {"prompt": f"{WORKFLOW}/research/topic-1#1", "subagent_type": "stretto:researcher"}
    assert ask("launch", planted, data, tool_name="Agent", tool_input=launch, session_id="s") == ""


def test_a_shell_command_is_judged_by_the_folder_that_it_goes_to(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    assert project.run("orchestrate", "Add multiplication and subtraction", "--runner", "host").code == 3
    theirs = tmp_path / "theirs"
    shutil.copytree(project.root, theirs)
    (theirs / ".stretto" / "state" / "mark").write_text("0" * 32)

    def allowed(command: str) -> bool:
        return '"allow"' in ask("shell", project, data, tool_name="Bash", tool_input={"command": command})

    assert allowed(f"stretto orchestrate --resume {WORKFLOW}")
    assert allowed(f"cd {project.root} && stretto orchestrate --resume {WORKFLOW}")
    assert not allowed(f"cd {theirs} && stretto orchestrate --resume {WORKFLOW}")
    assert not allowed(f"stretto workflow-status {WORKFLOW} --project={theirs}")
    assert not allowed(f"stretto workflow-status {WORKFLOW} --store {theirs}/.stretto/state")


def test_a_store_that_was_moved_is_still_ones_own(project: Project, tmp_path: Path) -> None:
    assert project.run("orchestrate", "Add multiplication and subtraction", "--runner", "host").code == 3
    moved = Project(tmp_path / "moved")
    shutil.copytree(project.root, moved.root)

    assert moved.run("orchestrate", "--resume", WORKFLOW, "--project", str(moved.root)).code != 2
