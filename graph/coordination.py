"""Coordinated workflows: made and moved by commands, phase by phase, whoever does the work.

Every function changes rows and writes the events that tell of it inside the caller's transaction. The status follows
`state.machine`; a phase goes pending → in_progress → completed, failed or skipped, and starts when those before it are
completed or skipped. Where the phases stand is folded from the events.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from stretto.graph import recovering, tracking
from stretto.graph.coordinated import Coordinated, Dependency, Wait
from stretto.graph.spec import Priority
from stretto.state import allocation, pool
from stretto.state.errors import BadInput, InvalidTransition, NotFound, StateConflict
from stretto.state.figures import WorkflowView
from stretto.state.machine import FINAL
from stretto.state.moments import moment
from stretto.state.queries import event_page, fact, workflow_ids, workflow_row
from stretto.state.rows import WorkflowRow
from stretto.state.transaction import Transaction
from stretto.state.units import said_seconds
from stretto.state.view import apply

RUNNER = "coordinated"
"""The runner of a workflow that no driver runs."""
GATES = "gates_open"
"""The fact that names the gates which somebody has opened."""
DONE = frozenset({"completed", "skipped"})
GOING = ("SCHEDULED", "RUNNING", "RECOVERING")
_PAGE = 500


def row_of(tx: Transaction, workflow_id: str) -> WorkflowRow:
    """The row of a workflow; one `workflow_` before its id may be left out or be too much.

    Raises:
        NotFound: There is none; the error names some that there are.
    """
    for name in (workflow_id, workflow_id.removeprefix("workflow_"), f"workflow_{workflow_id}"):
        if row := workflow_row(tx.database, name):
            return row
    known = workflow_ids(tx.database)[-8:]
    raise NotFound(f"There is no workflow {workflow_id!r}.", field="workflow_id", allowed=known)


def coordinated(row: WorkflowRow) -> Coordinated:
    """What was asked for when a workflow was made.

    Raises:
        BadInput: A driver runs it; its phases are not moved by hand.
    """
    if row.runner != RUNNER:
        raise BadInput(
            f"Workflow {row.id!r} is driven by the runner {row.runner!r}; its phases are not moved by hand.",
            field="workflow_id",
            next_steps=(f"stretto workflow-status {row.id}", f"stretto orchestrate --resume {row.id}"),
        )
    return Coordinated.model_validate(row.spec["coordination"])


def view_of(tx: Transaction, workflow_id: str) -> WorkflowView:
    """The view folded from the events so far, those of this transaction included."""
    view = WorkflowView()
    while page := event_page(tx.database, workflow_id, view.seq, _PAGE):
        for event in page:
            apply(view, event)
    return view


def create(tx: Transaction, workflow_id: str, asked: Coordinated, capacity: Mapping[str, float]) -> bool:
    """Make a workflow and put its request in the queue; False, and nothing written, if the same is there already.

    Raises:
        WorkflowExists: Another one of this id is there.
        BadInput: Its dependencies lead back to it, or it asks for more than there ever is.
    """
    _no_circle(tx, workflow_id, asked.dependencies)
    spec = {"coordination": asked.model_dump(mode="json", exclude_defaults=True)}
    data: dict[str, Any] = {
        "priority": asked.priority,
        "resources": asked.resources.told(),
        "phases": [phase.name for phase in asked.phases],
        "dependencies": [d.model_dump(mode="json") for d in asked.dependencies],
    }
    if asked.test:
        data["test"] = True
    made = tx.create_workflow(workflow_id, kind=asked.kind, description=asked.name, spec=spec, runner=RUNNER, data=data)
    if made:
        _validated(tx, workflow_id, asked.dependencies)
        if asked.monitoring.get("performance"):
            tracking.follow(tx, workflow_id, "full")
        role = {"specialization": asked.specialization} if asked.specialization else {}
        slot = {"workflows": 0} if asked.test else {}  # a test keeps nobody waiting
        allocation.ask(tx, workflow_id, asked.priority, {**asked.resources.wanted(), **slot, **role}, capacity)
    return made


def _validated(tx: Transaction, workflow_id: str, dependencies: Sequence[Dependency]) -> None:
    """Say what it waits for, and what is recorded only; that it leads into no circle was found out before."""
    waits = [d.name for d in dependencies if d.kind != "external" or workflow_row(tx.database, d.name)]
    external = [d.name for d in dependencies if d.name not in waits]
    if dependencies:
        facts = {"dependencies": len(dependencies), "waits_for": waits, "external": external, "circle": False}
        tx.event("DEPENDENCIES_VALIDATED", workflow_id, "setup", facts)


def _no_circle(tx: Transaction, workflow_id: str, dependencies: Iterable[Dependency]) -> None:
    """Names that are no workflow yet may become one: they are looked at as well."""
    trail: list[tuple[str, tuple[str, ...]]] = [(d.name, (workflow_id,)) for d in dependencies]
    while trail:
        name, way = trail.pop()
        if name == workflow_id:
            raise BadInput(
                f"Workflow {workflow_id!r} would wait for itself: {' → '.join((*way, name))}. Nothing was written.",
                field="dependencies",
            )
        if name not in way and (row := workflow_row(tx.database, name)) and row.runner == RUNNER:
            trail += [(d.name, (*way, name)) for d in coordinated(row).dependencies]


def waits_for(tx: Transaction, row: WorkflowRow) -> tuple[Wait, ...]:
    """How each dependency of a workflow stands. A name that is a workflow by now is waited for as one."""
    found: list[Wait] = []
    for one in coordinated(row).dependencies:
        other = workflow_row(tx.database, one.name)
        if other is not None:
            found.append(Wait(one.name, "workflow", other.status, other.status in ("COMPLETED", "ARCHIVED")))
        elif one.kind == "external":
            found.append(Wait(one.name, "external", "not checked", satisfied=True))
        else:
            open_ = one.name in gates_open(tx, row.id)
            found.append(Wait(one.name, one.kind, "open" if open_ else "closed", open_))
    return tuple(found)


def gates_open(tx: Transaction, workflow_id: str) -> set[str]:
    """The gates of a workflow that somebody has opened."""
    return set(fact(tx.database, workflow_id, GATES) or ())


# ── phases ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def phase_named(row: WorkflowRow, asked: str) -> str:
    """The phase of this name, or of this number counted from 1.

    Raises:
        NotFound: There is none.
    """
    names = [phase.name for phase in coordinated(row).phases]
    if asked in names:
        return asked
    if asked.isdecimal() and 1 <= int(asked) <= len(names):
        return names[int(asked) - 1]
    raise PhaseNotFound(
        f"Workflow {row.id!r} has no phase {asked!r}.",
        field="phase",
        allowed=[f"{i}: {name}" for i, name in enumerate(names, 1)],
    )


class PhaseNotFound(NotFound):
    """A workflow has no phase of this name or number."""

    code = "PHASE_NOT_FOUND"


def ready_phases(row: WorkflowRow, view: WorkflowView) -> tuple[str, ...]:
    """The phases that may start now."""
    after = coordinated(row).order()
    state = {name: view.phases[name].state if name in view.phases else "pending" for name in after}
    return tuple(n for n in after if state[n] in ("pending", "failed") and all(state[w] in DONE for w in after[n]))


def start_phase(tx: Transaction, row: WorkflowRow, asked: str) -> str:
    """Start a phase and write PHASE_STARTED; a SCHEDULED workflow starts with it. Returns the phase's name.

    Raises:
        NotFound: There is no such phase.
        InvalidTransition: The workflow is not running, the phase is not ready, or it has begun.
    """
    name = startable(tx, row, asked)
    if row.status != "RUNNING":
        tx.set_status(row.id, "RUNNING", {"start_time": tx.now} if row.status == "SCHEDULED" else {"phase": name})
    held = [a for a in allocation.live_allocations(tx.database, row.id) if a.state == "active"]
    most = sum(a.granted.get("agents", 0) for a in held)
    said = next(p.agents for p in coordinated(row).phases if p.name == name)
    tx.set_phase(row.id, name, {"resource_allocation": [a.id for a in held], "agents": min(said or most, most)})
    tracking.record(tx, row.id, name, view_of(tx, row.id), _now(tx))
    return name


def startable(tx: Transaction, row: WorkflowRow, asked: str) -> str:
    """The name of a phase that may start now.

    Raises:
        NotFound: There is no such phase.
        InvalidTransition: The workflow is not running, the phase is not ready, or it has begun.
    """
    name = phase_named(row, asked)
    view = view_of(tx, row.id)
    if row.status not in GOING:
        raise InvalidTransition(
            f"Workflow {row.id!r} is {row.status}; a phase can start in one that is {' or '.join(GOING)}.",
            field="status",
            allowed=GOING,
        )
    if name not in (can := ready_phases(row, view)):
        before = [w for w in coordinated(row).order()[name] if w not in view.phases or view.phases[w].state not in DONE]
        why = f"waits for {', '.join(before)}" if before else f"is {view.phases[name].state}"
        raise InvalidTransition(f"Phase {name!r} of {row.id!r} {why}; it was not started.", field="phase", allowed=can)
    return name


def end_phase(
    tx: Transaction, row: WorkflowRow, name: str, outcome: str = "completed", facts: Mapping[str, Any] | None = None
) -> None:
    """End a phase that is in progress: PHASE_COMPLETED, PHASE_FAILED or PHASE_SKIPPED.

    Raises:
        InvalidTransition: It is not in progress (a pending one may be skipped).
    """
    view = view_of(tx, row.id)
    state = view.phases[name].state if name in view.phases else "pending"
    if state != "in_progress" and not (outcome == "skipped" and state in ("pending", "failed")):
        raise InvalidTransition(f"Phase {name!r} of {row.id!r} is {state}; it cannot become {outcome}.", field="phase")
    kind = {"completed": "PHASE_COMPLETED", "failed": "PHASE_FAILED", "skipped": "PHASE_SKIPPED"}[outcome]
    severity = "error" if outcome == "failed" else "info"
    took = {"duration": said_seconds(view.phases[name].seconds(_now(tx)))} if state == "in_progress" else {}
    tx.event(kind, row.id, name, {"phase_id": name, **took, **(facts or {})}, severity=severity)
    view = view_of(tx, row.id)
    tracking.record(tx, row.id, name, view, _now(tx))
    recovering.settle(tx, view)


def _now(tx: Transaction) -> float:
    """When the transaction writes, in seconds since the epoch."""
    return moment(tx.now)


def unfinished(row: WorkflowRow, view: WorkflowView) -> tuple[str, ...]:
    """The phases that are neither completed nor skipped."""
    names = [phase.name for phase in coordinated(row).phases]
    return tuple(n for n in names if n not in view.phases or view.phases[n].state not in DONE)


def complete(tx: Transaction, row: WorkflowRow, facts: Mapping[str, Any] | None = None) -> None:
    """RUNNING → COMPLETED when every phase is done; what it held is free. Admission is the caller's next step.

    Raises:
        InvalidTransition: A phase is open, or there is no such arrow.
    """
    view = view_of(tx, row.id)
    if left := unfinished(row, view):
        raise InvalidTransition(
            f"Workflow {row.id!r} cannot be completed: {', '.join(left)} not done.", field="phases", allowed=left
        )
    took = {"total_duration": said_seconds(view.seconds(_now(tx)))}
    tx.set_status(row.id, "COMPLETED", {"success": True, **took, **(facts or {})}, phase="finalization")
    tracking.record(tx, row.id, row.phase, view, _now(tx))
    let_go(tx, row.id, "completed")


def pause_or_resume(tx: Transaction, row: WorkflowRow, status: str, data: Mapping[str, Any]) -> None:
    """RUNNING → PAUSED, or back from there or from RECOVERING; it keeps what it holds.

    Raises:
        BadInput: A driver runs it.
        InvalidTransition: There is no such arrow.
    """
    coordinated(row)
    if status == "RUNNING" and row.status == "SCHEDULED":  # that arrow is a start, and begins with a phase
        raise InvalidTransition(
            f"Workflow {row.id!r} has not begun, so it is not resumed.",
            field="status",
            allowed=("PAUSED", "RECOVERING", "FAILED"),
            next_steps=(f"stretto coordination-hub start {row.id}",),
        )
    tx.set_status(row.id, status, data)
    tracking.record(tx, row.id, row.phase, view_of(tx, row.id), _now(tx))


def let_go(tx: Transaction, workflow_id: str, reason: str) -> None:
    """Give back all that a workflow holds or waits for."""
    mine = [one for one in pool.agents(tx.database) if one.workflow_id == workflow_id]
    pool.let_go(tx, mine, reason)
    for one in allocation.live_allocations(tx.database, workflow_id):
        allocation.release(tx, one, reason)


def cancel(tx: Transaction, row: WorkflowRow, reason: str) -> None:
    """End a workflow for good and give back what it held. Admission is the caller's next step."""
    let_go(tx, row.id, "cancelled")
    tx.set_status(row.id, "CANCELLED", {"cancellation_reason": reason, "cleanup_status": "resources released"})
    recovering.settle(tx, view_of(tx, row.id))


