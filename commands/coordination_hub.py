"""/coordination-hub: workflows that commands make and move, phase by phase."""

from contextlib import suppress
from typing import Any

from stretto.commands import hub_savepoints, hub_tuning, operations
from stretto.commands.app import App
from stretto.commands.coordinating import created, looking, reading, settle, workflow_named, writing
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.graph import coordination, recovery, savepoints, tracking
from stretto.state.errors import BadInput, NotFound
from stretto.state.figures import WorkflowView
from stretto.state.log import Log
from stretto.state.machine import FINAL
from stretto.state.rows import WorkflowRow
from stretto.state.show import as_dict, brief
from stretto.state.units import said_seconds
from stretto.state.view import fold

_CREATE = frozenset({"priority", "strict"})
FLAGS = {"create": _CREATE, "create-workflow": _CREATE, "list-workflows": frozenset({"active"})}
"""Flags of the operations that have some."""
SUPPORTED = frozenset[str]().union(*FLAGS.values())


def handle(invocation: Invocation, app: App) -> Reply:
    """Hand the operation to its function.

    Raises:
        BadInput: This version does not have it, or a flag does nothing there.
    """
    return operations.run(invocation, app, OPERATIONS, FLAGS)


def create(invocation: Invocation, app: App) -> Reply:
    """`create-workflow '{…}'`, `create ID '{…}'`, `ID create '{…}'`, `create-workflow ID --priority=high`."""
    name, asked = created(invocation)
    if not invocation.json and (found := _driven(app, name)):
        return _attached(invocation, app, found, asked.priority)
    with writing(app) as desk:
        made = coordination.create(desk.tx, name, asked, desk.capacity)
    wrote = (*desk.tx.ids, *settle(app))
    external = [d.name for d in asked.dependencies if d.kind == "external"]
    warnings = _warnings(external)
    text = f"{name}: {'created' if made else 'is there already, unchanged'}."
    with reading(app) as log:
        view = fold(log.events(name))
        status = view.status
        lines = [text, *_how(view), *warnings]
    result = {"created": made, "status": status, "warnings": warnings, **_told(view)}
    look = f"stretto workflow-status {name} --detailed"
    steps = (f"stretto coordination-hub start-phase {name} 1", look) if status == "SCHEDULED" else (look,)
    text = "\n".join(lines)
    return Reply("coordination-hub", text, result, invocation.operation, name, wrote, steps)


def _driven(app: App, name: str) -> WorkflowRow | None:
    """The workflow of this id if a driver runs it and it has not ended: then it is there already, and more of it."""
    with suppress(NotFound), reading(app) as log:
        row = log.workflow(name)
        return row if row and row.runner != coordination.RUNNER and row.status not in FINAL else None
    return None


def _attached(invocation: Invocation, app: App, row: WorkflowRow, priority: str) -> Reply:
    """A creation of what another command has begun: it is that workflow, and takes the priority that is given."""
    given = "priority" in invocation.flags
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, row.id)
        before = coordination.priority_of(row)
        changed = given and coordination.set_priority(desk.tx, row, priority, "")
    text = f"{row.id} is there already: {row.runner} drives it ({row.status}), and it goes on as it is."
    if given:
        text += f"\n  priority {before} → {priority}" if changed else f"\n  priority {priority}, as before"
    now = priority if changed else before
    result = {"created": False, "attached": True, "status": row.status, "priority": now}
    steps = (f"stretto workflow-status {row.id} --detailed",)
    return Reply("coordination-hub", text, result, invocation.operation, row.id, tuple(desk.tx.ids), steps)


def _warnings(external: list[str]) -> list[str]:
    if not external:
        return []
    return [
        f"{', '.join(external)}: no workflow of this store, so recorded as external and not waited for. To wait, create"
        " with --strict, which makes them gates, and open each: stretto coordination-hub open-gate ID NAME"
    ]


def _how(view: WorkflowView) -> list[str]:
    """What admission said of it."""
    told = [e for e in view.last if e.type in ("WORKFLOW_SCHEDULED", "WORKFLOW_QUEUED")]
    if not told:
        return ["Admission comes at the end of this moment."]
    data = told[-1].data
    if told[-1].type == "WORKFLOW_SCHEDULED":
        return [f"scheduled: its resources are held; it may take until {data.get('estimated_completion')} from now"]
    return [f"queued at {data.get('queue_position')}: {data.get('reason')}; start in {data.get('estimated_start')}"]


