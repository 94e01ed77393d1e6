"""/plan and /document beside a workflow: drafts, its reports, links that must resolve."""

from typing import Any

from stretto.state.log import Log
from tests.commands.door import Project


def fact(project: Project, workflow: str, name: str) -> Any:
    log = Log.find(project.store)
    assert log
    with log:
        return log.fact(workflow, name)


def test_an_orchestrated_plan_is_the_draft_of_its_workflow_and_reads_that_ones_reports(project: Project) -> None:
    assert project.work("report", "How adding works", "--workflow-id=research_001").code == 0
    (report,) = (f.relative_to(project.root).as_posix() for f in (project.root / "specs/reports").glob("*.md"))

    ran = project.work(
        "plan", "Arithmetic", "--workflow-context=research_001", "--coordination=orchestrated", "--complexity=high",
        "--json",
    )  # fmt: skip

    assert ran.code == 0, ran.out
    draft = fact(project, "research_001", "draft_plan")
    assert (draft["path"], draft["complexity"]) == ("specs/plans/001_arithmetic.md", "high")
    assert draft["phases"] >= 1
    assert ran.json["result"]["draft_plan"] == draft
    assert ran.json["events"][-1] == project.events("research_001")[-1].event_id
    assert project.briefs()[-1]["reads"] == [report]


def test_a_plan_without_a_workflow_to_be_staged_for_is_refused(project: Project) -> None:
    ran = project.work("plan", "Arithmetic", "--coordination=orchestrated")
    assert (ran.code, "--workflow-context" in ran.err) == (2, True)
    ran = project.work("plan", "Arithmetic", "--workflow-context=nobody_001")
    assert (ran.code, "nobody_001" in ran.err) == (2, True)


def documents(project: Project, text: str) -> None:
    outcome = {"data": {"files": ["docs/guide.md"]}}
    project.agent({"documenter": {"files": {"docs/guide.md": text}, "outcome": outcome}})


def test_documents_whose_links_lead_nowhere_are_refused_by_name(project: Project) -> None:
    documents(project, "# Guide\n\n[code](../src/calc/__init__.py) [folder](../src) [gone](gone.md)\n")

    ran = project.work("document", "Arithmetic", "--scope=comprehensive", "--cross-reference")

    assert (ran.code, "docs/guide.md → gone.md" in ran.out) == (1, True), ran.out
    assert "__init__" not in ran.out
    assert project.subjects() == ["Begin"]


def test_documents_whose_links_resolve_are_merged_and_told_to_the_workflow(project: Project) -> None:
    documents(project, "# Guide\n\n[code](../src/calc/__init__.py) [folder](../src)\n")
    project.run("coordination-hub", "create", "impl_001")

    ran = project.work(
        "document", "Arithmetic", "--cross-reference", "--audience=newcomers", "--workflow-context=impl_001"
    )

    assert ran.code == 0, ran.out
    assert (project.root / "docs/guide.md").exists()
    assert "Write for newcomers." in project.briefs()[0]["prompt"]
    assert project.events("impl_001")[-1].data["metrics"]["documentation"] == "completed"
