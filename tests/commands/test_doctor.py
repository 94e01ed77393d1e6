"""`stretto doctor`: a sane machine shows no problem, and each thing that is wrong is named with what to do."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands.door import Project


def seen(project: Project) -> dict[str, Any]:
    found = project.run("doctor", "--json").json["result"]
    return {one["name"]: one for one in found["checks"]} | {"problems": found["problems"]}


def test_a_fresh_project_on_this_machine_shows_no_problem_and_nothing_is_written(project: Project) -> None:
    before = project.everything()

    ran = project.run("doctor")

    assert (ran.code, "No problem found." in ran.out or "Everything can work" in ran.out) == (0, True), ran.out
    assert project.everything() == before


def test_what_agents_start_ends_with_them_here(project: Project) -> None:
    level = seen(project)["children"]["level"]

    assert level == "ok" if sys.platform == "linux" else level in ("ok", "note")


@pytest.mark.parametrize("runner", ["command:no-such-program", "nonsense", "replay:none.jsonl", "model:anthropic/x"])
def test_a_runner_that_cannot_run_is_a_problem(project: Project, monkeypatch: pytest.MonkeyPatch, runner: str) -> None:
    monkeypatch.setenv("STRETTO_RUNNER", runner)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)

    ran = project.run("doctor", "--json")

    assert ran.code == 1
    assert {one["name"]: one["level"] for one in ran.json["result"]["checks"]}["runner"] == "problem"


def test_the_runner_of_the_settings_is_the_one_that_is_looked_at(project: Project) -> None:
    project.write({".stretto/config.toml": f'runner = "command:{sys.executable}"\n'})

    assert seen(project)["runner"]["what"] == f"command:{sys.executable} can be started"


def test_without_git_nothing_can_work(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    found = seen(project)

    assert (found["git"]["level"], "Install git" in found["git"]["cure"]) == ("problem", True)


def test_an_old_git_is_a_problem(project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path / "git", "echo git version 2.30.1")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    assert seen(project)["git"]["level"] == "problem"


def test_claude_is_named_with_its_version_and_others_by_name_and_not_started(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path / "claude", "echo '2.1.0 (Claude Code)'")
    program(tmp_path / "codex", f"touch {tmp_path / 'started'}")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    checks = project.run("doctor", "--json").json["result"]["checks"]

    told = [one["what"] for one in checks if one["name"] == "client"]
    assert told[0].startswith("claude 2.1.0 (Claude Code)")
    assert any(what.startswith("codex") for what in told)
    assert not (tmp_path / "started").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_place_that_cannot_be_written_is_a_problem(project: Project, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)

    ran = project.run("doctor", "--store", str(closed / "store"))

    assert (ran.code, "not writable" in ran.out) == (1, True)


def program(path: Path, line: str) -> None:
    path.write_text(f"#!{shutil.which('sh')}\n{line}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("words", [("now",), ("--fast",)])
def test_what_the_doctor_does_not_take_is_refused(project: Project, words: tuple[str, ...]) -> None:
    assert project.run("doctor", *words).code == 2
