"""Handing over: what a workflow holds, knows and has drafted passes to the next one, in one transaction.

Allocations and agents change hands without being free in between. The context is what the first has found out: how its
phases ended and what its tasks say; `hash` is the SHA-256 of its canonical JSON, the same before and after. A draft
plan is the fact `draft_plan`: {path, phases, complexity}; whoever drafts one puts it there. The next workflow is made
if there is none of that id; it runs at once, and one that receives a draft plan has its planning done with it.
"""

import hashlib
import json
from typing import Any, NamedTuple

from stretto.graph import coordination
from stretto.graph.coordinated import Coordinated, Needs, Stage
from stretto.state import allocation, pool
from stretto.state.allocation import Allocation
from stretto.state.errors import BadInput, InvalidTransition, NotFound
from stretto.state.machine import FINAL
from stretto.state.queries import fact, workflow_row
from stretto.state.transaction import Transaction

DRAFT = "draft_plan"
"""The fact that a draft plan is."""
CONTEXT = "context"
"""The fact that the context is which a workflow was given."""
_PASSED = ("planning", "research", "implementation", "testing", "documentation")
_UNADMITTED = ("CREATED", "QUEUED")


class Passed(NamedTuple):
    """What was handed over. `made`: the receiving workflow is new."""

    allocations: tuple[Allocation, ...]
    agents: tuple[str, ...]
    context_hash: str
    draft: dict[str, Any] | None
    made: bool


def context_of(tx: Transaction, workflow_id: str) -> dict[str, Any]:
    """What a workflow has found out, and what it was given by those before it."""
    view = coordination.view_of(tx, workflow_id)
    return {
        "workflow_id": workflow_id,
        "phases": {phase.name: phase.state for phase in view.phases.values()},
        "tasks": {
            task.task_id: {"state": task.state, "summary": task.summary, "writes": list(task.writes)}
            for task in view.tasks.values()
        },
        "before": fact(tx.database, workflow_id, CONTEXT),
    }


