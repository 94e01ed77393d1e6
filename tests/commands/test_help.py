"""Help says what there is: each command's markdown, its grammar and its handler agree."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from stretto.commands.app import EVERYWHERE
from stretto.commands.cli import VERBS
from stretto.commands.handlers import HANDLERS
from stretto.commands.help import VERB_HELP, definition
from stretto.commands.parse import parse_argv
from stretto.commands.subagents import CONTEXT, TASK
from stretto.commands.tables import COMMANDS
from stretto.graph.template import list_templates
from tests.commands.door import Project

FOLDER = Path(import_module("stretto.commands.cli").__file__ or "").parent
MARKDOWN = sorted(path.stem for path in FOLDER.glob("*.md"))


def documented(name: str) -> set[str]:
    """The flags that the Options of a command's markdown begin a line with."""
    return set(re.findall(r"^ *--([a-z-]+)", definition(name).metadata.get("options", ""), re.MULTILINE))


def supported(name: str) -> frozenset[str]:
    module = import_module(f"stretto.commands.{HANDLERS[name]}")
    found: frozenset[str] = module.SUPPORTED
    return found


def test_every_command_has_its_markdown_its_grammar_and_its_handler() -> None:
    assert set(MARKDOWN) == set(HANDLERS)
    assert set(HANDLERS) <= set(COMMANDS)


@pytest.mark.parametrize("name", MARKDOWN)
def test_every_flag_that_does_something_is_documented_and_every_documented_one_does(name: str) -> None:
    assert documented(name) == supported(name) - {"runner"}
    assert supported(name) | EVERYWHERE <= COMMANDS[name].flags.keys()


@pytest.mark.parametrize("name", MARKDOWN)
def test_front_matter_is_yaml_that_a_client_reads_as_we_do(name: str) -> None:
    head = (FOLDER / f"{name}.md").read_text("utf-8").split("---\n")[1]

    read = yaml.safe_load(head)

    assert read == {**definition(name).head, "metadata": definition(name).metadata}
    assert {"name", "description", "argument-hint", "allowed-tools"} <= read.keys()
    assert read["metadata"].keys() <= {"options", "examples", "events", "errors"}
    assert len(read["description"]) < 100


@pytest.mark.parametrize("name", MARKDOWN)
def test_help_shows_description_usage_options_and_examples(project: Project, name: str) -> None:
    ran = project.run(name, "--help")

    assert ran.code == 0
    assert ran.out.startswith(f"{definition(name).head['description']}.\n\nUsage: stretto {name}")
    assert "```" not in ran.out
    for flag in (*documented(name), *EVERYWHERE):
        assert f"--{flag}" in ran.out
    assert ("--runner KIND:ARG" in ran.out) == ("runner" in supported(name))
    assert f"  stretto {name}" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 120
    assert project.run("help", name).out == project.run("-h", f"/{name}").out == ran.out
    assert not project.store.exists()


@pytest.mark.parametrize("name", MARKDOWN)
def test_the_examples_are_lines_that_the_grammar_and_the_handler_take(project: Project, name: str) -> None:
    examples = definition(name).metadata["examples"].splitlines()
    assert examples
    for example in examples:
        command, *args = shlex.split(example)
        invocation = parse_argv(args, project=project.root)
        assert command == "stretto"
        assert invocation.flags.keys() <= supported(invocation.command) | EVERYWHERE


@pytest.mark.parametrize("verb", [*VERBS, "line"])
def test_verbs_have_help_of_their_own(project: Project, verb: str) -> None:
    ran = project.run(verb, "--help")

    assert ran.code == 0
    assert f"Usage: stretto {VERB_HELP[verb][0]}" in ran.out
    assert "--json" in ran.out


def test_the_overview_names_everything_there_is(project: Project) -> None:
    ran = project.run("--help")

    for name in (*HANDLERS, *VERBS, "line", "--json", "--store", "--project", "--runner"):
        assert name in ran.out
    assert "0 done, 1 failed, 2 bad input, 3 stopped and resumable, 4 store damaged" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 120


def test_the_templates_that_help_names_are_those_there_are(project: Project) -> None:
    text = " ".join(project.run("orchestrate", "--help").out.split())

    assert ", ".join(sorted(t.name for t in list_templates(None))) in text


def test_the_keys_that_help_names_for_subagents_are_those_that_are_taken() -> None:
    options = definition("subagents").metadata["options"]

    for key in (*CONTEXT, *TASK):
        assert re.search(rf"\b{key}\b", options), key
