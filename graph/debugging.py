"""Debugging: one agent finds out why, writes nothing, and hands tasks back to the implementation."""

from collections.abc import Sequence
from typing import Any

from stretto.agents.data import DebuggerData
from stretto.agents.task import Task
from stretto.graph.channels import step_key
from stretto.graph.committing import about, commit, listing
from stretto.graph.context import Fact, Step
from stretto.graph.numbering import file_name, next_number
from stretto.graph.plan_data import cures
from stretto.graph.report_file import render_debug_report
from stretto.graph.spec import TaskSpec
from stretto.graph.stages import Closed, artifacts, as_task, why

REPORTS = "specs/reports"


class Debugging:
    """The debugger's `data` becomes `specs/reports/NNN_debug_issue.md`, and its tasks the next implementation."""

    async def tasks(self, step: Step) -> Sequence[Task]:
        """The debuggers that the spec names, or one that is given what failed in this generation."""
        specs = step.phase.tasks or (
            TaskSpec(id="debug", title="Find the cause", role="debugger", prompt=_prompt(step)),
        )
        return [as_task(step, s, inputs=artifacts(step)) for s in specs]

    def started(self, step: Step, tasks: Sequence[Task]) -> tuple[Fact, ...]:
        """Nothing of its own: PHASE_STARTED says it."""
        del step, tasks
        return ()

    async def close(self, step: Step) -> Closed:
        """Write the debug reports; in the loop, a cause without a cure ends it."""
        if failure := why(step):
            return Closed({}, failed=failure)
        number = next_number(await listing(step, REPORTS))
        known = [line for spec in step.phase.tasks for line in spec.known]
        files: dict[str, str] = {}
        for task in step.tasks:
            found = DebuggerData.model_validate(step.finished[task.task_id].data)
            name = file_name(number + len(files), f"debug {headline(step)}")
            files[f"{REPORTS}/{name}"] = render_debug_report(
                issue(step),
                found.cause,
                (*found.evidence, *known),
                cures(found),
                date=step.run.date,
                title=headline(step),
                workflow_id=step.run.workflow_id,
            )
        left = await commit(step, files, about("docs: debug", headline(step)))
        data = step.finished[step.tasks[0].task_id].data
        verdict = {"artifacts": left, "data": data}
        if step.phase.tasks:
            return Closed(verdict, metrics={"reports": len(files), "artifacts": list(files)})
        if not data.get("tasks"):
            return Closed(verdict, failed=f"The debugger found a cause but no cure: {data.get('cause', '')}")
        return Closed(verdict, {"rounds": step.number}, metrics={"artifacts": list(files), "cures": len(data["tasks"])})


def failing(step: Step) -> dict[str, Any]:
    """The verdict that this generation failed with; empty for a debug phase that the spec asks for by itself."""
    for phase in reversed(step.spec.phases):
        verdict = step.state["verdicts"].get(step_key(phase, step.number), {})
        if phase.kind in {"test", "implement"} and verdict.get("status") == "failed":
            return dict(verdict)
    return {}


def issue(step: Step) -> str:
    """What is being debugged, in a few words."""
    return str(failing(step).get("why", "")) or step.spec.description


def headline(step: Step) -> str:
    """The first sentence of what is being debugged."""
    return issue(step).partition(". ")[0].rstrip(".")


def _prompt(step: Step) -> str:
    verdict = failing(step)
    parts = [
        f"The work: {step.spec.description}",
        f"What failed: {verdict.get('why', '')}",
        f"Output:\n{verdict['output']}" if verdict.get("output") else "",
        "Find the cause in the code as it stands. Change nothing. Return the cause, the evidence, and the tasks that "
        "cure it.",
    ]
    return "\n\n".join(p for p in parts if p)