def open_gate(tx: Transaction, row: WorkflowRow, gate: str) -> bool:
    """Let a workflow pass a gate that it waits at; False if it was open. Admission is the caller's next step.

    Raises:
        NotFound: It has no such gate.
    """
    gates = [d.name for d in coordinated(row).dependencies if d.kind == "gate"]
    if gate not in gates:
        raise NotFound(f"Workflow {row.id!r} has no gate {gate!r}.", field="gate", allowed=gates)
    if gate in (known := gates_open(tx, row.id)):
        return False
    tx.put_fact(row.id, GATES, sorted({*known, gate}))
    tx.event("WORKFLOW_STATE_UPDATED", row.id, row.phase, {"gate_opened": gate})
    return True


def set_priority(tx: Transaction, row: WorkflowRow, priority: str, reason: str) -> bool:
    """Give a workflow another priority; False if it has it. Admission is the caller's next step.

    Raises:
        InvalidTransition: It has ended.
    """
    if row.status in FINAL:
        raise InvalidTransition(f"Workflow {row.id!r} is {row.status}; its priority is past.", field="status")
    before = priority_of(row)
    if before == priority:
        return False
    if row.runner == RUNNER:
        new = coordinated(row).model_copy(update={"priority": priority})
        tx.respecify(row.id, {"coordination": new.model_dump(mode="json", exclude_defaults=True)})
    else:
        tx.respecify(row.id, {**row.spec, "priority": priority})
    for one in allocation.live_allocations(tx.database, row.id):
        allocation.put(tx, one._replace(priority=priority))
    data = {"priority": priority, "before": before, **({"reason": reason} if reason else {})}
    tx.event("WORKFLOW_STATE_UPDATED", row.id, row.phase, data)
    return True


