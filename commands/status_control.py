"""/workflow-status ID --pause, --resume, --skip, --priority, --checkpoint: what a person does to a running workflow.

One that commands move is moved by the hub's operations. One that a driver runs is asked to drain: its agents finish,
and nothing new starts.
"""

from collections.abc import Mapping
from typing import Any

from stretto.commands import coordination_hub, hub_savepoints
from stretto.commands.app import App
from stretto.commands.coordinating import writing
from stretto.commands.invocation import Invocation, Word
from stretto.commands.reply import Reply
from stretto.graph import coordination
from stretto.graph.coordination import RUNNER
from stretto.state import lease
from stretto.state.errors import BadInput
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow

CONTROL = ("pause", "resume", "skip", "priority", "checkpoint")
BESIDE: Mapping[str, frozenset[str]] = {
    "pause": frozenset({"reason"}),
    "resume": frozenset(),
    "skip": frozenset({"reason"}),
    "priority": frozenset({"reason"}),
    "checkpoint": frozenset({"name"}),
}
"""Flags that say more about each."""


def control(invocation: Invocation, app: App, row: WorkflowRow) -> Reply:
    """Do the one thing that the flags ask for.

    Raises:
        BadInput: Several at once, a flag that says nothing here, or what a driver cannot be asked to do.
    """
    asked = [name for name in CONTROL if name in invocation.flags]
    if len(asked) > 1:
        raise BadInput(f"One at a time: {', '.join('--' + a for a in asked)}.", field=f"--{asked[1]}")
    (what,) = asked
    for flag in invocation.flags.keys() - {what, *BESIDE[what], "json", "project", "store"}:
        raise BadInput(
            f"--{flag} says nothing beside --{what}.", field=f"--{flag}", allowed=[f"--{b}" for b in BESIDE[what]]
        )
    reply = _driven(app, row, what) if row.runner != RUNNER else _moved(invocation, app, row, what)
    return reply._replace(command="workflow-status", operation=what)


def _driven(app: App, row: WorkflowRow, what: str) -> Reply:
    if what == "resume":
        raise BadInput(
            f"{row.id!r} is run by a driver: a new one goes on with it.",
            field="--resume",
            next_steps=(f"stretto orchestrate --resume {row.id}",),
        )
    if what != "pause":
        raise BadInput(
            f"--{what} is for workflows that commands move; {row.id!r} is run by a driver.",
            field=f"--{what}",
            allowed=("--pause",),
        )
    with Log.open(app.directory, clock=app.clock) as log:
        holder = lease.holder(log, row.id)
        if holder is None or not holder.alive:
            raise BadInput(f"Nobody drives {row.id!r} ({row.status}): there is nothing to pause.", field="--pause")
        with log.write() as tx:
            tx.request(row.id, "drain", {})
    text = f"{row.id} is asked to pause: agents at work finish, nothing new starts."
    return Reply("workflow-status", text, {"asked": "drain"}, next_steps=(f"stretto orchestrate --resume {row.id}",))


def _moved(invocation: Invocation, app: App, row: WorkflowRow, what: str) -> Reply:
    flags = invocation.flags
    reason = str(flags.get("reason", ""))
    if what == "priority":
        return _priority(app, row, str(flags["priority"]), reason)
    if what == "skip":
        body = {"reason": reason} if reason else {}
        phase = (Word(str(flags["skip"])),)
        return coordination_hub.end_phase(_line("skip-phase", row, phase, body), app)
    if what == "checkpoint":
        given = flags["checkpoint"] if isinstance(flags["checkpoint"], str) else flags.get("name", "")
        words = (Word(str(given)),) if given else ()
        return hub_savepoints.checkpoint(_line("checkpoint", row, words, {}), app)
    if what == "pause":
        return coordination_hub.pause(_line("pause", row, (), {"reason": reason} if reason else {}), app)
    return coordination_hub.resume(_line("resume", row, (), {}), app)


def _line(operation: str, row: WorkflowRow, words: tuple[Word, ...], body: Mapping[str, Any]) -> Invocation:
    json = (dict(body),) if body else ()
    return Invocation("coordination-hub", operation, (row.id,), words, {}, json)


def _priority(app: App, row: WorkflowRow, priority: str, reason: str) -> Reply:
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, row.id)
        old = coordination.coordinated(row).priority
        changed = coordination.set_priority(desk.tx, row, priority, reason)
        desk.admit()
    text = f"{row.id}: {old} → {priority}" if changed else f"{row.id} is {priority} already."
    result = {"before": old, "priority": priority}
    return Reply("workflow-status", text, result, "priority", row.id, tuple(desk.tx.ids))
