"""`stretto setup` writes pages for the bare names that the assistant keeps for itself, and takes them away again."""

from pathlib import Path

import pytest
import yaml

from stretto.commands.help import definition
from stretto.commands.setup import TAKEN
from tests.commands.door import Project


def test_pages_are_written_and_removed_and_nothing_is_left(project: Project) -> None:
    before = sorted(project.root.rglob("*"))

    wrote = project.run("setup")
    pages = sorted(path.name for path in (project.root / ".claude" / "commands").iterdir())
    again, removed = project.run("setup"), project.run("setup", "--remove")

    assert (wrote.code, again.code, removed.code) == (0, 0, 0)
    assert pages == sorted(f"{name}.md" for name in TAKEN)
    assert sorted(project.root.rglob("*")) == before


@pytest.mark.parametrize("name", TAKEN)
def test_a_page_calls_its_command_by_one_constant_line(project: Project, name: str) -> None:
    project.run("setup")

    text = (project.root / ".claude" / "commands" / f"{name}.md").read_text("utf-8")
    _, head, body = text.split("---\n", 2)
    read = yaml.safe_load(head)

    assert body.startswith(f"\n!`stretto typed {name}`\n")
    assert "$" not in text
    assert body.count("!`") == 1
    assert read["allowed-tools"] == f"Bash(stretto typed {name})"
    for key in ("name", "description", "argument-hint"):
        assert read[key] == definition(name).head[key]
    assert body.split("`\n")[1] == definition(name).body.split("`\n")[1]


@pytest.mark.parametrize("arguments", [[], ["--remove"]])
def test_a_page_of_the_projects_own_is_kept_and_nothing_is_written(project: Project, arguments: list[str]) -> None:
    own = project.root / ".claude" / "commands" / "plan.md"
    own.parent.mkdir(parents=True)
    own.write_text("mine")

    ran = project.run("setup", *arguments)

    assert ran.code == 2
    assert "is not one of our pages; nothing was changed" in ran.err
    assert [path.name for path in own.parent.iterdir()] == ["plan.md"]
    assert own.read_text() == "mine"


def test_a_folder_that_leads_out_of_the_project_is_not_written_to(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (project.root / ".claude").symlink_to(outside)

    ran = project.run("setup")

    assert ran.code == 2
    assert "is no folder of this project" in ran.err
    assert list(outside.iterdir()) == []


def test_a_folder_with_more_in_it_stays(project: Project) -> None:
    project.run("setup")
    (project.root / ".claude" / "commands" / "own.md").write_text("mine")

    project.run("setup", "--remove")

    assert [p.name for p in (project.root / ".claude" / "commands").iterdir()] == ["own.md"]


def test_removing_what_is_not_there_says_so(project: Project) -> None:
    ran = project.run("setup", "--remove")

    assert (ran.code, ran.out) == (0, "There are no pages of `stretto setup` here.\n")
    assert not (project.root / ".claude").exists()


def test_an_unknown_flag_is_refused(project: Project) -> None:
    assert project.run("setup", "--all").code == 2
    assert not (project.root / ".claude").exists()
