"""Summaries: figures that were counted, or `unknown`."""

import pytest

from stretto.graph.markdown import headings
from stretto.graph.summary_file import Change, Results, Timing, render_summary, summary_name
from stretto.state.errors import BadInput


def test_a_summary_shows_what_was_done() -> None:
    text = render_summary(
        "JWT Authentication",
        date="2025-11-22",
        plan="specs/plans/005_jwt_authentication.md",
        phases_done=2,
        phases_total=3,
        workflow_id="jwt_authentication_001",
        reports=["specs/reports/001_a.md", "specs/reports/002_b.md"],
        overview="Requests carry a token.",
        changes=[Change("src/tokens.py", 80, 0), Change("logo.png", None, None)],
        results=Results("pytest -q", ok=False, passed=11, failed=1, errors=0, seconds=1.25),
        integration={"specs/reports/001_a.md": "HS256 was chosen"},
        timings=[Timing("research", 61.4), Timing("plan", None), Timing("implementation", 7322)],
        recoveries=["implementation/T2 was started again after its agent died"],
    )

    assert text == (
        "# JWT Authentication Implementation Summary\n\n## Metadata\n- **Date Completed**: 2025-11-22\n"
        "- **Plan**: [005_jwt_authentication.md](../plans/005_jwt_authentication.md)\n- **Phases**: 2/3\n"
        "- **Workflow**: jwt_authentication_001\n- **Research Reports**:\n  - [001_a.md](../reports/001_a.md)\n"
        "  - [002_b.md](../reports/002_b.md)\n\n## Overview\n\nRequests carry a token.\n\n## Key Changes\n\n"
        "- `src/tokens.py` (+80 -0)\n- `logo.png` (lines not counted)\n\n## Test Results\n\n- Command: `pytest -q`\n"
        "- Result: failed\n- Passed: 11\n- Failed: 1\n- Errors: 0\n- Skipped: unknown\n- Duration: 1.2 s\n\n"
        "## Report Integration\n\n- [001_a.md](../reports/001_a.md): HS256 was chosen\n\n## Timings\n\n"
        "- research: 1 min 1 s\n- plan: unknown\n- implementation: 2 h 2 min 2 s\n\n## Recoveries\n\n"
        "- implementation/T2 was started again after its agent died\n"
    )


def test_without_content_there_is_no_section_and_without_tests_no_figure() -> None:
    text = render_summary("x", date="2025-11-22", plan="specs/plans/001_x.md", phases_done=0, phases_total=1)

    assert headings(text) == [(1, "x Implementation Summary"), (2, "Metadata"), (2, "Test Results")]
    assert text.endswith("- Result: unknown\n")


def test_a_summary_has_the_number_of_its_plan() -> None:
    assert summary_name("specs/plans/005_jwt_authentication.md") == "005_implementation_summary.md"
    assert summary_name("1200-x.md") == "1200_implementation_summary.md"


@pytest.mark.parametrize("path", ["specs/plans/jwt.md", "005/x.md", ""])
def test_a_plan_without_a_number_gives_its_summary_none(path: str) -> None:
    with pytest.raises(BadInput, match="has no number"):
        summary_name(path)
