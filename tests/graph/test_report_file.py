"""Reports: one title, what was found, and nothing that nobody said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from stretto.graph.markdown import headings
from stretto.graph.plan import PlanTask
from stretto.graph.report_file import render_debug_report, render_report


def test_a_report_has_its_metadata_and_the_researchers_sections() -> None:
    text = render_report(
        "Token formats",
        "## Formats\nJWT\n\n## Risks\nnone known",
        date="2025-11-22",
        scope="which token to use",
        files=("src/app.py", "docs/a`b.md"),
        plan="specs/plans/005_jwt.md",
        workflow_id="jwt_001",
    )

    assert text == (
        "# Token formats\n\n## Metadata\n- **Date**: 2025-11-22\n- **Scope**: which token to use\n"
        "- **Files Analyzed**: 2\n  - `src/app.py`\n  - ``docs/a`b.md``\n"
        "- **Plan**: [005_jwt.md](../plans/005_jwt.md)\n"
        "- **Workflow**: jwt_001\n\n## Formats\nJWT\n\n## Risks\nnone known\n"
    )


def test_a_body_without_sections_stands_under_findings() -> None:
    text = render_report("x", "Plain words.\n\n### Detail\nmore", date="2025-11-22")

    assert headings(text) == [(1, "x"), (2, "Metadata"), (2, "Findings"), (3, "Detail")]


def test_only_sections_with_content_are_there() -> None:
    assert headings(render_report("x", "", date="2025-11-22")) == [(1, "x"), (2, "Metadata")]

    text = render_report(
        "x", "## A", date="", summary="Short.", recommendations=["Do it"], references=["RFC 7519", " "]
    )
    assert headings(text) == [(1, "x"), (2, "Executive Summary"), (2, "A"), (2, "Recommendations"), (2, "References")]
    assert text.endswith("## References\n\n- RFC 7519\n")


def test_a_researchers_own_title_does_not_appear_twice() -> None:
    text = render_report("Token formats", "# Token  Formats\n\n## A\n### B\nx", date="2025-11-22")

    assert headings(text) == [(1, "Token formats"), (2, "Metadata"), (2, "A"), (3, "B")]


def test_a_researchers_headings_are_pushed_below_the_title_together() -> None:
    body = "# Part\n## Sub\n###### Deep\nSecond part\n===========\n```bash\n# a comment\n```\n"

    text = render_report("x", body, date="2025-11-22")

    assert headings(text)[2:] == [(2, "Part"), (3, "Sub"), (6, "Deep"), (2, "Second part")]
    assert "```bash\n# a comment\n```" in text


def test_a_fence_that_nothing_closes_does_not_swallow_the_rest() -> None:
    text = render_report("x", "## A\n```python\nprint()", date="2025-11-22", references=["RFC 7519"])

    assert (2, "References") in headings(text)
    assert "\n\\```python\n" in text


@given(
    st.lists(
        st.sampled_from(["# a", "## b", "###### c", "===", "```", "~~~", "words", "", "- x", "> y", "1. z", "\x1b[0m"])
    ).map("\n".join)
)
def test_there_is_one_title_whatever_the_body(body: str) -> None:
    text = render_report("The title", body, date="2025-11-22", references=["end"])

    shown = MarkdownIt().parse(text)
    titles = [shown[i + 1].content for i, token in enumerate(shown) if token.tag == "h1" and token.nesting == 1]
    assert titles == ["The title"]
    assert headings(text)[-1] == (2, "References")
    assert "\x1b" not in text


OUTPUT = "FAILED tests/test_app.py::test_token\n~~~~\n## E  assert 401 == 200\n"


def debug_report(**more: str) -> str:
    return render_debug_report(
        OUTPUT,
        "Header names are compared with case.\n\n# Detail\nmore",
        ["app.py:12 looks up 'Authorization'", "the test sends 'authorization'"],
        [PlanTask(id="F1", title="Ignore case", description="In `header`.", writes=("src/app.py",))],
        date="2025-11-22",
        title=more.get("title", ""),
        severity=more.get("severity", ""),
        plan="specs/plans/005_jwt.md",
        related_reports=["specs/reports/001_a.md"],
    )


def test_a_debug_report_tells_problem_cause_evidence_and_solution() -> None:
    text = debug_report()

    assert headings(text) == [
        (1, "Debug Report: FAILED tests/test_app.py::test_token"),
        (2, "Metadata"),
        (2, "Problem"),
        (2, "Findings"),
        (3, "Root Cause"),
        (4, "Detail"),
        (3, "Evidence"),
        (2, "Solution"),
    ]
    assert "- **Related Report**: [001_a.md](001_a.md)\n" in text
    assert "- app.py:12 looks up 'Authorization'\n- the test sends" in text
    assert "- **F1** Ignore case\n  - Writes: `src/app.py`\n\n  In `header`.\n" in text


def test_the_output_of_a_test_is_shown_as_it_was() -> None:
    assert f"\n~~~~~text\n{OUTPUT.strip()}\n~~~~~\n" in debug_report()


def test_severity_is_shown_only_when_somebody_gave_it() -> None:
    assert "Severity" not in debug_report()
    assert "- **Severity**: high\n" in debug_report(severity="high")


@pytest.mark.parametrize("evidence", ["", [], [""]])
def test_a_debug_report_without_evidence_has_no_section_for_it(evidence: str | list[str]) -> None:
    text = render_debug_report("It fails", "", evidence, [], date="2025-11-22")

    assert headings(text) == [(1, "Debug Report: It fails"), (2, "Metadata"), (2, "Problem")]
