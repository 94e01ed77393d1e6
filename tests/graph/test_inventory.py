"""The documents of a project: counted as they are read for work, and linked both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stretto.graph.inventory import Document, Inventory, read
from stretto.graph.plan import Plan, PlanPhase, PlanTask, incomplete
from stretto.graph.plan_file import parse, render
from stretto.graph.plan_links import add_link
from stretto.graph.report_file import render_report
from stretto.graph.summary_file import Results, render_summary
from stretto.state.errors import BadInput

PLAN, REPORT, SUMMARY = "specs/plans/005_jwt.md", "specs/reports/001_auth.md", "specs/summaries/005_summary.md"
LINES = st.sampled_from(
    [
        "# Shop Implementation Plan",
        "## Implementation Phases",
        "## Success Criteria",
        "### Phase 1: Build",
        "### Phase 1: Build [COMPLETED]",
        "### Phase 2: Check",
        "### Phase x: Nothing",
        "Tasks:",
        "- [ ] **T1** build it",
        "- [x] check it",
        "- [ ] **`../x`** out",
        "- [ ] **`a b`** id",
        "  - Reads: `/etc/passwd`",
        "  - Writes: `src/a.py`, `../b.py`",
        "  - Writes: src/a.py, none",
        "  - Depends on: T1, T 9",
        "  - Depends on: **T1**",
        "```",
        "",
    ]
)


def plan(*, done: bool = False, needs: tuple[str, ...] = (), reports: tuple[str, ...] = ()) -> str:
    first = PlanTask(id="T1", title="Build", done=True)
    second = PlanTask(id="T2", title="Check", done=done, depends_on=needs)
    phases = (
        PlanPhase(number=1, name="Build", tasks=(first,), completed=True),
        PlanPhase(number=2, name="Check", tasks=(second,), completed=done),
    )
    return render(Plan(title="JWT", date="2026-01-05", phases=phases, research_reports=reports))


def rows(*documents: Document) -> dict[str, dict[str, object]]:
    inventory = Inventory(documents)
    return {d.path: inventory.row(d) for d in documents}


def test_the_boxes_of_a_plan_are_counted() -> None:
    (row,) = rows(read("plan", PLAN, plan(needs=("T1",)))).values()

    assert (row["number"], row["title"], row["date"]) == (5, "JWT", "2026-01-05")
    assert (row["status"], row["next_phase"], row["ready"]) == ("in_progress", 2, True)
    assert row["phases"] == {"done": 1, "total": 2}
    assert row["tasks"] == {"done": 1, "total": 2}


def test_a_plan_without_an_open_box_is_completed_and_not_ready() -> None:
    (row,) = rows(read("plan", PLAN, plan(done=True))).values()

    assert (row["status"], row["ready"], row["not_ready"]) == ("completed", False, "nothing is left to do")


def test_a_plan_that_needs_a_task_that_there_is_not_is_not_ready() -> None:
    (row,) = rows(read("plan", PLAN, plan(needs=("T9",)))).values()

    assert (row["ready"], row["not_ready"]) == (False, "no task is called T9")


def test_documents_are_linked_in_both_directions_whichever_of_them_says_so() -> None:
    summary = render_summary(
        "JWT", date="2026-01-06", plan=PLAN, phases_done=2, phases_total=2, workflow_id="jwt_001", reports=[REPORT],
        results=Results("pytest", ok=True),
    )  # fmt: skip
    report = add_link(render_report("Auth", "Found it.", date="2026-01-04"), "Plan", "../plans/005_jwt.md")
    found = rows(read("plan", PLAN, plan(done=True)), read("report", REPORT, report), read("summary", SUMMARY, summary))

    assert (found[PLAN]["reports"], found[PLAN]["summaries"]) == ([REPORT], [SUMMARY])
    assert (found[REPORT]["plans"], found[REPORT]["summaries"]) == ([PLAN], [SUMMARY])
    assert (found[REPORT]["status"], found[REPORT]["ready"]) == ("implemented", False)
    assert (found[SUMMARY]["plans"], found[SUMMARY]["workflow"]) == ([PLAN], "jwt_001")
    assert (found[SUMMARY]["status"], found[SUMMARY]["tests"], found[SUMMARY]["ready"]) == ("complete", "passed", True)


def test_a_link_that_leads_to_no_document_is_named() -> None:
    (row,) = rows(read("plan", PLAN, plan(reports=("../reports/009_gone.md",)))).values()

    assert row["missing_links"] == ["specs/reports/009_gone.md"]
    assert row["reports"] == []


def test_a_summary_of_part_of_a_plan_is_partial_and_one_without_figures_unknown() -> None:
    partial = render_summary("JWT", date="", plan=PLAN, phases_done=1, phases_total=2)
    (first,) = rows(read("summary", SUMMARY, partial)).values()
    (second,) = rows(read("summary", SUMMARY, "# JWT\n")).values()

    assert (first["status"], first["tests"], first["ready"]) == ("partial", "unknown", False)
    assert (second["status"], second["phases"], second["ready"]) == ("unknown", None, False)


@given(st.lists(LINES, max_size=14).map("\n".join))
def test_what_a_plan_says_and_what_is_wrong_with_it_is_as_it_is_read_for_work(text: str) -> None:
    found = read("plan", PLAN, text)
    if found.problem:
        with pytest.raises(BadInput) as caught:
            parse(text, source=PLAN)
        assert found.problem == caught.value.message
        return
    made = parse(text, source=PLAN)
    assert found.facts["next_phase"] == incomplete(made)
    assert found.facts["tasks"] == {"done": sum(t.done for t in made.tasks), "total": len(made.tasks)}


@pytest.mark.parametrize("kind", ["plan", "report", "summary"])
def test_a_file_of_anything_is_listed_with_what_is_wrong(kind: str) -> None:
    (row,) = rows(read(kind, f"specs/{kind}s/x.md", "\x00 nothing")).values()

    assert (row["status"], row["number"], row["ready"]) == ("unreadable", None, False)
    assert "line 1: there is no title" in str(row["problem"])