def priority_of(row: WorkflowRow) -> Priority:
    """The priority of a workflow, whoever moves it."""
    return coordinated(row).priority if row.runner == RUNNER else cast("Priority", row.spec.get("priority", "medium"))


# ── agents ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def assign(tx: Transaction, row: WorkflowRow, wanted: Sequence[tuple[str, str]], size: int) -> list[pool.Agent]:
    """Give named agents, each with a role, to a workflow, within what it holds; write AGENT_ALLOCATED for each.

    Raises:
        NotFound: There is no such agent.
        StateConflict: One works elsewhere or has failed, or the workflow holds fewer agents.
    """
    known = {one.agent_id: one for one in pool.fill(tx, size)}
    for name, _ in wanted:
        if name not in known:
            raise NotFound(f"There is no agent {name!r} in the pool.", field="agent_id", allowed=sorted(known))
    held = [a for a in allocation.live_allocations(tx.database, row.id) if a.state == "active"]
    most = round(sum(a.granted.get("agents", 0) for a in held))
    mine = {one.agent_id for one in known.values() if one.workflow_id == row.id} | {name for name, _ in wanted}
    if len(mine) > most:
        raise StateConflict(
            f"Workflow {row.id!r} holds {most} agents and cannot be given {len(mine)}. Nothing was written.",
            next_steps=(f"stretto resource-manager allocate {row.id} --agents={len(mine) - most}",),
        )
    return [pool.assign(tx, known[name], row.id, role, held[0].id, row.phase) for name, role in wanted]
