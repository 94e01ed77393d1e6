"""Slash lines through the real client: which names are ours, what is answered for free, and that arguments are data."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stretto.commands.app import App
from stretto.commands.cli import HANDLERS
from stretto.commands.setup import TAKEN, setup
from tests.client.api import Api
from tests.client.claude import ROOT, Claude
from tests.client.reply import say

pytestmark = [pytest.mark.client, pytest.mark.slow]
HOSTILE: list[dict[str, str]] = json.loads((ROOT / "tests" / "data" / "hostile_arguments.json").read_text("utf-8"))
RECORDER = """#!/bin/sh
# Keeps what a hook kept, and calls the program.
[ "$1" != typed ] || cat "$3"/args/* >"{seen}"
exec "{program}" "$@"
"""


@pytest.mark.parametrize("line", ["/workflow-status", "/stretto:workflow-status nothing_001", "/orchestrate --help"])
def test_a_free_answer_makes_no_request(claude: Claude, api: Api, line: str) -> None:
    session = claude.say(line)

    assert session.text.startswith("UserPromptExpansion operation blocked by hook:\n")
    assert "Original prompt" not in session.text
    assert api.requests == []


@pytest.mark.parametrize("name", sorted(set(HANDLERS) - {*TAKEN}))
def test_a_bare_name_is_answered(claude: Claude, api: Api, name: str) -> None:
    session = claude.say(f"/{name} --no-such-flag")

    assert f"/{name} has no flag '--no-such-flag'" in session.text
    assert api.requests == []


@pytest.mark.parametrize("name", TAKEN)
def test_a_name_that_the_client_keeps_is_ours_after_setup(claude: Claude, api: Api, name: str) -> None:
    folder = claude.project / ".claude" / "commands"
    prefixed = claude.say(f"/stretto:{name} --no-such-flag")
    setup(App(claude.project), remove=False)
    bare = claude.say(f"/{name} --no-such-flag")

    assert folder.is_dir()
    for session in (prefixed, bare):
        assert f"/{name} has no flag '--no-such-flag'" in session.text
    assert api.requests == []


@pytest.fixture
def recorded(tmp_path: Path, api: Api) -> Iterator[tuple[Claude, Path]]:
    """A user whose plugin writes down what reaches a command's page."""
    plugin, seen = tmp_path / "plugin", tmp_path / "seen"
    for name in ("commands", "agents", "hooks", ".claude-plugin", "state", "graph", "bin"):
        shutil.copytree(ROOT / name, plugin / name, ignore=shutil.ignore_patterns("__pycache__"))
    (plugin / "bin" / "stretto").write_text(RECORDER.format(seen=seen, program=ROOT / "bin" / "stretto"))
    with Claude(tmp_path / "user", api, plugins=[plugin]) as claude:
        yield claude, seen


@pytest.mark.timeout(400)
def test_hostile_arguments_arrive_byte_for_byte_and_nothing_of_them_is_run(
    recorded: tuple[Claude, Path], api: Api
) -> None:
    claude, seen = recorded
    api.on(lambda _: True, say("Seen."))

    for hostile in HOSTILE:
        given, name = hostile["arguments"], hostile["name"]
        seen.unlink(missing_ok=True)
        before = len(api.requests)
        session = claude.say(f"/stretto:report {given}")
        if seen.exists():
            assert seen.read_bytes() == given.strip(" ").encode(), name  # the client takes blanks off the ends
            assert len(api.requests) == before + 1, name
        else:
            assert "blocked by hook:\nRefused; nothing was done. " in session.text, name
            assert len(api.requests) == before, name

    assert list(claude.folder.rglob("STRETTO_PWNED*")) == []
