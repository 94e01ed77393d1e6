"""`stretto pack test`: scenarios are verified and cassettes replayed, with the pack's own commands known there."""

import shutil
from pathlib import Path

import pytest

from tests.commands.door import Project

SCRIPT = """\
task: the till
lanes:
  research/how#1:
    - say: Read, and understood.
      call:
        - read_file: {path: src/shop/authentication.py}
    - say: That is all of it.
      finish:
        status: completed
        summary: It compares a name with a password.
        data: {title: How it works, report: "# How it works\\n\\nIt compares a name with a password.\\n"}
  research/risks#1:
    - say: Enough is known.
      finish:
        status: completed
        summary: Passwords are kept as they are typed.
        data: {title: What could break, report: "# What could break\\n\\nPasswords are kept as they are typed.\\n"}
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRETTO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def team(project: Project) -> Path:
    """A new pack beside the project."""
    assert project.run("pack", "new", "team").code == 0
    shutil.move(project.root / "team", project.root.parent / "team")
    return project.root.parent / "team"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_the_scenario_of_a_new_pack_holds_and_the_project_is_left_alone(project: Project, team: Path) -> None:
    before = project.everything()
    ran = project.run("pack", "test", "../team")
    assert (ran.code, project.everything()) == (0, before), ran.out + ran.err
    assert "holds  scenarios/hello.md  2 of 2 commands, 2 of 2 events" in ran.out


@pytest.mark.slow
def test_a_scenario_that_does_not_hold_is_told_with_what_was_seen(project: Project, team: Path) -> None:
    change(team / "scenarios" / "hello.md", "hello_001 COMPLETED", "hello_001 FAILED")
    (team / "scenarios" / "none.md").write_text("# Nothing\n", "utf-8")
    ran = project.run("pack", "test", "../team")
    assert ran.code == 1
    assert "FAILS  scenarios/hello.md" in ran.out
    assert "fails: COMPLETED" in ran.out
    assert "FAILS  scenarios/none.md" in ran.out
    assert "holds no example" in ran.out
    assert "team: 0 of 2 files hold." in ran.out


@pytest.mark.slow
def test_a_cassette_recorded_on_the_kept_ground_replays_and_a_spoiled_one_does_not(
    project: Project, team: Path, tmp_path: Path
) -> None:
    shutil.rmtree(team / "scenarios")
    kept = project.run("pack", "test", "../team", "--keep", "--json")
    assert (kept.code, kept.json["result"]["files"]) == (1, {})
    ground = Path(kept.json["result"]["kept"])
    (tmp_path / "script.yaml").write_text(SCRIPT, "utf-8")
    (team / "cassettes").mkdir()
    tape = team / "cassettes" / "till.jsonl"
    words = ("--template=team:hello", "--runner", f"model:script/{tmp_path / 'script.yaml'}")
    made = project.run("cassette", "record", str(tape), "the till", *words, "--project", str(ground))
    assert made.code == 0, made.err + made.out

    ran = project.run("pack", "test", "../team")
    assert (ran.code, "holds  cassettes/till.jsonl" in ran.out) == (0, True), ran.out + ran.err
    change(team / "templates" / "hello.yaml", "id: risks", "id: dangers")
    ran = project.run("pack", "test", "../team")
    assert (ran.code, "FAILS  cassettes/till.jsonl" in ran.out) == (1, True)
    change(tape, "Enough is known.", "Enough: sk-ant-api03-" + "aB3" * 28)
    ran = project.run("pack", "test", "../team", "--json")
    assert (ran.code, "problems" in ran.json["result"]["files"]["cassettes/till.jsonl"]) == (1, True)
    shutil.rmtree(ground.parent)


@pytest.mark.slow
def test_an_installed_pack_is_tested_with_those_that_it_needs(project: Project, team: Path, tmp_path: Path) -> None:
    base = tmp_path / "base"
    shutil.copytree(team, base)
    change(base / "pack.toml", 'name = "team"', 'name = "base"')
    change(base / "scenarios" / "hello.md", "/team:hello", "/base:hello")
    change(team / "scenarios" / "hello.md", "/team:hello", "/base:hello")
    with (team / "pack.toml").open("a") as file:
        file.write('\n[dependencies]\nbase = ">=0.1,<1"\n')
    refused = project.run("pack", "test", "../team")
    assert (refused.code, "team 0.1.0 needs base" in refused.err) == (2, True)
    assert project.run("pack", "add", "../team", "../base", "--yes").code == 0
    assert project.run("pack", "test", "team").code == 0


def test_what_is_no_sound_pack_is_not_tested(project: Project, team: Path) -> None:
    (team / "templates" / "hello.yaml").unlink()
    before = project.everything()
    ran = project.run("pack", "test", "../team")
    assert (ran.code, "The pack is not sound" in ran.err) == (2, True)
    assert project.run("pack", "test").code == 2
    assert project.run("pack", "test", "../team", "--force").code == 2
    assert project.everything() == before
