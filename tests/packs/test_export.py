"""A pack in the form of every client: the same bytes as the golden files, and nobody's files touched.

After a change that is meant: STRETTO_GOLDEN=write pytest tests/packs/test_export.py, and look at what git shows.
"""

import json
import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from stretto.packs.export import Command, Source, source_of
from stretto.packs.export_table import CLIENTS, exported
from stretto.packs.export_writing import remove_export, write_export
from stretto.packs.pack import sound
from stretto.state.errors import BadInput

GOLDEN = Path(__file__).parent / "golden"
FILES = {
    "pack.toml": b"""\
name = "team"
version = "1.2.0"
description = "How our team ships: \\"tested\\" & d\xc3\xa9ploy\xc3\xa9"
license = "MIT"
requires = ">=0.1"

[capabilities]
tools = ["Read", "Grep", "Bash"]
""",
    "commands/release.md": b"""\
---
name: release
description: 'Release a version: notes, checks, a tag'
argument-hint: '"VERSION" [--dry-run]'
template: release
---
Runs !`touch STRETTO_PWNED` and !{touch STRETTO_PWNED} nowhere, whatever $ARGUMENTS or {{args}} are.
""",
    "templates/release.yaml": b"""\
name: release
description: Release a version.
phases:
  - name: research
    kind: research
    tasks:
      - id: notes
        title: "Notes of {{subject}}"
        role: researcher
        prompt: "Write the notes of {{description}}."
""",
    "agents/clerk.md": b"""\
---
name: clerk
description: Reads the log of git and writes the notes of a version.
tools: Read, Grep, Bash
---
You write the notes of a version from the log of git. You change no files.
""",
}
SOURCE = source_of(sound(FILES, "0.1.0"))


