"""Our integration documents verify, and the page about them says what is so."""

import re
from pathlib import Path

import pytest

from stretto.commands.scenario_checks import CHECKS
from stretto.commands.scenario_document import parse_document
from stretto.commands.scenario_ground import POOL
from stretto.commands.tables import COMMANDS
from stretto.state.ids import DROPPED_WORDS
from tests.commands.door import Project

DOCS = Path(__file__).parents[2] / "docs"
SLOW = ("agents", "caching", "documents", "measuring", "recovery", "templates", "testing", "tracks")
DOCUMENTS = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if path.stem in SLOW else [])
    for path in sorted((DOCS / "integration").glob("*.md"))
]
PAGE = (DOCS / "verify.md").read_text("utf-8")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_document_of_ours_verifies(project: Project, document: Path) -> None:
    ran = project.run("verify", str(document), "--json")

    counts = ran.json["result"]["counts"]
    assert ran.code == 0, project.run("verify", str(document)).out
    assert counts["commands"]["held"] == counts["commands"]["total"] > 0
    assert counts["events"]["held"] == counts["events"]["total"] > 0


def test_the_example_on_the_page_verifies(project: Project) -> None:
    project.write({"page.md": PAGE})

    ran = project.run("verify", "page.md", "--only", "Integration Example: The more urgent first")

    assert ran.code == 0, ran.out + ran.err
    assert len(parse_document(PAGE, "page")) == 1


def test_the_page_tells_the_dropped_words_the_checks_and_the_pool() -> None:
    _, _, rest = PAGE.partition("<!-- dropped words -->")
    quoted = re.match(r"\s*((?:> .*\n)+)", rest)

    assert quoted
    assert {*quoted[1].replace(">", " ").split()} == DROPPED_WORDS
    assert set(re.findall(r"^\| `([a-z-]+)(?: .*)?` \|", PAGE, re.MULTILINE)) - {"equal", "differs"} == set(CHECKS)
    assert f"A pool of {POOL['agents']:g} agents, {POOL['cpu']:g} cores, 8 GB and {POOL['workflows']:g}" in PAGE


def test_every_command_has_an_example_in_some_document() -> None:
    texts = [path.read_text("utf-8") for path in sorted((DOCS / "integration").glob("*.md"))]
    steps = [step for text in texts for example in parse_document(text, "page") for step in example.steps]
    typed = {step.text.split()[0].removeprefix("/") for step in steps if step.kind == "command"}

    assert typed >= set(COMMANDS)
