"""What the documents say is so today: names, links, tables and examples are held against the code, and run."""

import json
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
import yaml

import stretto.agents
import stretto.graph
import stretto.state
from stretto.agents.data import schema_for
from stretto.agents.roles import ROLES
from stretto.agents.task import Brief
from stretto.commands.cli import VERBS
from stretto.commands.handlers import HANDLERS
from stretto.commands.tables import COMMANDS
from stretto.graph.analyze import analyze
from stretto.graph.template import instantiate, list_templates
from stretto.graph.template_model import parse_template
from stretto.state import Log, errors, settings
from stretto.state.registry import STAGES
from stretto.state.schema import INSERT

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "examples" / "README.md"]
SENTENCE = "Add a count of the open items"


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(name), re.DOTALL | re.MULTILINE)


def section(name: str, heading: str) -> str:
    """What stands below a heading, up to the next of its level or above."""
    level = heading.partition(" ")[0]
    _, found, rest = text(name).partition(f"\n{heading}\n")
    assert found, f"{name} has no {heading!r}"
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def in_code(words: str) -> set[str]:
    """What stands in backticks, fenced blocks left out."""
    plain = re.sub(r"^```.*?^```$", "", words, flags=re.DOTALL | re.MULTILINE)
    return set(re.findall(r"`([^`\n]+)`", plain))


def first_cells(table: str) -> set[str]:
    """The words in code in the first column."""
    return {name for row in table.splitlines() if row.startswith("| `") for name in in_code(row.split("|")[1])}


# Links and names


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_link_leads_to_a_file_that_is_there(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))

    missing = [t for t in targets if not t.startswith("https://") and not (page.parent / t.partition("#")[0]).exists()]

    assert missing == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "AGENTS.md"])
def test_every_target_of_make_that_is_named_is_there(name: str) -> None:
    targets = {line.partition(":")[0] for line in text("Makefile").splitlines() if re.match(r"[a-z]+:", line)}

    named = set(re.findall(r"(?:^    |`)make ([a-z]+)", text(name), re.MULTILINE))

    assert named
    assert named <= targets


def test_agents_are_told_once() -> None:
    assert text(".claude/CLAUDE.md") == "@../AGENTS.md\n"  # at the root it would be a part of the plugin


# README


def test_the_readme_names_every_command_and_every_verb() -> None:
    told = in_code(section("README.md", "## First use"))

    assert {words.split()[0] for words in told} >= {*HANDLERS, *VERBS}


def test_the_readme_says_which_commands_are_not_there_yet() -> None:
    told = {name.removeprefix("/") for name in in_code(section("README.md", "## What is not there yet")) if "/" in name}

    assert told == set(COMMANDS) - set(HANDLERS)


def test_the_settings_of_the_readme_are_taken(tmp_path: Path) -> None:
    (block,) = blocks("README.md", "toml")
    (tmp_path / ".stretto").mkdir()
    (tmp_path / ".stretto" / "config.toml").write_text(block)

    told = tomllib.loads(block)
    told["environment"] = tuple(told["environment"])
    assert settings.load(tmp_path) == settings.Settings(**told)
    assert set(told) == set(settings.Settings._fields)


def test_the_exit_codes_are_those_of_the_errors() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d) \|", text("README.md"), re.MULTILINE)}
    raised = {c.exit_code for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.StrettoError)}

    assert told == {0, 3} | raised  # 0 and 3 are ends of replies


@pytest.mark.parametrize("name", ["live", "demo"])
def test_a_picture_is_drawn_without_another_server(name: str) -> None:
    svg = (DOCS / "images" / f"{name}.svg").read_text("utf-8")

    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", svg) == []


# CHANGELOG and decisions


