"""Roles are files that Claude Code reads too; ours must stay valid for both."""

from importlib.resources import files

import pytest
import yaml

from stretto.agents.roles import ROLES, TOOLS, load_role, parse_role
from stretto.state.errors import BadInput


def test_the_markdown_files_are_exactly_the_roles() -> None:
    found = {entry.name for entry in files("stretto.agents").iterdir() if entry.name.endswith(".md")}
    assert found == {f"{name}.md" for name in ROLES}


@pytest.mark.parametrize("name", ROLES)
def test_a_role_says_who_it_is_what_it_returns_and_when_it_is_done(name: str) -> None:
    role = load_role(name)
    assert role.name == name
    assert 40 < len(role.description) < 200
    assert "status" in role.prompt
    assert "finish" in role.prompt
    assert set(role.tools) <= set(TOOLS.values())


def test_only_implementer_tester_and_documenter_write() -> None:
    assert {name for name in ROLES if load_role(name).writes} == {"implementer", "tester", "documenter"}


@pytest.mark.parametrize("name", ROLES)
def test_the_front_matter_is_what_claude_code_reads(name: str) -> None:
    text = files("stretto.agents").joinpath(f"{name}.md").read_text(encoding="utf-8")
    assert set(yaml.safe_load(text.split("---\n")[1])) == {"name", "description", "tools"}


def test_an_unknown_role_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInput) as caught:
        load_role("../task")
    assert caught.value.allowed == ROLES


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("no front matter", "front matter"),
        ("---\nname: [\n---\nprompt", "front matter"),
        ("---\n- a\n---\nprompt", "front matter"),
        ("---\nname: other\ndescription: d\ntools: Read\n---\nprompt", "name"),
        ("---\nname: tester\ntools: Read\n---\nprompt", "description"),
        ("---\nname: tester\ndescription: d\n---\nprompt", "tools"),
        ("---\nname: tester\ndescription: d\ntools: Read, Shell\n---\nprompt", "tools"),
        ("---\nname: tester\ndescription: d\ntools: Read\n---\n \n", "prompt"),
    ],
)
def test_a_broken_role_file_is_refused_with_the_field(text: str, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_role("tester", text)
    assert caught.value.field == field
