"""Research and review: parallel readers, each of whom leaves a report."""

from collections.abc import Sequence

from stretto.agents.data import ResearcherData
from stretto.agents.task import Task
from stretto.graph.committing import about, commit, listing
from stretto.graph.context import Fact, Step
from stretto.graph.estimate import estimate
from stretto.graph.history import past_tasks
from stretto.graph.insights import recommendations
from stretto.graph.numbering import file_name, next_number
from stretto.graph.report_file import render_report
from stretto.graph.stages import Closed, artifacts, as_task, fatal, why
from stretto.state.units import said_seconds

REPORTS = "specs/reports"


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
        facts = {"agents": len(tasks), "estimated_duration": said_seconds(expected.likely), "basis": expected.basis}
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
            outcome = step.finished[task.task_id]
            if outcome.data:
                found = ResearcherData.model_validate(outcome.data)
                name = file_name(number + len(files), found.title)
                insights += recommendations(found.report)
                files[f"{REPORTS}/{name}"] = render_report(
                    found.title, found.report, date=step.run.date, scope=task.title
                )
        left = await commit(step, files, about("docs: research", step.spec.description))
        completed = {"reports_generated": len(files), "insights": insights, "agents": len(step.tasks)}
        return Closed(
            {"artifacts": left, "summaries": {t: o.summary for t, o in step.finished.items()}},
            metrics={**completed, "artifacts": list(files)},
            events=(Fact("RESEARCH_COMPLETED", step.phase.name, completed),),
        )
