"""The summary of an implemented plan. It holds nothing that a crash would change: a resumed run writes the same one."""

from stretto.agents.data import DebuggerData
from stretto.agents.reading import numstat
from stretto.graph.channels import step_key
from stretto.graph.context import Step
from stretto.graph.plan_file import parse
from stretto.graph.summary_file import FOLDER, Change, Results, render_summary, summary_name


async def summary(step: Step, plan_path: str, plan_text: str, reports: list[str]) -> tuple[str, str]:
    """Path and text of the summary of the plan."""
    plan = parse(plan_text, source=plan_path)
    path = f"{FOLDER}/{summary_name(plan_path)}"
    changes = [Change(*c) for c in await numstat(step.run.repository, step.run.workflow_id)]
    text = render_summary(
        plan.title,
        date=step.run.date,
        plan=plan_path,
        phases_done=sum(not p.open for p in plan.phases),
        phases_total=len(plan.phases),
        workflow_id=step.run.workflow_id,
        reports=reports,
        overview="\n\n".join(filter(None, (step.spec.description, plan.overview))),
        changes=[c for c in changes if not c.path.startswith("specs/")],
        results=_results(step),
        recoveries=_recoveries(step),
    )
    return path, text


def _results(step: Step) -> Results | None:
    tests = step.verdict("test").get("tests")
    if not tests:
        return None
    counts = {k: tests.get(k) for k in ("tests", "failures", "errors", "skipped")}
    known = all(v is not None for v in counts.values())
    passed = counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"] if known else None
    return Results(
        command=tests["command"],
        ok=tests["exit_code"] == 0,
        passed=passed,
        failed=counts["failures"],
        errors=counts["errors"],
        skipped=counts["skipped"],
    )


def _recoveries(step: Step) -> list[str]:
    """What each debug round found and cured."""
    found: list[str] = []
    for phase in step.spec.phases:
        for number in range(1, step.state["rounds"] + 1):
            failed = step.state["verdicts"].get(step_key(phase, number), {})
            if failed.get("status") == "failed" and failed.get("next") == "debug":
                found.append(f"{failed['why']} {_cure(step, number)}".strip())
    return found


def _cure(step: Step, number: int) -> str:
    keys = (k for k in step.state["verdicts"] if k.endswith(f"debugging~{number}"))
    data = next((step.state["verdicts"][k].get("data") for k in keys), None)
    if not data:
        return ""
    found = DebuggerData.model_validate(data)
    return f"The cause: {found.cause.rstrip('.')}. Cured by: {', '.join(t.title for t in found.tasks)}."
