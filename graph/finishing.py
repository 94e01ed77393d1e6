"""The finish: criteria ticked from evidence, a summary, cross-links, the merge, and the last event."""

from collections.abc import Iterator, Mapping
from typing import Any

from langgraph.runtime import Runtime

from stretto.agents.commits import log as commits
from stretto.agents.delivery import Policy
from stretto.graph.channels import State
from stretto.graph.committing import about, artifact, text
from stretto.graph.context import Run, Step
from stretto.graph.implementing import plan_path
from stretto.graph.plan_file import parse, tick_criteria
from stretto.graph.plan_links import add_link, relative
from stretto.graph.planning import CRITERION_DOCUMENTS, CRITERION_TASKS, CRITERION_TESTS
from stretto.graph.spec import PhaseSpec
from stretto.graph.staying_open import delivered, leave_open
from stretto.graph.summarising import summary
from stretto.state.moments import moment
from stretto.state.units import said_seconds

PHASE = "finalization"


async def finish(state: State, runtime: Runtime[Run]) -> dict[str, Any]:
    """Write the summary, merge if the policy allows it, and complete the workflow. Safe to run again."""
    run = runtime.context
    step = Step(phase=PhaseSpec(name=PHASE, kind="document"), number=1, state=state, run=run)
    run.remember(f"base:{step.key}", await run.repository.tip(run.workflow_id))
    files = await closing_files(step)
    if files:
        body = {path: content.encode() for path, content in files.items()}
        subject = about("docs: summarise", run.spec.description)
        await run.repository.commit_files(run.workflow_id, body, subject, key=f"{run.workflow_id}/{step.key}")
    answer = state["verdicts"].get("gate:merge~1", {})
    rejected = answer.get("status") == "failed"
    policy: Policy = "never" if rejected or run.spec.merge == "never" else "auto"
    end = await run.repository.finish(run.workflow_id, policy)
    start = await run.repository.started(run.workflow_id)
    facts = {
        "merged": end.merged,
        "commit": end.sha,
        "reason": f"A person rejected the merge: {answer['why']}" if rejected else end.reason,
        "command": end.command,
        "branch": start.branch,
        "commits": len(await commits(run.repository.git, start.base, end.sha)),
        "artifacts": sorted({*_artifacts(step), *files}),
    }
    complete(step, facts)
    left = [artifact(path, content).model_dump() for path, content in files.items()]
    return {"verdicts": {step.key: {"status": "passed", "artifacts": left}}}


def complete(step: Step, end: Mapping[str, Any]) -> None:
    """The last transition, once; an orchestrated workflow stays open."""
    run = step.run
    row = run.log.workflow(run.workflow_id)
    if row is None or row.status == "COMPLETED" or delivered(run.log.database, run.workflow_id) is not None:
        return
    tests = step.verdict("test").get("tests")
    metrics = {"success": True, "total_duration": said_seconds(elapsed(run)), "tests": tests, **end}
    if run.spec.orchestrated:
        with run.log.write(run.fence) as tx:
            leave_open(tx, run.workflow_id, end)
        return
    with run.log.write(run.fence) as tx:
        tx.set_status(run.workflow_id, "COMPLETED", phase=PHASE, data=metrics)


def elapsed(run: Run) -> float | None:
    """Seconds from the creation of the workflow until now, pauses included."""
    first = next(iter(run.log.events(run.workflow_id, limit=1)), None)
    if first is None:
        return None
    return round(run.log.now() - moment(first.timestamp), 1)


async def closing_files(step: Step) -> dict[str, str]:
    """The summary, the plan with its criteria ticked and linked to it, the reports linked to the plan."""
    path = plan_path(step)
    plan = await text(step, path) if path else None
    if plan is None or not any(p.kind == "implement" for p in step.spec.phases):
        return {}
    reports = _reports(step)
    summary_path, written = await summary(step, path, plan, reports)
    indexes = [i for i, c in enumerate(parse(plan, source=path).success_criteria) if proven(step, c.text)]
    ticked = tick_criteria(plan, indexes, source=path)
    files = {summary_path: written, path: add_link(ticked, "Summary", relative(summary_path, folder(path)))}
    for report in reports:
        if (body := await text(step, report)) is not None:
            files[report] = add_link(body, "Plan", relative(path, folder(report)))
    return files


def proven(step: Step, criterion: str) -> bool:
    """Whether the run holds the evidence for a success criterion. One that nobody can prove stays open."""
    evidence = {
        CRITERION_TASKS: step.verdict("implement").get("status") == "passed",
        CRITERION_TESTS: step.verdict("test").get("status") == "passed",
        CRITERION_DOCUMENTS: step.verdict("document").get("status") == "passed",
    }
    return evidence.get(criterion, False)


def _artifacts(step: Step) -> Iterator[str]:
    return (a["path"] for v in step.state["verdicts"].values() for a in v.get("artifacts", ()))


def _reports(step: Step) -> list[str]:
    return sorted(p for p in _artifacts(step) if p.startswith("specs/reports/"))


def folder(path: str) -> str:
    """The folder of a path; empty at the root."""
    return path.rpartition("/")[0]
