"""Links between reports, plans and summaries lead to files that are there."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.markdown import links
from stretto.graph.plan_data import from_data
from stretto.graph.plan_file import parse, render
from stretto.graph.plan_links import add_link, relative
from stretto.graph.report_file import render_debug_report, render_report
from stretto.graph.summary_file import render_summary

REPORTS = ("specs/reports/001_tokens.md", "specs/reports/002_odd (name) é.md")
PLAN = "specs/plans/001_jwt.md"
SUMMARY = "specs/summaries/001_implementation_summary.md"
DEBUG = "specs/reports/003_debug.md"


def _write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


def _targets(root: Path, path: str) -> list[str]:
    """The files that a file links to, as paths from the root; all of them must be there."""
    lines = (root / path).read_text(encoding="utf-8").split("\n")
    found = [((root / path).parent / target).resolve(strict=True) for line in lines for target in links(line)]
    return [f.relative_to(root.resolve()).as_posix() for f in found]


def test_every_link_between_the_files_of_a_workflow_resolves_on_disk(tmp_path: Path) -> None:
    data = {"title": "JWT", "phases": [{"name": "Tokens", "tasks": [{"title": "Sign"}]}]}
    for report in REPORTS:
        _write(tmp_path, report, render_report("x", "y", date="2025-11-22"))
    _write(tmp_path, PLAN, render(from_data(data, reports=REPORTS)))
    for report in REPORTS:
        text = (tmp_path / report).read_text(encoding="utf-8")
        _write(tmp_path, report, add_link(text, "Plan", relative(PLAN, "specs/reports")))
    debug = render_debug_report("x", "y", "z", [], date="", plan=PLAN, related_reports=REPORTS)
    summary = render_summary("x", date="2025-11-22", plan=PLAN, phases_done=1, phases_total=1, reports=REPORTS)
    _write(tmp_path, DEBUG, debug)
    _write(tmp_path, SUMMARY, summary)
    plan = (tmp_path / PLAN).read_text(encoding="utf-8")
    _write(tmp_path, PLAN, add_link(plan, "Summary", relative(SUMMARY, "specs/plans")))

    assert _targets(tmp_path, PLAN) == [*REPORTS, SUMMARY]
    assert [_targets(tmp_path, report) for report in REPORTS] == [[PLAN], [PLAN]]
    assert _targets(tmp_path, SUMMARY) == [PLAN, *REPORTS]
    assert _targets(tmp_path, DEBUG) == [PLAN, *REPORTS]


def test_a_link_added_to_a_plan_is_read_as_its_summary() -> None:
    data = {"title": "JWT", "phases": [{"name": "Tokens", "tasks": [{"title": "Sign"}]}]}
    plan = from_data(data, date="2025-11-22")

    linked = parse(add_link(render(plan), "Summary", "../summaries/001_implementation_summary.md"))

    assert linked == plan.model_copy(update={"summary": "../summaries/001_implementation_summary.md"})


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("# x\n\n## Metadata\n- **Date**: y\n\n## A\nb\n", "# x\n\n## Metadata\n- **Date**: y\n+\n\n## A\nb\n"),
        ("# x\n\n## Metadata\n\n## A\n", "# x\n\n## Metadata\n+\n\n## A\n"),
        ("# x\n\n## A\nb\n", "# x\n\n## Metadata\n+\n\n## A\nb\n"),
        ("# x\n## Metadata\n- a", "# x\n## Metadata\n- a\n+\n"),
        ("# x", "# x\n\n## Metadata\n+\n"),
        ("# x\r\n\r\n## Metadata\r\n- a\r\n", "# x\r\n\r\n## Metadata\r\n- a\r\n+\r\n"),
        ("```\n## Metadata\n```\n# x\ny\n", "```\n## Metadata\n```\n# x\n\n## Metadata\n+\ny\n"),
    ],
)
def test_a_link_goes_to_the_end_of_the_metadata_and_nothing_else_changes(text: str, after: str) -> None:
    assert add_link(text, "Plan", "../plans/001_x.md") == after.replace(
        "+", "- **Plan**: [001_x.md](../plans/001_x.md)"
    )


@given(
    st.lists(st.sampled_from(["# t", "## Metadata", "- **Date**: x", "", "## A", "```", "words\r"])).map("\n".join),
    st.text(),
)
def test_adding_a_link_twice_is_adding_it_once(text: str, target: str) -> None:
    once = add_link(text, "Plan", target)

    assert add_link(once, "Plan", target) == once


def test_a_report_can_belong_to_two_plans() -> None:
    text = render_report("x", "y", date="2025-11-22")

    both = add_link(add_link(text, "Plan", "../plans/001_a.md"), "Plan", "../plans/002_b.md")

    assert [t for line in both.split("\n") for t in links(line)] == ["../plans/001_a.md", "../plans/002_b.md"]


@pytest.mark.parametrize(
    ("path", "folder", "seen"),
    [
        ("specs/reports/001_a.md", "specs/plans", "../reports/001_a.md"),
        ("api/specs/reports/001_a.md", "specs/plans", "../../api/specs/reports/001_a.md"),
        ("README.md", "", "README.md"),
        ("https://example.org/a", "specs/plans", "https://example.org/a"),
    ],
)
def test_a_path_is_seen_from_a_folder(path: str, folder: str, seen: str) -> None:
    assert relative(path, folder) == seen
