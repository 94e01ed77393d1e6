"""Research and review: parallel readers, each of whom leaves a report."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from stretto.agents.data import DebuggerData, ResearcherData
from stretto.agents.task import Task
from stretto.graph.committing import about, commit, listing
from stretto.graph.context import Fact, Step
from stretto.graph.estimate import estimate
from stretto.graph.history import past_tasks
from stretto.graph.insights import recommendations
from stretto.graph.numbering import file_name, next_number
from stretto.graph.plan_data import cures
from stretto.graph.report_file import render_debug_report, render_report
from stretto.graph.stages import Closed, agents_for, artifacts, as_task, fatal, why
from stretto.state.units import said_seconds

REPORTS = "specs/reports"


class Written(NamedTuple):
    """A report: its title, its text, and how many recommendations it makes."""

    title: str
    text: str
    insights: int


class Researching:
    """Each task's `data` becomes `specs/reports/NNN_topic.md`; a reader whose role returns no data leaves a summary."""

    async def tasks(self, step: Step) -> Sequence[Task]:
        """The readers that the spec names, each given the artifacts of the phases before."""
        known = artifacts(step)
        return [as_task(step, spec, inputs=known) for spec in step.phase.tasks]

    def started(self, step: Step, tasks: Sequence[Task]) -> tuple[Fact, ...]:
        """RESEARCH_STARTED with the number of agents, and how long it may take."""
        alone = step.spec.model_copy(update={"phases": (step.phase,), "gates": (), "leave": ()})
        expected = estimate(alone, past_tasks(step.run.log)).seconds
        facts = {
            "agents": agents_for(step, tasks),
            "estimated_duration": said_seconds(expected.likely),
            "basis": expected.basis,
        }
        return (Fact("RESEARCH_STARTED", step.phase.name, facts),)

    async def close(self, step: Step) -> Closed:
        """Write the reports in the order of the tasks and commit them."""
        if failure := why(step):
            events = (Fact("RESEARCH_FAILED", step.phase.name, {"failed": sorted(step.failures)}, "error"),)
            return Closed({}, failed=failure, curable=not fatal(step), events=events)
        number = next_number(await listing(step, REPORTS))
        files: dict[str, str] = {}
        insights = 0
        for task in step.tasks:
            if data := step.finished[task.task_id].data:
                written = _debugged(step, task, data) if task.role == "debugger" else _researched(step, task, data)
                files[f"{REPORTS}/{file_name(number + len(files), written.title)}"] = written.text
                insights += written.insights
        left = await commit(step, files, about("docs: research", step.spec.description))
        completed = {"reports_generated": len(files), "insights": insights, "agents": len(step.tasks)}
        return Closed(
            {"artifacts": left, "summaries": {t: o.summary for t, o in step.finished.items()}},
            metrics={**completed, "artifacts": list(files)},
            events=(Fact("RESEARCH_COMPLETED", step.phase.name, completed),),
        )


def _researched(step: Step, task: Task, data: Mapping[str, Any]) -> Written:
    found = ResearcherData.model_validate(data)
    text = render_report(found.title, found.report, date=step.run.date, scope=task.title)
    return Written(found.title, text, recommendations(found.report))


def _debugged(step: Step, task: Task, data: Mapping[str, Any]) -> Written:
    """A debug report; the tasks that would cure it are what it recommends."""
    found = DebuggerData.model_validate(data)
    text = render_debug_report(
        task.prompt,
        found.cause,
        (*found.evidence, *task.known),
        cures(found),
        date=step.run.date,
        title=task.title,
        workflow_id=step.run.workflow_id,
    )
    return Written(f"debug {task.title}", text, len(found.tasks))