def _told(view: WorkflowView) -> dict[str, Any]:
    told = [e for e in view.last if e.type in ("WORKFLOW_SCHEDULED", "WORKFLOW_QUEUED")]
    return {"admission": {"event": told[-1].type, **told[-1].data}} if told else {"admission": None}


def start(invocation: Invocation, app: App) -> Reply:
    """Start the workflow, and the first phase that is ready."""
    with looking(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        ready = coordination.ready_phases(row, coordination.view_of(desk.tx, row.id))
    return _start(invocation, app, ready[0] if ready else "1")


def start_phase(invocation: Invocation, app: App) -> Reply:
    """Start one phase, by its number or its name."""
    return _start(invocation, app, invocation.words[0].text)


def _start(invocation: Invocation, app: App, asked: str) -> Reply:
    """Files are kept before the transaction: git may take longer than others should wait for the log."""
    with looking(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        coordination.startable(desk.tx, row, asked)
    kept = hub_savepoints.keep_files(app, row) if hub_savepoints.wanted(row) else None
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, row.id)
        name = coordination.startable(desk.tx, row, asked)
        if kept:
            savepoints.make(desk.tx, row, f"pre_{name}", "phase_boundary", kept)
        coordination.start_phase(desk.tx, row, name)
        desk.admit()
    return _moved(invocation, app, desk.tx.ids, row.id, f"{row.id}: phase {name} has begun.")


def end_phase(invocation: Invocation, app: App) -> Reply:
    """`complete-phase`, `fail-phase` and `skip-phase`."""
    outcome = {"complete": "completed", "fail": "failed", "skip": "skipped"}[invocation.operation.partition("-")[0]]
    reason = _reason(invocation, outcome)
    kept = hub_savepoints.if_due(app, workflow_named(invocation))
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        name = coordination.phase_named(row, invocation.words[0].text)
        coordination.end_phase(desk.tx, row, name, outcome, reason)
        if outcome == "failed" and tracking.analyses(desk.tx.database):
            recovery.noticed(desk.tx, row)
        desk.admit()
    return _moved(invocation, app, [*kept, *desk.tx.ids], row.id, f"{row.id}: phase {name} is {outcome}.")


def _reason(invocation: Invocation, outcome: str) -> dict[str, Any]:
    fields = Fields(invocation.json[0] if invocation.json else {})
    reason = fields.text("reason")
    fields.close()
    key = {"completed": "note", "failed": "failure_reason", "skipped": "skip_reason"}[outcome]
    if not reason and outcome != "completed":
        raise BadInput(f"Why is it {outcome}?", field="reason", next_steps=("""… '{"reason": "…"}'""",))
    return {key: reason} if reason else {}


def complete(invocation: Invocation, app: App) -> Reply:
    """Complete a workflow whose phases are done; what it held goes to those that wait."""
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        coordination.complete(desk.tx, row)
        desk.admit()
    return _moved(invocation, app, desk.tx.ids, row.id, f"{row.id}: completed, and what it held is free.")


def pause(invocation: Invocation, app: App) -> Reply:
    """RUNNING → PAUSED; it keeps what it holds."""
    fields = Fields(invocation.json[0] if invocation.json else {})
    reason = fields.text("reason") or "asked for"
    fields.close()
    return _set(invocation, app, "PAUSED", {"pause_reason": reason}, "paused; it keeps what it holds")


def resume(invocation: Invocation, app: App) -> Reply:
    """PAUSED or RECOVERING → RUNNING."""
    return _set(invocation, app, "RUNNING", {}, "running again")


def _set(invocation: Invocation, app: App, status: str, data: dict[str, Any], said: str) -> Reply:
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        coordination.pause_or_resume(desk.tx, row, status, data)
    return _moved(invocation, app, desk.tx.ids, row.id, f"{row.id}: {said}.")


def cancel(invocation: Invocation, app: App) -> Reply:
    """End it for good; what it held goes to those that wait."""
    fields = Fields(invocation.json[0] if invocation.json else {})
    reason = fields.text("reason") or "asked for"
    fields.close()
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        coordination.coordinated(row)
        coordination.cancel(desk.tx, row, reason)
        desk.admit()
    return _moved(invocation, app, desk.tx.ids, row.id, f"{row.id}: cancelled, and what it held is free.")


def open_gate(invocation: Invocation, app: App) -> Reply:
    """Let it pass a gate that it waits at."""
    gate = invocation.words[0].text
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        opened = coordination.open_gate(desk.tx, row, gate)
        desk.admit()
    return _moved(invocation, app, desk.tx.ids, row.id, f"{row.id}: {gate} {'is open' if opened else 'was open'}.")


def get_status(invocation: Invocation, app: App) -> Reply:
    """What the log knows of one workflow."""
    with reading(app) as log:
        row = _row(log, workflow_named(invocation))
        view = fold(log.events(row.id))
        now = app.clock()
        result = {**as_dict(view, now), "state_version": row.state_version}
        steps = (f"stretto workflow-status {row.id} --detailed",)
        return Reply("coordination-hub", brief(view, now), result, invocation.operation, row.id, next_steps=steps)


def _row(log: Log, name: str) -> WorkflowRow:
    from stretto.state.errors import NotFound

    if row := log.workflow(name) or log.workflow(name.removeprefix("workflow_")):
        return row
    known = [w.id for w in log.newest_workflows(8)]
    raise NotFound(f"There is no workflow {name!r}.", field="workflow_id", allowed=known)


def list_all(invocation: Invocation, app: App) -> Reply:
    """A line for each workflow; with `--active` those that have not ended."""
    from stretto.state.machine import ACTIVE

    statuses = ACTIVE if "active" in invocation.flags else ()
    if (log := Log.find(app.state)) is None:
        steps = ("stretto coordination-hub create ID",)
        return Reply(
            "coordination-hub",
            "No workflow has run here yet.",
            {"workflows": []},
            invocation.operation,
            next_steps=steps,
        )
    with log:
        rows = [*reversed(log.newest_workflows(1000, statuses))]
    lines = [f"{row.id}  {row.status}  {row.description}" for row in rows] or ["no workflow"]
    found = [{"workflow_id": r.id, "status": r.status, "state_version": r.state_version} for r in rows]
    return Reply("coordination-hub", "\n".join(lines), {"workflows": found}, invocation.operation)


def _moved(invocation: Invocation, app: App, wrote: list[str], name: str, text: str) -> Reply:
    with reading(app) as log:
        view = fold(log.events(name))
    phases = {phase.name: phase.state for phase in view.phases.values()}
    elapsed = said_seconds(view.elapsed(app.clock()))
    result = {"status": view.status, "phases": phases, "elapsed": elapsed}
    steps = _next(name, view)
    return Reply("coordination-hub", text, result, invocation.operation, name, tuple(wrote), steps)


def _next(name: str, view: WorkflowView) -> tuple[str, ...]:
    for phase in view.phases.values():
        if phase.state == "in_progress":
            return (f"stretto coordination-hub complete-phase {name} {phase.name}",)
    failed = [phase.name for phase in view.phases.values() if phase.state == "failed"]
    if failed and view.status == "RUNNING":
        again = f"stretto coordination-hub start-phase {name} {failed[0]}"
        return (f"stretto workflow-recovery analyze-failure {name}", again)
    if view.status == "RUNNING" and all(p.state in coordination.DONE for p in view.phases.values()):
        return (f"stretto coordination-hub complete {name}",)
    return (f"stretto workflow-status {name} --detailed",)


OPERATIONS: operations.Operations = {
    "create": create,
    "create-workflow": create,
    "start": start,
    "start-phase": start_phase,
    "complete-phase": end_phase,
    "fail-phase": end_phase,
    "skip-phase": end_phase,
    "complete": complete,
    "cancel": cancel,
    "open-gate": open_gate,
    "assign-agents": "hub_agents:assign_agents",
    "redistribute-tasks": "hub_agents:redistribute",
    "monitor-pool": "hub_agents:monitor_pool",
    "publish-event": "hub_events:publish_event",
    "get-events": "hub_events:get_events",
    "subscribe-event": "hub_events:subscribe_event",
    "cleanup": "hub_cleanup:cleanup",
    "checkpoint": hub_savepoints.checkpoint,
    "restore": hub_savepoints.restore,
    "rollback": hub_savepoints.restore,
    "configure-performance": hub_tuning.configure_performance,
    "adaptive-checkpoints": hub_tuning.adaptive_checkpoints,
    "enable-caching": "hub_caching:enable_caching",
    "pause": pause,
    "resume": resume,
    "save-state": "hub_shared:save_state",
    "load-state": "hub_shared:load_state",
    "get-status": get_status,
    "list-workflows": list_all,
    "recovery-mode": "hub_recovery:recovery_mode",
    "create-test-workflow": "recovery_tests:create_test_workflow",
    "validate-recovery": "recovery_tests:validate_recovery",
}