def test_the_changelog_keeps_its_format() -> None:
    headings = [line for line in text("CHANGELOG.md").splitlines() if line.startswith("#")]
    versions = [h for h in headings if h.startswith("## ")]
    kinds = {h for h in headings if h.startswith("### ")}

    assert headings[0] == "# Changelog"
    assert versions[0] == "## [Unreleased]"
    assert all(re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", v) for v in versions[1:])
    assert kinds <= {f"### {k}" for k in ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")}


def test_a_decision_is_one_screen_with_four_answers() -> None:
    pages = sorted((DOCS / "decisions").glob("*.md"))

    assert [p.name[:4] for p in pages] == [f"{n:04}" for n in range(1, len(pages) + 1)]
    for page in pages:
        told = page.read_text("utf-8")
        bold = re.findall(r"^\*\*(.+?)\.\*\*", told, re.MULTILINE)
        assert bold == ["Question", "Choice", "What we gave up", "How we would notice that it was wrong"], page.name
        assert len(told.splitlines()) <= 40, page.name


def test_pre_commit_runs_what_make_check_runs() -> None:
    (repo,) = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    recipe = text("Makefile").replace("$(BIN)", ".venv/bin")

    for hook in repo["hooks"]:
        program = " ".join(word for word in hook["entry"].split() if word != "--force-exclude")
        assert f"\t{program}" in recipe, program


# Architecture


def test_the_tables_of_modules_are_those_of_the_source() -> None:
    page = cast("Callable[[], str]", runpy.run_path(str(DOCS / "make_modules.py"))["page"])

    assert text("docs/architecture.md") == page(), "run `make docs`, or `python docs/make_modules.py`"


def test_the_tables_of_the_log_are_those_of_the_schema() -> None:
    told = section("docs/architecture.md", "## On the disk")

    assert first_cells(told[told.index("| Table of") :]) == set(INSERT)


def documented_events() -> set[str]:
    """The event types of the page, the short forms written out."""
    told = in_code(section("docs/architecture.md", "## Events"))
    ends = ("STARTED", "COMPLETED", "FAILED")
    stages = {f"{stage}_{end}" for stage in STAGES for end in ends if {f"{stage}_…", f"{stage}_{end}"} & told}
    return {name for name in told if re.fullmatch(r"[A-Z]+_[A-Z]+", name)} | stages


# Runners


def test_the_agent_on_the_page_is_the_one_that_runs() -> None:
    (block,) = blocks("docs/runners.md", "python")

    assert block == text("examples/agent.py")


def test_the_brief_on_the_page_is_a_brief_with_every_key() -> None:
    (block,) = blocks("docs/runners.md", "json")
    told = json.loads(block)

    assert Brief.model_validate(told).model_dump(mode="json").keys() == told.keys()


def test_the_page_names_what_each_role_must_return() -> None:
    rows = re.findall(
        r"^\| ([a-z, ]+) \| (.+) \|$", section("docs/runners.md", "## command: any program"), re.MULTILINE
    )
    told = {role: in_code(data) for roles, data in rows for role in roles.split(", ")}

    missing = {role: set(schema_for(role).get("properties", {})) - told[role] for role in ROLES}
    assert {role: names for role, names in missing.items() if names} == {}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A scratch copy of `cli-todo`."""
    target = tmp_path / "todo"
    subprocess.run([sys.executable, str(ROOT / "examples" / "scratch.py"), "cli-todo", str(target)], check=True)
    return target


@pytest.mark.slow
def test_the_agent_of_the_page_takes_the_sentence_to_a_merged_branch(project: Path) -> None:
    runner = f"command:{shlex.join([sys.executable, str(ROOT / 'examples' / 'agent.py')])}"
    command = [sys.executable, "-m", "stretto.commands", "orchestrate", SENTENCE, "--runner", runner, "--json"]

    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["result"]["merged"] is True
    assert "not i.done" in (project / "src" / "todo" / "counting.py").read_text()
    with Log.open(project / ".stretto" / "state") as log:
        written = {event.type for event in log.events()}
    assert {"TESTING_FAILED", "DOCUMENTATION_COMPLETED"} <= written
    assert written <= documented_events()


# Templates


def test_the_template_on_the_page_is_one_and_keeps_its_promises() -> None:
    (block,) = blocks("docs/templates.md", "yaml")
    template = parse_template(block, name="security-fix", where="security-fix.yaml")
    description = "Stop path traversal in uploads"

    def tasks(**variables: object) -> Iterator[str]:
        made = instantiate(
            template, description, analysis=analyze(description), workflow_id="x_001", variables=variables
        )
        return (task.id for phase in made.phases for task in phase.tasks)

    assert list(tasks()) == ["angle-1", "angle-2", "plan", "verify", "changelog"]
    assert "advisory" in tasks(advisory=True)


def test_the_built_in_templates_are_listed_with_their_phases() -> None:
    table = text("docs/templates.md").partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \| ([a-z_, ]+) \|$", table, re.MULTILINE)

    assert {name: tuple(phases.split(", ")) for name, phases in rows} == {
        t.name: t.phases for t in list_templates(None)
    }


# Python


@pytest.mark.parametrize("package", [stretto.graph, stretto.agents, stretto.state], ids=lambda p: p.__name__)
def test_the_page_lists_what_a_package_offers(package: object) -> None:
    name: str = vars(package)["__name__"]
    row = next(line for line in text("docs/python.md").splitlines() if line.startswith(f"| `{name}`"))

    assert in_code(row) - {name} == set(vars(package)["__all__"])


@pytest.mark.slow
def test_the_programs_of_the_python_page_run(project: Path) -> None:
    first, saver, log, subscription = blocks("docs/python.md", "python")

    def run(block: str) -> list[str]:
        command = [sys.executable, "-W", "error", "-c", block]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    assert run(first)[-1] == "completed merged"
    assert (project / "NOTES.md").read_text() == "Remember the milk.\n"
    assert run(saver) == ["2"]
    assert "notes_001 COMPLETED" in run(log)
    assert run(subscription) == []