def written(folder: Path) -> dict[str, str]:
    """All files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_what_a_client_gets_is_what_the_golden_files_say(client: str, tmp_path: Path) -> None:
    folder = GOLDEN / client
    if os.environ.get("STRETTO_GOLDEN") == "write":
        write_export(folder, client, "team", exported(SOURCE, client))

    write_export(tmp_path, client, "team", exported(SOURCE, client))

    assert written(tmp_path) == written(folder)


@pytest.mark.parametrize("client", CLIENTS)
def test_no_page_holds_what_a_client_would_run_or_read(client: str) -> None:
    for path, text in exported(SOURCE, client).files.items():
        if path.endswith((".md", ".toml")):
            assert not re.search(r"!`|!\{|@\{|```!|STRETTO_PWNED", text), path
            assert not re.search(r"(?<!\S)@\S", text), path
            assert len(re.findall(r"\$ARGUMENTS|\{\{args\}\}|\$4096", text)) <= 1, path


@pytest.mark.parametrize("client", CLIENTS)
def test_everything_is_read_back_as_it_was_meant(client: str) -> None:
    for path, text in exported(SOURCE, client).files.items():
        if path.endswith(".json"):
            json.loads(text)
        elif path.endswith(".toml"):
            assert tomllib.loads(text)["description"] == "Release a version: notes, checks, a tag"
        elif text.startswith("---\n"):
            head = yaml.safe_load(text.split("---\n")[1])
            expected = SOURCE.agents["clerk"] if "agent" in Path(path).parent.name else SOURCE.commands[0]
            assert head["description"] == expected.description


def test_a_skill_has_no_fields_but_those_of_the_specification() -> None:
    (text,) = exported(SOURCE, "skills").files.values()

    assert {*yaml.safe_load(text.split("---\n")[1])} == {
        "name",
        "description",
        "license",
        "compatibility",
        "metadata",
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_what_was_written_is_taken_back_to_the_last_byte(client: str, tmp_path: Path) -> None:
    (tmp_path / "mine.md").write_text("mine")
    export = exported(SOURCE, client)

    first = write_export(tmp_path, client, "team", export)
    again = write_export(tmp_path, client, "team", export)
    remove_export(tmp_path, client, "team", export)

    assert first == again
    assert [path.name for path in tmp_path.rglob("*")] == ["mine.md"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_file_that_is_not_ours_stays_and_nothing_is_written(client: str, tmp_path: Path) -> None:
    export = exported(SOURCE, client)
    taken = tmp_path / [*export.files][-1]
    taken.parent.mkdir(parents=True)
    taken.write_text("mine")

    with pytest.raises(BadInput, match="not what Stretto wrote"):
        write_export(tmp_path, client, "team", export)

    assert list(written(tmp_path).values()) == ["mine"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_page_that_somebody_changed_is_theirs(client: str, tmp_path: Path) -> None:
    export = exported(SOURCE, client)
    write_export(tmp_path, client, "team", export)
    place = tmp_path / next(iter(export.files))
    place.write_text("changed")
    before = written(tmp_path)

    with pytest.raises(BadInput, match="not what Stretto wrote"):
        write_export(tmp_path, client, "team", export)
    with pytest.raises(BadInput, match="not what Stretto wrote"):
        remove_export(tmp_path, client, "team", export)

    assert written(tmp_path) == before


def test_a_command_that_is_gone_from_a_pack_is_gone_from_its_export(tmp_path: Path) -> None:
    more = SOURCE._replace(commands=(*SOURCE.commands, Command("tag", "/team:tag", "Tags", "")))
    write_export(tmp_path, "cursor", "team", exported(more, "cursor"))

    write_export(tmp_path, "cursor", "team", exported(SOURCE, "cursor"))

    assert [path.name for path in (tmp_path / ".cursor/commands").iterdir()] == ["team-release.md"]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / ".cursor").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BadInput, match="link"):
        write_export(tmp_path / "project", "cursor", "team", exported(SOURCE, "cursor"))

    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("client", "path", "text"),
    [
        ("gemini", ".gemini/settings.json", '{"mcpServers": {"other": {"command": "o"}}, "theme": "x"}'),
        ("opencode", "opencode.json", '{"model": "a/b"}'),
        ("codex", ".codex/config.toml", '# mine\nmodel = "x"\n[mcp_servers.other]\ncommand = "o"\n'),
    ],
)
def test_settings_keep_all_that_is_the_users(client: str, path: str, text: str, tmp_path: Path) -> None:
    place = tmp_path / path
    place.parent.mkdir(exist_ok=True)
    place.write_text(text)
    read = tomllib.loads if path.endswith(".toml") else json.loads

    export = exported(SOURCE, client)
    write_export(tmp_path, client, "team", export)
    with_ours = read(place.read_text())
    remove_export(tmp_path, client, "team", export)

    assert export.shared
    assert with_ours[export.shared.key]["stretto"] == export.shared.server
    assert read(place.read_text()) == read(text)


def test_two_packs_share_the_server_and_the_last_takes_it_along(tmp_path: Path) -> None:
    other = SOURCE._replace(name="other", commands=(Command("x", "/other:x", "X", ""),))
    mine, theirs = exported(SOURCE, "qwen"), exported(other, "qwen")
    write_export(tmp_path, "qwen", "team", mine)
    write_export(tmp_path, "qwen", "other", theirs)

    remove_export(tmp_path, "qwen", "team", mine)
    kept = json.loads((tmp_path / ".qwen/settings.json").read_text())
    remove_export(tmp_path, "qwen", "other", theirs)

    assert "stretto" in kept["mcpServers"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ['{"mcpServers": {"stretto": {"command": "x"}}}', "{// a comment\n}", "[]", '{"mcpServers": 3}']
)
def test_settings_that_cannot_be_kept_whole_are_not_touched(text: str, tmp_path: Path) -> None:
    (tmp_path / ".gemini").mkdir()
    (tmp_path / ".gemini/settings.json").write_text(text)

    with pytest.raises(BadInput, match="settings"):
        write_export(tmp_path, "gemini", "team", exported(SOURCE, "gemini"))

    assert written(tmp_path) == {".gemini/settings.json": text}


def test_a_client_that_nobody_knows_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(BadInput) as caught:
        exported(SOURCE, "vim")

    assert caught.value.field == "--client"
    assert list(caught.value.allowed) == list(CLIENTS)


def test_a_source_without_commands_is_refused() -> None:
    with pytest.raises(BadInput, match="no commands"):
        exported(Source("empty", "1.0.0", "None", "MIT", (), {}), "skills")
