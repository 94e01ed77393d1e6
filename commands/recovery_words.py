"""What the operations of /workflow-recovery share: the workflow that a line names, and how findings are told."""

from collections.abc import Mapping, Sequence
from typing import Any

from stretto.commands.app import App
from stretto.commands.coordinating import Desk, looking
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.graph import coordination
from stretto.graph.recovery import Analysis, Rate
from stretto.state import lease
from stretto.state.errors import BadInput, WorkflowDriven
from stretto.state.rows import WorkflowRow

CAUSE_WORDS: Mapping[str, str] = {
    "agent_failed": "an agent failed",
    "agent_timeout": "an agent did not answer in time",
    "resource_exhaustion": "a resource was exhausted",
    "external_error": "something outside did not answer",
    "network_partition": "the network was cut",
    "dependency_failed": "what it waits for failed",
    "test_failed": "tests failed",
    "driver_died": "its driver died",
    "state_damaged": "its state is damaged",
    "unknown": "unknown: no event names a cause",
}


def body(invocation: Invocation) -> Fields:
    """The JSON of a line; an empty object where there is none."""
    return Fields(invocation.json[0] if invocation.json else {})


def reply(
    invocation: Invocation,
    lines: Sequence[str],
    result: Mapping[str, Any],
    workflow: str = "",
    events: Sequence[str] = (),
    steps: Sequence[str] = (),
) -> Reply:
    """A reply of the line's command."""
    text = "\n".join(lines)
    return Reply(invocation.command, text, result, invocation.operation, workflow, tuple(events), tuple(steps))


def named(invocation: Invocation) -> str:
    """The workflow of a line, by its id or by the id of an analysis.

    Raises:
        BadInput: There is none.
    """
    if not invocation.ids:
        raise BadInput(f"/{invocation.command} {invocation.operation} needs a workflow's id.", field="workflow_id")
    name = invocation.ids[0]
    return name.removeprefix("rca_").rpartition("_")[0] if name.startswith("rca_") else name


def gone(desk: Desk, row: WorkflowRow) -> bool:
    """Whether its driver died and nobody took over."""
    holder = lease.holder(desk.log, row.id)
    return row.runner != coordination.RUNNER and row.status == "RUNNING" and not (holder and holder.alive)


def not_driven(desk: Desk, row: WorkflowRow) -> None:
    """Nobody may be at work for it.

    Raises:
        WorkflowDriven: A living driver is.
    """
    holder = lease.holder(desk.log, row.id)
    if holder and holder.alive:
        raise WorkflowDriven(
            f"Workflow {row.id!r} is driven by process {holder.pid} on {holder.host!r}; it is unchanged.",
            next_steps=(f"stretto cancel {row.id}", f"stretto workflow-status {row.id}"),
        )


def found(invocation: Invocation, app: App) -> tuple[WorkflowRow, bool]:
    """The row of a line's workflow, and whether its driver died.

    Raises:
        NotFound: There is no such workflow.
    """
    with looking(app) as desk:
        row = coordination.row_of(desk.tx, named(invocation))
        return row, gone(desk, row)


def cause_lines(one: Analysis) -> list[str]:
    """What failed and why, with the events that say so."""
    cause = one.cause
    return [
        f"{one.workflow_id}: phase {one.phase} failed ({one.id}, since {one.since}{', over' if one.over else ''})",
        f"  cause: {CAUSE_WORDS[cause.kind]} ({cause.component}){f': {cause.words}' if cause.words else ''}",
        f"  evidence: {', '.join(cause.evidence) or 'none'}",
        f"  severity: {one.severity}; {'recoverable' if one.recoverable else 'not recoverable by itself'}",
    ]


def impact_lines(one: Analysis) -> list[str]:
    """What waits for it."""
    impact = one.impact
    if not impact.known:
        return [f"  impact: unknown, since {one.phase} is no phase of what was asked for"]
    parts = [("phases", impact.phases), ("tasks", impact.tasks), ("workflows", impact.workflows)]
    told = [f"{name}: {', '.join(names)}" for name, names in parts if names]
    return [
        f"  blocked: {'; '.join(told) or 'nothing else'}",
        f"  finished and kept: {', '.join(impact.finished) or 'none'}",
    ]


def rate(one: Rate | None) -> str:
    """`completed 2 of 3`, or `unknown`."""
    return f"completed {one.completed} of {one.n}" if one and one.n else "success unknown: never tried here"
