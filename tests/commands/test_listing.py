"""/list-plans, /list-reports, /list-summaries as somebody types them."""

import json

import pytest

from stretto.commands.free import answer
from tests.commands.door import Project

SHOP = """\
# Shop Implementation Plan

## Metadata
- **Research Reports**:
  - [001_carts.md](../reports/001_carts.md)

## Implementation Phases

### Phase 1: Build [COMPLETED]
Tasks:
- [x] **T1** Build

### Phase 2: Check
Tasks:
- [ ] **T2** Check
"""
FILES = {
    "specs/plans/001_shop.md": SHOP,
    "specs/plans/002_broken.md": "# Broken\n\n## Implementation Phases\n\n### Phase 1: A\nTasks:\n- [ ] **T1** x\n"
    "  - Writes: `/etc/passwd`\n",
    "specs/reports/001_carts.md": "# Carts\n\n## Metadata\n- **Date**: 2026-01-05\n- **Workflow**: carts_001\n",
    "specs/reports/002_debug_login.md": "# Login\n",
    "specs/reports/notes.txt": "no document",
}


@pytest.fixture
def shop(project: Project) -> Project:
    project.write(FILES)
    return project


def test_plans_are_listed_with_their_ticks_their_reports_and_what_is_wrong(shop: Project) -> None:
    ran = shop.run("list-plans")

    assert ran.code == 0
    assert "001  in progress  1/2 phases, 1/2 tasks      Shop" in ran.out
    assert "reports: 001_carts.md" in ran.out
    assert "line 7: task 'T1': writes.0 '/etc/passwd' is not a path inside the project." in ran.out
    assert "stretto implement specs/plans/001_shop.md" in ran.out


def test_a_program_gets_every_figure_and_what_nobody_went_on_with(shop: Project) -> None:
    plans, reports = shop.run("list-plans", "--json").json["result"], shop.run("list-reports", "--json").json["result"]
    summaries = shop.run("list-summaries", "--json").json["result"]

    assert [(p["number"], p["status"]) for p in plans["plans"]] == [(1, "in_progress"), (2, "unreadable")]
    assert plans["by_status"] == {"in_progress": 1, "unreadable": 1}
    assert [(r["title"], r["status"], r["plans"]) for r in reports["reports"]] == [
        ("Carts", "planned", ["specs/plans/001_shop.md"]),
        ("Login", "unused", []),
    ]
    assert summaries["summaries"] == []
    assert summaries["plans_without_summary"] == ["specs/plans/001_shop.md", "specs/plans/002_broken.md"]
    assert summaries["reports_without_plan"] == ["specs/reports/002_debug_login.md"]


@pytest.mark.parametrize(
    ("words", "paths"),
    [
        (["debug*"], []),
        (["*debug*"], ["specs/reports/002_debug_login.md"]),
        (["LOGIN"], ["specs/reports/002_debug_login.md"]),
        (["carts", "001"], ["specs/reports/001_carts.md"]),
        (["--orchestration-ready"], ["specs/reports/002_debug_login.md"]),
        (["--workflow-context=carts_001"], ["specs/reports/001_carts.md"]),
    ],
)
def test_only_those_that_are_asked_for_are_listed(shop: Project, words: list[str], paths: list[str]) -> None:
    result = shop.run("list-reports", *words, "--json").json["result"]

    assert [row["path"] for row in result["reports"]] == paths
    assert result["total"] == 2


def test_what_a_workflow_wrote_is_known_from_its_events(shop: Project) -> None:
    shop.commit({"NOTES.md": "Begin.\n"})
    assert shop.work("report", "Tokens", "--workflow-id=tokens_001").code == 0

    listed = shop.run("list-reports", "--workflow-context=tokens_001", "--json").json["result"]["reports"]

    assert [row["number"] for row in listed] == [3]


def test_listing_writes_nothing_and_creates_no_store(shop: Project) -> None:
    before = shop.everything()

    for name in ("list-plans", "list-reports", "list-summaries"):
        assert shop.run(name).code == 0

    assert shop.everything() == before


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["--workflow-context=nobody_001"], "--workflow-context"),
        (["--workflow-context=../x"], "--workflow-context"),
        (["--dry-run"], "--dry-run"),
        (["--runner=host"], "--runner"),
    ],
)
def test_bad_input_names_its_field(shop: Project, words: list[str], field: str) -> None:
    before = shop.everything()

    ran = shop.run("list-plans", *words, "--json")

    assert ran.code == 2
    assert ran.json["error"]["details"]["field"] == field
    assert shop.everything() == before


def test_a_document_that_leads_out_of_the_project_is_not_read(shop: Project) -> None:
    outside = shop.root.with_name("secret.md")
    outside.write_text("# Secret\n", "utf-8")
    (shop.root / "specs" / "reports" / "003_link.md").symlink_to(outside)

    ran = shop.run("list-reports")

    assert "Secret" not in ran.out
    assert "specs/reports/003_link.md leads out of the project and was not read." in ran.out


def test_a_hook_answers_without_a_model(shop: Project) -> None:
    said = answer("list-plans", "--json", str(shop.root))

    assert said is not None
    assert json.loads(said)["result"]["total"] == 2
    assert "There are no summaries in specs/summaries." in (answer("list-summaries", "", str(shop.root)) or "")
