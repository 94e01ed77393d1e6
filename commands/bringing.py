"""Bringing tasks to a workflow that leaves one of its phases to other commands.

The workflow's own driver runs them, as it would have run its own: nothing of the phase is done twice, and its events
are the workflow's. It stops again when the phase is done.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from stretto.commands.app import App, require_supported
from stretto.commands.invocation import Invocation
from stretto.commands.launch import relaunch
from stretto.commands.leaving import LEFT
from stretto.commands.options import LIMIT_FLAGS, changed_limits
from stretto.commands.reply import Reply
from stretto.graph.entry import Given
from stretto.graph.spec import TaskSpec
from stretto.state.errors import BadInput
from stretto.state.ids import WorkflowId
from stretto.state.log import Log
from stretto.state.view import fold

SUPPORTED = LIMIT_FLAGS | {"dry-run", "durability", "runner", "wait"}
"""What may be changed of a workflow that goes on; the rest was said when it began."""
_OWN = ("name", "complexity")
"""Keys of a context that say what a workflow of one's own would be."""


class Left(NamedTuple):
    """A phase that a workflow leaves to other commands."""

    workflow: WorkflowId
    phase: str


def left(app: App, context: Mapping[str, Any]) -> Left | None:
    """The phase that the workflow of a context leaves to others, if it waits there; None if it leaves nothing.

    Raises:
        BadInput: It waits at another phase than the context names, or the context says what that workflow is.
    """
    name = str(context.get("workflow_id", ""))
    found = Log.find(app.state) if name else None
    if found is None:
        return None
    with found as log:
        row = log.workflow(name)
        if row is None or row.status != "PAUSED":
            return None
        paused = [e for e in log.events(name) if e.type == "WORKFLOW_PAUSED"]
    phase = str(paused[-1].data.get(LEFT) or "") if paused else ""
    if phase and context.get("phase", phase) != phase:
        raise BadInput(
            f"{name!r} waits for somebody to do {phase!r}, not {context['phase']!r}. Nothing was started.",
            field="context.phase",
            allowed=(phase,),
        )
    if phase and (own := next((key for key in _OWN if key in context), "")):
        raise BadInput(
            f"{name!r} is there already: its {own} was said when it began. Nothing was started.",
            field=f"context.{own}",
            next_steps=(f"Leave {own!r} out.",),
        )
    return Left(WorkflowId(row.id), phase) if phase else None


def bring(invocation: Invocation, app: App, to: Left, tasks: Sequence[TaskSpec]) -> Reply:
    """Have the workflow do these tasks in the phase that it left, and say what came of each.

    Raises:
        BadInput: A flag changes what was said when the workflow began.
    """
    require_supported(invocation, SUPPORTED)
    if "dry-run" in invocation.flags:
        lines = [f"Dry run: nothing was started. {to.workflow} would do in its phase {to.phase}:"]
        lines += [f"  {task.id} [{task.role}] {task.title}" for task in tasks]
        listed = [task.model_dump(mode="json") for task in tasks]
        return Reply("subagents", "\n".join(lines), {"phase": to.phase, "tasks": listed}, workflow_id=to.workflow)
    given = Given(to.phase, tuple(task.model_dump(mode="json") for task in tasks))
    changed = partial(changed_limits, invocation) if invocation.flags.keys() & LIMIT_FLAGS else None
    done = relaunch(to.workflow, invocation, app, answer=None, limits=changed, given=given)
    with Log.open(app.directory) as log:
        view = fold(log.events(to.workflow))
    names = [f"{to.phase}/{task.id}" for task in tasks]
    states = {name: view.tasks[name].state if name in view.tasks else "pending" for name in names}
    phase = view.phases.get(to.phase)
    if phase is None or phase.state != "completed":
        ended = (
            "partial" if "completed" in states.values() else "failed" if phase and phase.state == "failed" else "open"
        )
        return done._replace(result={**done.result, "phase": to.phase, "tasks": states, "outcome": ended})
    text = [f"{to.workflow}: {to.phase} is done, by {len(names)} task{'' if len(names) == 1 else 's'}."]
    text += [f"  {name}: {states[name]}; {view.tasks[name].summary}" for name in names]
    text += [f"  left     {path}" for path in done.result.get("artifacts", ())]
    return done._replace(
        text="\n".join(text),
        result={**done.result, "phase": to.phase, "tasks": states, "outcome": "completed"},
        exit_code=0 if done.exit_code == 3 else done.exit_code,
    )
