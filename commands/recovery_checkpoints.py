"""/workflow-recovery: checkpoints listed, checked, made, gone back to and cleared away; and the state of workflows."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stretto.agents import savepoints as files
from stretto.commands import hub_savepoints
from stretto.commands.app import App
from stretto.commands.coordinating import looking, writing
from stretto.commands.invocation import Invocation
from stretto.commands.recovery_words import body, found, reply
from stretto.commands.reply import Reply
from stretto.commands.store import repaired
from stretto.graph import coordination, points, recovering, recovery, savepoints
from stretto.graph.savepoints import Savepoint
from stretto.state.care_backup import backup
from stretto.state.database import Database
from stretto.state.errors import BadInput, StoreDamaged
from stretto.state.queries import workflows
from stretto.state.rows import WorkflowRow
from stretto.state.store import find_project
from stretto.state.units import seconds

_DAMAGED = 4
_KEPT = 10
"""Checkpoints of a workflow that a clearing leaves, unless another number is asked for."""


def list_checkpoints(invocation: Invocation, app: App) -> Reply:
    """`[ID] '{"filter_by_type": "manual"}'`: of one workflow, or of all."""
    fields = body(invocation)
    kind = fields.choice("filter_by_type", ("manual", "phase_boundary", "before_restore", "interval"))
    fields.close()
    with looking(app) as desk:
        only = coordination.row_of(desk.tx, invocation.ids[0]) if invocation.ids else None
        rows = [only] if only else workflows(desk.tx.database)
        known = [p for row in rows for p in points.points(desk.tx.database, row) if kind in ("", p.kind)]
    told = [_told(one) for one in known]
    lines = [f"{p.at}  {p.id:<36} {p.name:<28} {p.kind}" for p in known] or ["no checkpoint"]
    steps = [f"stretto workflow-recovery validate-checkpoint {known[-1].workflow_id} {known[-1].id}"] if known else []
    return reply(invocation, lines, {"checkpoints": told}, only.id if only else "", (), steps)


def _told(one: Savepoint) -> dict[str, Any]:
    return {
        "checkpoint_id": one.id,
        "workflow_id": one.workflow_id,
        "name": one.name,
        "type": one.kind,
        "at": one.at,
        "phases": one.snapshot["phases"],
        "files": one.snapshot.get("files"),
        "commit": one.snapshot.get("commit"),
    }


def validate_checkpoint(invocation: Invocation, app: App) -> Reply:
    """`ID [CHECKPOINT]`: its state, and every file that it holds, against their hashes. Without a name, all of them."""
    body(invocation).close()
    row, _ = found(invocation, app)
    with looking(app) as desk:
        if invocation.words:
            chosen = [points.find(desk.tx.database, row.id, invocation.words[0].text)[0]]
        else:
            chosen = points.points(desk.tx.database, row)
    if not chosen:
        raise BadInput(f"Workflow {row.id!r} has no checkpoint.", field="checkpoint_id")
    verdicts = [(one, problem(app, one)) for one in chosen]
    damaged = [one.id for one, problem in verdicts if problem]
    told = [{"checkpoint_id": one.id, "name": one.name, "valid": not p, "problem": p or None} for one, p in verdicts]
    lines = [f"{one.name} ({one.id}): {problem or 'sound'}" for one, problem in verdicts]
    result = {"valid": not damaged, "checkpoints": told}
    return reply(invocation, lines, result, row.id)._replace(exit_code=_DAMAGED if damaged else 0)


def problem(app: App, one: Savepoint) -> str:
    """What is wrong with a checkpoint, its state and its files; empty if nothing is."""
    try:
        savepoints.check(one)
        if "commit" in one.snapshot:
            hub_savepoints.there(app, str(one.snapshot["commit"]))
        else:
            asyncio.run(files.verify(find_project(app.project), app.directory, str(one.snapshot["files"])))
    except StoreDamaged as error:
        return error.message
    return ""


def create_checkpoint(invocation: Invocation, app: App) -> Reply:
    """`ID NAME`, as the hub's `checkpoint`."""
    return hub_savepoints.checkpoint(invocation, app)._replace(command=invocation.command)


def restore(invocation: Invocation, app: App) -> Reply:
    """`ID CHECKPOINT`, as the hub's `restore`; `rollback` is the same."""
    return hub_savepoints.restore(invocation, app)._replace(command=invocation.command)


