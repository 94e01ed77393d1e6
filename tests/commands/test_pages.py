"""Each command's page can be learned from: its examples run, its errors are those, and its events are those written."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from stretto.commands.handlers import HANDLERS
from stretto.commands.help import definition
from stretto.commands.parse import parse_argv
from stretto.commands.scenario import Ran, Rules, run_example
from stretto.commands.scenario_document import parse_document
from stretto.commands.tables import COMMANDS
from stretto.state.log import Log
from stretto.state.registry import TYPES
from tests.commands.door import Project


def examples(name: str) -> list[str]:
    return definition(name).metadata["examples"].splitlines()


def errors(name: str) -> list[tuple[str, str]]:
    """Each line that is refused, with the field that the error names."""
    lines = definition(name).metadata["errors"].splitlines()
    return [
        (line, lines[i + 1].strip().partition(": ")[0]) for i, line in enumerate(lines) if line.startswith("stretto ")
    ]


def named(name: str) -> set[str]:
    """The event types that the page names."""
    return set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", definition(name).metadata["events"]))


class Learned(NamedTuple):
    """What became of a page's examples, and where."""

    ran: Ran
    written: Mapping[str, set[str]]
    root: Path


def learn(name: str, root: Path) -> Learned:
    """Run the examples of a page one after the other in a scratch project; the events are those of its own lines."""
    lines = [f"/{line.removeprefix('stretto ')}" for line in examples(name)]
    (example,) = parse_document("\n".join([f"### {name}", "```bash", *lines, "```", ""]), name)
    ran = run_example(example, root, Rules(), lambda _: None)
    types: dict[str, str] = {}
    if (log := Log.find(root / ".stretto" / "state")) is not None:
        with log:
            types = {event.event_id: event.type for event in log.events()}
    mine = (step for step in ran.steps if step.step.text.split()[0] == f"/{name}")
    return Learned(ran, {step.step.text: {types[i] for i in step.events if i in types} for step in mine}, root)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_the_examples_of_a_page_run_and_its_errors_are_refused(project: Project, tmp_path: Path, name: str) -> None:
    root = tmp_path / "shop"
    root.mkdir()

    learned = learn(name, root)

    assert [(s.step.text, s.outcome, s.why) for s in learned.ran.steps if s.outcome != "done"] == []
    assert {text: types - named(name) for text, types in learned.written.items() if types - named(name)} == {}
    for line, field in errors(name):
        ran = project.run(*shlex.split(line)[1:], "--project", str(root), "--json")
        assert (line, ran.code, ran.json["error"]["details"].get("field")) == (line, 2, field)


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_a_page_tells_its_events_and_its_errors(name: str) -> None:
    assert named(name) <= TYPES
    assert named(name) or definition(name).metadata["events"].startswith("None: it only reads.")
    assert errors(name)
    for line, _ in errors(name):
        assert line.split()[1] == name


def operations(name: str) -> Iterator[set[str]]:
    """The operations that a command has; names of one and the same stand together."""
    module = import_module(f"stretto.commands.{HANDLERS[name]}")
    found: Mapping[str, Any] = getattr(module, "OPERATIONS", {})
    for one in {id(v) if callable(v) else v: v for v in found.values()}.values():
        yield {word for word, function in found.items() if function is one or function == one}


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_every_operation_has_an_example(project: Project, name: str) -> None:
    shown = [parse_argv(shlex.split(line)[1:], project=project.root) for line in examples(name)]
    mine = {one.operation for one in shown if one.command == name}

    assert mine
    assert [words for words in operations(name) if not words & mine] == []


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_what_an_example_prepares_is_prepared_by_a_command_of_ours(name: str) -> None:
    commands = {line.split()[1] for line in examples(name)}

    assert name in commands
    assert commands <= set(COMMANDS)


def test_json_of_a_page_is_json() -> None:
    for name in HANDLERS:
        for line in (*examples(name), *(line for line, _ in errors(name))):
            for word in shlex.split(line):
                if word.startswith(("{", '[{"')):
                    json.loads(word)
