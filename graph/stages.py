"""Stages: what each kind of phase asks of its agents, and what it makes of their outcomes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from stretto.agents.task import Artifact, Task
from stretto.graph.context import Fact, Step
from stretto.graph.spec import TaskSpec


class Closed(NamedTuple):
    """How a step ended.

    `verdict` goes to the checkpoint under the step's key, `update` to its other channels; `failed` says why the phase
    did not pass (empty: it passed), `curable` whether a debug round could help; `metrics` and `events` go to the log.
    """

    verdict: Mapping[str, Any]
    update: Mapping[str, Any] = {}
    failed: str = ""
    curable: bool = False
    metrics: Mapping[str, Any] = {}
    events: tuple[Fact, ...] = ()


class Stage(Protocol):
    """One kind of phase. Both methods may run again after a crash, so their side effects are keyed by the step."""

    async def tasks(self, step: Step) -> Sequence[Task]:
        """The tasks of this step, in the order of the plan."""
        ...

    def started(self, step: Step, tasks: Sequence[Task]) -> tuple[Fact, ...]:
        """The events that tell the kind of phase apart when it begins."""
        ...

    async def close(self, step: Step) -> Closed:
        """Turn the outcomes to artifacts and commits."""
        ...


def agents_for(step: Step, tasks: Sequence[Task]) -> int:
    """How many agents a phase begins with: one for each task, or as many as those are said to have who take it up."""
    return step.spec.left_to.get(step.phase.name) or len(tasks)


def as_task(step: Step, spec: TaskSpec, *, note: str = "", inputs: Sequence[Artifact] = ()) -> Task:
    """A task of this step from its spec; `note` is added to the prompt."""
    return Task(
        workflow_id=step.run.workflow_id,
        phase=step.phase.name,
        task_id=step.task_id(spec.id),
        role=spec.role,
        title=spec.title,
        prompt="\n\n".join(p for p in (spec.prompt, note) if p),
        reads=spec.reads,
        writes=spec.writes,
        checks=spec.checks,
        after=tuple(step.task_id(d) for d in spec.depends_on),
        inputs=tuple(inputs),
        known=spec.known,
        budget=spec.budget,
    )


def artifacts(step: Step) -> tuple[Artifact, ...]:
    """Every artifact that the phases before this one left, each path once, in the order of the run."""
    found: dict[str, Artifact] = {}
    for phase in step.spec.phases:
        for key, verdict in sorted(step.state["verdicts"].items()):
            if key.startswith(f"{phase.name}~"):
                found.update({a["path"]: Artifact.model_validate(a) for a in verdict.get("artifacts", ())})
    return tuple(found.values())


def why(step: Step) -> str:
    """One sentence for the tasks of a step that are not done; empty if all are."""
    parts = [f"{task_id}: {reason}" for task_id, reason in step.failures.items()]
    return f"{len(parts)} of {len(step.tasks)} tasks failed. " + " · ".join(parts) if parts else ""


def fatal(step: Step) -> bool:
    """Whether a task failed because the runner itself cannot work."""
    outcomes = (step.outcome(t) for t in step.failures)
    return any(bool(o.data.get("fatal")) for o in outcomes if o)
