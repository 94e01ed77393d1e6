"""The cassettes of the examples: clean, labelled, and what their scripts say."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stretto.agents.cassette import Cassette, lint, load
from stretto.agents.script import Script, load_script

EXAMPLES = Path(__file__).parents[2] / "examples"
Program = Callable[[str], dict[str, Any]]
TASKS = {"jwt-api": "Add JWT authentication", "cli-todo": "Add due dates to todo items"}
EACH = pytest.mark.parametrize("name", sorted(TASKS))


def cassette(name: str) -> Cassette:
    return load(EXAMPLES / name / "cassette.jsonl")


def script(name: str) -> Script:
    return load_script(EXAMPLES / name / "script.yaml")


@EACH
def test_a_cassette_is_clean(name: str) -> None:
    assert lint(cassette(name)) == []
    assert cassette(name).header.redactions == 0


@EACH
def test_a_cassette_says_that_it_was_authored_and_for_what(name: str) -> None:
    header = cassette(name).header

    assert (header.origin, header.task, header.model) == ("authored", TASKS[name], "script/script.yaml")
    assert "Authored: people wrote it" in (EXAMPLES / name / "script.yaml").read_text("utf-8").splitlines()[0]


@EACH
def test_a_cassette_claims_no_tokens(name: str) -> None:
    assert all(turn.reply.usage is None for turn in cassette(name).turns)


@EACH
def test_a_cassette_holds_every_turn_of_its_script_word_for_word(name: str) -> None:
    written = {
        (lane, number): (line.say, line.calls())
        for lane, lines in script(name).lanes.items()
        for number, line in enumerate(lines, 1)
    }
    recorded = {
        turn.address: (turn.reply.text, [(call.name, call.args) for call in turn.reply.tool_calls])
        for turn in cassette(name).turns
    }

    assert recorded == written


@EACH
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_recording_again_gives_the_same_cassette_but_for_the_time(name: str, tmp_path: Path) -> None:
    again = tmp_path / "again.jsonl"
    argv = [sys.executable, str(EXAMPLES / "record.py"), name, str(again)]

    ran = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    assert _without_time(again) == _without_time(EXAMPLES / name / "cassette.jsonl")


def _without_time(path: Path) -> list[Any]:
    head, *turns = path.read_text("utf-8").splitlines()
    header = json.loads(head)
    assert header.pop("recorded_at")
    return [header, *turns]


@EACH
def test_a_task_that_was_not_recorded_is_refused_with_those_that_were(
    name: str, tmp_path: Path, program: Program
) -> None:
    runner = f"replay:{EXAMPLES / name / 'cassette.jsonl'}"
    argv = [sys.executable, "-m", "stretto.commands", "orchestrate", "Something else", "--runner", runner]
    place: Path = program("scratch")["make_project"](name, tmp_path / name)
    before = sorted(place.rglob("*"))

    ran = subprocess.run(argv, cwd=place, capture_output=True, text=True, check=False)

    assert ran.returncode == 2
    assert "Something else" in ran.stderr
    assert all(task in ran.stderr for task in cassette(name).tasks())
    assert sorted(place.rglob("*")) == before


def test_only_known_examples_are_recorded(tmp_path: Path) -> None:
    argv = [sys.executable, str(EXAMPLES / "record.py"), "no-such", str(tmp_path / "c.jsonl")]

    ran = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert ran.returncode == 2
    assert ran.stderr.split()[-2:] == ["cli-todo", "jwt-api"]
    assert list(tmp_path.iterdir()) == []