def hash_of(context: dict[str, Any]) -> str:
    """SHA-256 of a context's canonical JSON."""
    text = json.dumps(context, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def transition(tx: Transaction, source: str, target: str, *, preserve: bool) -> Passed:
    """Hand over everything that `source` holds; with `preserve`, its context and its draft plan too.

    Raises:
        NotFound: It holds nothing.
        InvalidTransition: It waits itself to be admitted, or the receiving workflow is at its end.
        BadInput: Both are the same.
    """
    held = _handed(tx, source, target)
    context = context_of(tx, source) if preserve else None
    digest = hash_of(context) if context is not None else ""
    made = _ready(tx, source, target, held)
    new = {
        one.id: allocation.hand_over(tx, one, target, {"hash": digest, "from": source} if preserve else {})
        for one in held
    }
    agents = _move_agents(tx, source, target, {old: row.id for old, row in new.items()})
    draft = _give_context(tx, source, target, context, digest) if context is not None else None
    _let_run(tx, target, [*new.values()])
    if made:
        _open(tx, target, draft, digest)
    return Passed(tuple(new.values()), agents, digest, draft, made)


def _handed(tx: Transaction, source: str, target: str) -> list[Allocation]:
    if source == target:
        raise BadInput(f"{source!r} cannot hand over to itself. Nothing was written.", field="workflow_id")
    row = workflow_row(tx.database, source)
    if row is not None and row.runner == coordination.RUNNER and row.status in _UNADMITTED:
        raise InvalidTransition(
            f"Workflow {source!r} is {row.status}: it holds nothing yet that it could hand over. Nothing was written.",
            field="status",
        )
    held = allocation.live_allocations(tx.database, source)
    if not any(one.state == "active" for one in held):
        raise NotFound(
            f"{source!r} holds no allocation that it could hand over. Nothing was written.",
            field="workflow_id",
            allowed=sorted({a.workflow_id for a in allocation.live_allocations(tx.database) if a.state == "active"}),
            next_steps=(f"stretto resource-manager allocate {source} --agents=1",),
        )
    return held


# ── the receiving workflow ───────────────────────────────────────────────────────────────────────────────────────────


def _ready(tx: Transaction, source: str, target: str, held: list[Allocation]) -> bool:
    """Make the receiving workflow if there is none; take its own request out of the queue. Whether it was made."""
    row = workflow_row(tx.database, target)
    if row is None:
        _make(tx, source, target, held)
        return True
    if row.status in FINAL:
        raise InvalidTransition(
            f"Workflow {target!r} is {row.status}; it can be handed nothing. Nothing was written.", field="status"
        )
    if row.status in _UNADMITTED and row.runner == coordination.RUNNER:
        for one in allocation.live_allocations(tx.database, target):
            if one.state == "queued":
                allocation.release(tx, one, f"it takes over what {source} holds")
    return False


def _make(tx: Transaction, source: str, target: str, held: list[Allocation]) -> None:
    row = workflow_row(tx.database, source)
    draft = fact(tx.database, source, DRAFT)
    total = allocation.in_use([one for one in held if one.state == "active"])
    asked = Coordinated(
        name=target,
        kind=row.kind if row else "general_development",
        priority=coordination.priority_of(row) if row else "medium",
        phases=(Stage(name="planning" if draft else _phase_of(target)),),
        resources=Needs(agents=round(total.get("agents", 0)), memory=round(total.get("memory", 0))),
        parent=source,
    )
    spec = {"coordination": asked.model_dump(mode="json", exclude_defaults=True)}
    data = {
        "priority": asked.priority,
        "resources": asked.resources.told(),
        "phases": [phase.name for phase in asked.phases],
        "dependencies": [],
        "parent": source,
    }
    tx.create_workflow(
        target, kind=asked.kind, description=asked.name, spec=spec, runner=coordination.RUNNER, data=data
    )


def _phase_of(name: str) -> str:
    """`planning_auth_001` is about planning; where a name says nothing, the phase is `main`."""
    return next((phase for phase in _PASSED if name.startswith(phase)), "main")


def _let_run(tx: Transaction, target: str, held: list[Allocation]) -> None:
    """With what it takes over a workflow need not wait to be admitted."""
    row = workflow_row(tx.database, target)
    if row and row.runner == coordination.RUNNER and row.status in _UNADMITTED:
        first = next(one.id for one in held if one.state == "active")
        data = {"start_time": "immediate", "estimated_completion": "unknown", "allocation_id": first}
        tx.set_status(target, "SCHEDULED", data, phase="ready")


def _open(tx: Transaction, target: str, draft: dict[str, Any] | None, digest: str) -> None:
    """Start a workflow that was made for this; with a draft plan its planning is done."""
    row = coordination.row_of(tx, target)
    name = coordination.start_phase(tx, row, "1")
    if name != "planning":
        return
    data = {"context_preserved": bool(digest), "context_hash": digest}
    tx.event("PLAN_STARTED", target, name, data)
    if draft:
        facts: dict[str, Any] = {key: draft[key] for key in ("phases", "complexity") if key in draft}
        tx.event("PLAN_COMPLETED", target, name, {**facts, "plan_file": draft.get("path", "")})
        coordination.end_phase(
            tx, coordination.row_of(tx, target), name, "completed", {"plan_file": draft.get("path", "")}
        )


# ── what passes ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _move_agents(tx: Transaction, source: str, target: str, new: dict[str, str]) -> tuple[str, ...]:
    mine = [one for one in pool.agents(tx.database) if one.workflow_id == source]
    for one in mine:
        held = new.get(one.allocation_id, "")
        pool.put(tx, one._replace(workflow_id=target, allocation_id=held))
        facts = {"agent_id": one.agent_id, "role": one.role, "allocation_id": held, "from": source}
        tx.event("AGENT_ALLOCATED", target, "coordination", facts)
    return tuple(one.agent_id for one in mine)


def _give_context(
    tx: Transaction, source: str, target: str, context: dict[str, Any], digest: str
) -> dict[str, Any] | None:
    tx.put_fact(target, CONTEXT, {"hash": digest, "content": context})
    draft: dict[str, Any] | None = fact(tx.database, source, DRAFT)
    if draft is not None:
        tx.put_fact(target, DRAFT, draft)
        tx.database.execute("DELETE FROM facts WHERE workflow_id = ? AND name = ?", (source, DRAFT))
    return draft
