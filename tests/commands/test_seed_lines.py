"""The 56 lines of the founding document, each with the meaning it must have."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from stretto.commands.canonical import render
from stretto.commands.fence import split_document
from stretto.commands.invocation import Invocation
from stretto.commands.parse import parse_argv, parse_line

DATA = Path(__file__).parent.parent / "data" / "seed_lines.json"
LINES: list[dict[str, Any]] = json.loads(DATA.read_text())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    reports = tmp_path / "specs" / "reports"
    reports.mkdir(parents=True)
    for name in ("001_auth_flows.md", "002_jwt_security.md", "003_colours.md"):
        (reports / name).write_text("")
    return tmp_path


def meaning(found: Invocation) -> dict[str, Any]:
    return {
        "command": found.command,
        "operation": found.operation,
        "ids": list(found.ids),
        "words": [[w.text, w.quoted] for w in found.words],
        "flags": found.flags,
        "json": list(found.json),
    }


def expected(line: dict[str, Any]) -> dict[str, Any]:
    return {k: line[k] for k in ("command", "operation", "ids", "words", "flags", "json")}


def test_the_lines_are_56_and_show_all_18_forms() -> None:
    assert [line["number"] for line in LINES] == list(range(1, 57))
    assert len({line["form"] for line in LINES}) == 18


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line['number']}-{line['command']}")
def test_each_line_means_what_the_document_says(line: dict[str, Any], project: Path) -> None:
    found = parse_line(line["raw"], project=project)
    assert meaning(found) == expected(line)
    assert found.line == line["raw"]


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line['number']}-{line['command']}")
def test_the_canonical_form_of_each_line_has_the_same_meaning(line: dict[str, Any], project: Path) -> None:
    assert meaning(parse_line(render(parse_line(line["raw"], project=project)), project=project)) == expected(line)


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line['number']}-{line['command']}")
def test_a_shell_hands_over_the_same_meaning_as_argv(line: dict[str, Any], project: Path) -> None:
    # What a shell does to the line: it runs the search, drops continuations, splits and unquotes.
    found = "specs/reports/001_auth_flows.md\nspecs/reports/002_jwt_security.md"
    raw = re.sub(r"\$\(find [^)]*\)", found, line["raw"]).replace("\\\n", " ")
    argv = shlex.split(raw.removeprefix("/"))
    wanted = expected(line)
    # Quotes around a single word do not survive a shell.
    wanted["words"] = [[text, quoted and " " in text] for text, quoted in wanted["words"]]
    assert meaning(parse_argv(argv, project=project)) == wanted


def test_all_lines_come_back_from_one_document(project: Path) -> None:
    document = "\n\n".join(f"# {line['number']}\n{line['raw']}" for line in LINES)
    statements = split_document(document)
    assert [s.text for s in statements] == [line["raw"] for line in LINES]
    assert {s.kind for s in statements} == {"command"}
    parsed = [parse_line(s.text, project=project)._replace(line="") for s in statements]
    assert [meaning(p) for p in parsed] == [expected(line) for line in LINES]
