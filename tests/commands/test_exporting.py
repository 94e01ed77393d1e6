"""`stretto pack export` and `stretto setup --client`, through the door."""

from pathlib import Path

import pytest

from stretto.commands.handlers import HANDLERS
from tests.commands.door import Project


def files(folder: Path) -> set[str]:
    """All files below a folder but those of git and of the store."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {path for path in found if not path.startswith((".git/", ".stretto/"))}


def test_a_pack_is_written_for_a_client_and_taken_back(project: Project) -> None:
    project.run("pack", "new", "team")
    before = files(project.root)

    wrote = project.run("pack", "export", "team", "--client", "gemini", "-o", ".")
    there = files(project.root) - before
    removed = project.run("pack", "export", "team", "--client", "gemini", "-o", ".", "--remove")

    assert (wrote.code, removed.code) == (0, 0)
    assert there == {
        ".gemini/commands/team/hello.toml",
        ".gemini/settings.json",
        ".stretto-exports/gemini-team",
    }
    assert files(project.root) == before


@pytest.mark.parametrize("client", ["opencode", "codex", "gemini", "qwen", "cursor", "agent-plugins", "skills"])
def test_setup_writes_every_command_for_a_client_and_takes_them_back(project: Project, client: str) -> None:
    before = files(project.root)

    wrote = project.run("setup", "--client", client)
    there = files(project.root) - before
    removed = project.run("setup", "--client", client, "--remove")

    assert (wrote.code, removed.code) == (0, 0)
    for name in HANDLERS:
        assert [path for path in there if name in path], name
    assert files(project.root) == before


def test_setup_for_claude_is_what_it_is_without_a_client(project: Project) -> None:
    wrote = project.run("setup", "--client", "claude")

    assert wrote.code == 0
    assert files(project.root) >= {".claude/commands/plan.md", ".claude/commands/debug.md"}


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["pack", "export", "team", "--client", "vim", "-o", "out"], "--client"),
        (["pack", "export", "team", "-o", "out"], "--client"),
        (["pack", "export", "team", "--client", "gemini"], "-o"),
        (["setup", "--client", "vim"], "--client"),
        (["pack", "list", "--client", "gemini"], "--client"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(project: Project, arguments: list[str], field: str) -> None:
    project.run("pack", "new", "team")
    before = files(project.root)

    refused = project.run(*arguments, "--json")

    assert refused.code == 2
    assert field in refused.out + refused.err
    assert files(project.root) == before