def cleanup(invocation: Invocation, app: App) -> Reply:
    """`[ID] '{"keep": 10, "older_than": "30d", "dry_run": true}'`: the oldest go; what a recovery needs stays."""
    fields = body(invocation)
    keep = fields.whole("keep", _KEPT, least=1, most=100_000) or _KEPT
    age = fields.read("older_than", seconds, 0.0)
    dry = fields.flag("dry_run")
    fields.close()
    with looking(app) as desk:
        only = coordination.row_of(desk.tx, invocation.ids[0]) if invocation.ids else None
    with writing(app) as desk:
        rows = [only] if only else workflows(desk.tx.database)
        gone = [one for row in rows for one in _clearable(desk.tx.database, row, keep, age, desk.tx.now)]
        if not dry:
            for row in rows:
                savepoints.remove(desk.tx, row, [one for one in gone if one.workflow_id == row.id])
        left = {str(one.snapshot["files"]) for row in rows for one in savepoints.savepoints(desk.tx.database, row.id)}
    for row in () if dry else rows:
        trees = [str(one.snapshot["files"]) for one in gone if one.workflow_id == row.id]
        if free := [tree for tree in trees if tree not in left]:
            asyncio.run(files.forget(find_project(app.project), app.directory, row.id, free))
    what = "would go" if dry else "are gone"
    lines = [f"{len(gone)} checkpoints {what}; at least {keep} of each workflow stay", *(f"  {g.id}" for g in gone)]
    result = {"removed": [one.id for one in gone], "dry_run": dry, "keep": keep}
    return reply(invocation, lines, result, only.id if only else "", desk.tx.ids)


def _clearable(database: Database, row: WorkflowRow, keep: int, age: float, now: str) -> Sequence[Savepoint]:
    """All but the newest, those that are too young, and one that the phase at work or one that failed would need."""
    going = recovering.current(database, row.id)
    needed = {f"pre_{row.phase}", *([f"pre_{going['failed_phase']}"] if going and not going["ended"] else [])}
    old = savepoints.savepoints(database, row.id)[:-keep]
    return [one for one in old if one.name not in needed and recovering.seconds_between(one.at, now) >= age]


def validate_state(invocation: Invocation, app: App) -> Reply:
    """`[ID]`: whether the rows of a workflow, or of all, are what their events fold to."""
    body(invocation).close()
    with looking(app) as desk:
        only = coordination.row_of(desk.tx, invocation.ids[0]) if invocation.ids else None
        rows = [only] if only else workflows(desk.tx.database)
        differ = {row.id: recovery.differences(row, recovery.events_of(desk.tx, row.id)) for row in rows}
    wrong = {name: found for name, found in differ.items() if found}
    lines = [f"{name}: {one}" for name, found in wrong.items() for one in found]
    lines = lines or [f"{len(rows)} workflow{'' if len(rows) == 1 else 's'}: rows and events agree"]
    result = {"valid": not wrong, "checked": len(rows), "differences": wrong}
    steps = ("""stretto workflow-recovery repair-state '{"dry_run": true}'""",) if wrong else ()
    answer = reply(invocation, lines, result, only.id if only else "", (), steps)
    return answer._replace(exit_code=_DAMAGED if wrong else 0)


def repair_state(invocation: Invocation, app: App) -> Reply:
    """`'{"dry_run": true}'`: the rows of all workflows become what their events fold to, as `stretto store repair`."""
    fields = body(invocation)
    dry = fields.flag("dry_run")
    fields.close()
    if invocation.ids:
        raise BadInput("A repair is of the whole store; leave the id out.", field="workflow_id")
    return repaired(app, dry_run=dry)._replace(command=invocation.command, operation=invocation.operation)


def backup_state(invocation: Invocation, app: App) -> Reply:
    """`'{"target": "../store.tar.gz"}'`: a checked copy of the whole store, as `stretto store backup` makes it."""
    fields = body(invocation)
    target = fields.text("target", longest=1000)
    fields.close()
    if invocation.ids:
        raise BadInput("A backup is of the whole store; leave the id out.", field="workflow_id")
    if not target:
        raise BadInput("Where to?", field="target", next_steps=("""… backup-state '{"target": "../store.tar.gz"}'""",))
    done = backup(app.directory, (app.project / Path(target).expanduser()).resolve())
    damage = [one.line() for one in done.report.damage]
    lines = [f"Backed up to {done.path}; {'the copy is damaged, as the store is' if damage else 'checked: sound'}."]
    result = {"path": str(done.path), "bytes": done.size, "damage": damage}
    answer = reply(invocation, [*lines, *damage], result)
    return answer._replace(exit_code=_DAMAGED if damage else 0)
