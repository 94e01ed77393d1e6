"""Documentation: agents write in workspaces as implementers do; what they wrote becomes one commit."""

from collections.abc import Sequence

from stretto.agents.reading import names
from stretto.agents.task import Task
from stretto.graph.committing import about, gather, text
from stretto.graph.context import Fact, Step
from stretto.graph.doc_links import targets
from stretto.graph.spec import TaskSpec
from stretto.graph.stages import Closed, agents_for, artifacts, as_task, why


class Documenting:
    """The documenters that the spec names, or one that is told what the workflow was for."""

    async def tasks(self, step: Step) -> Sequence[Task]:
        """The documenters, each given the reports and the plan."""
        specs = step.phase.tasks or (
            TaskSpec(
                id="document",
                title="Update the documentation",
                role="documenter",
                prompt=f"Bring the project's documentation up to date with this change: {step.spec.description}",
            ),
        )
        return [as_task(step, s, inputs=artifacts(step)) for s in specs]

    def started(self, step: Step, tasks: Sequence[Task]) -> tuple[Fact, ...]:
        """DOCUMENTATION_STARTED with the number of agents."""
        return (Fact("DOCUMENTATION_STARTED", step.phase.name, {"agents": agents_for(step, tasks)}),)

    async def close(self, step: Step) -> Closed:
        """Gather what landed in one commit."""
        files = sorted({path for outcome in step.finished.values() for path in outcome.writes})
        if failure := why(step):
            events = (Fact("DOCUMENTATION_FAILED", step.phase.name, {"reason": failure}, "error"),)
            return Closed({}, failed=failure, curable=False, events=events)
        if step.phase.links and (broken := await _broken(step, files)):
            reason = f"Links that lead nowhere: {', '.join(broken)}"
            events = (Fact("DOCUMENTATION_FAILED", step.phase.name, {"reason": reason, "broken": broken}, "error"),)
            return Closed({}, failed=reason, curable=False, events=events)
        commits = await gather(step, about("docs: document", step.spec.description))
        done = {"files": files, "commits": len(commits), **({"links": "resolve"} if step.phase.links else {})}
        events = (Fact("DOCUMENTATION_COMPLETED", step.phase.name, done),)
        return Closed({"files": files, "commits": commits}, metrics={"files": len(files)}, events=events)


async def _broken(step: Step, files: Sequence[str]) -> list[str]:
    """The relative links of these documents that lead to nothing on the workflow's branch."""
    found: list[str] = []
    for file in files:
        body = await text(step, file, at_head=True) if file.endswith(".md") else None
        for written, path in targets(file, body or ""):
            if path.startswith("..") or not await _exists(step, path):
                found.append(f"{file} → {written}")
    return found


async def _exists(step: Step, path: str) -> bool:
    repository = step.run.repository
    head = await repository.tip(step.run.workflow_id)
    return path == "." or await text(step, path, at_head=True) is not None or bool(await names(repository, head, path))
