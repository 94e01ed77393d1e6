"""The example pack, and the commands of docs/packs.md: lint, test, build, add, run, and the same for a teammate."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stretto.agents.cassette import lint, load
from stretto.agents.script import load_script
from stretto.packs.sandbox import sandbox
from tests.commands.door import Project, new_project
from tests.snapshot import snapshot

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "pack-release"
HOME = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")


def at_home(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Be somebody else, with a home of their own."""
    monkeypatch.delenv("STRETTO_CACHE", raising=False)
    for name in HOME:
        place = home if name == "HOME" else home / name.lower()
        place.mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv(name, str(place))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    at_home(monkeypatch, tmp_path / "ada")
    made = new_project(tmp_path / "calc")
    monkeypatch.chdir(made.root)
    return made


def lines(heading: str) -> Iterator[list[str]]:
    """The commands below a heading of the page, word by word."""
    page = (ROOT / "docs" / "packs.md").read_text("utf-8")
    part = page.split(f"\n## {heading}\n")[1].partition("\n## ")[0]
    for block in re.findall(r"^```bash\n(.*?)^```$", part, re.DOTALL | re.MULTILINE):
        yield from map(shlex.split, block.splitlines())


def typed(project: Project, words: list[str]) -> None:
    if words[0] == "git":
        project.git(*words[1:])
        return
    assert words[0] == "stretto"
    ran = project.work(*words[1:]) if words[1].startswith("team:") else project.run(*words[1:])
    assert ran.code == 0, f"{words}: {ran.err}{ran.out}"


@pytest.mark.slow
def test_the_way_of_a_new_pack_on_the_page_is_walked(project: Project) -> None:
    commands = list(lines("From a new pack to a teammate"))
    assert [words[2] for words in commands if words[1] == "pack"] == ["new", "lint", "test", "add", "add"]
    for words in commands:
        typed(project, words)
    assert list((project.root / "specs" / "reports").iterdir())


@pytest.mark.slow
def test_a_teammate_ends_with_the_same_tree_as_the_page_says(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(EXAMPLE, project.root / "examples" / "pack-release")
    commands = list(lines("A team's release"))
    frozen = commands.index(["stretto", "pack", "add", "--frozen"])
    for words in commands[:frozen]:
        typed(project, words)
    project.git("clone", "-q", ".", str(tmp_path / "eve" / "calc"))
    at_home(monkeypatch, tmp_path / "eve" / "home")
    teammate = Project(tmp_path / "eve" / "calc")
    monkeypatch.chdir(teammate.root)
    for words in commands[frozen:]:
        typed(teammate, words)
    packs = snapshot(teammate.root / ".stretto" / "packs")
    assert packs == snapshot(project.root / ".stretto" / "packs")
    assert any(path.endswith("commands/next.py") for path in packs)


@pytest.mark.slow
def test_its_release_runs_and_the_reviewer_is_told_what_its_file_says(project: Project) -> None:
    assert project.run("pack", "add", str(EXAMPLE / "team"), "--yes").code == 0
    project.agent({"changelog": {"files": {"CHANGELOG.md": "# Changelog\n"}}})
    ran = project.work("team:release", "1.4.0", "--json")
    assert ran.code == 0, ran.err + ran.out
    (review,) = [brief for brief in project.briefs() if brief["role"] == "reviewer"]
    assert "for the people who will read nothing else of it" in review["prompt"]


def asked(project: Path, *words: str) -> Any:
    """What the handler answers, run as packs' handlers are."""
    told = {"command": "next", "line": "", "words": words, "project": str(project), "pack": "team", "version": "1.0.0"}
    command = [sys.executable, "-I", str(EXAMPLE / "team" / "commands" / "next.py")]
    done = subprocess.run(command, input=json.dumps(told), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("words", "following"), [((), "0.1.1"), (("patch",), "0.1.1"), (("minor",), "0.2.0"), (("major",), "1.0.0")]
)
def test_the_next_version_is_counted(project: Project, words: tuple[str, ...], following: str) -> None:
    answer = asked(project.root, *words)
    assert (answer["status"], answer["result"]) == ("ok", {"version": "0.1", "next": following})


@pytest.mark.skipif(sandbox() == "none", reason="no sandbox of the operating system here")
def test_the_next_version_is_told_at_the_door(project: Project) -> None:
    assert project.run("pack", "add", str(EXAMPLE / "team"), "--yes").code == 0
    told = project.run("team:next", "minor", "--json")
    assert (told.code, told.json["result"]["next"]) == (0, "0.2.0"), told.err
    assert 'stretto team:release "0.2.0"' in told.json["next_steps"]
    refused = project.run("team:next", "nano")
    assert (refused.code, "One of: major, minor, patch" in refused.err + refused.out) == (1, True)


def test_what_is_no_part_of_a_version_is_told(project: Project, tmp_path: Path) -> None:
    assert asked(project.root, "nano")["status"] == "error"
    assert asked(tmp_path)["status"] == "error"


def test_its_cassette_is_clean_and_says_what_its_script_says() -> None:
    made, script = load(EXAMPLE / "team" / "cassettes" / "release.jsonl"), load_script(EXAMPLE / "script.yaml")
    assert lint(made) == []
    assert made.header.origin == "authored"
    written = {
        (lane, number): (line.say, line.calls())
        for lane, said in script.lanes.items()
        for number, line in enumerate(said, 1)
    }
    assert written == {
        turn.address: (turn.reply.text, [(call.name, call.args) for call in turn.reply.tool_calls])
        for turn in made.turns
    }
