"""A workflow that goes on with another one's work: what it inherits, and where it begins.

It inherits the phases that are finished there and have the same name and kind here, as far as all before them are
inherited too. A plan and code lie on the other one's branch, so a workflow that was moved by hand, which has none,
leaves neither.
"""

from typing import Any

from stretto.graph import coordination, points, recovering
from stretto.graph.recovery import events_of
from stretto.graph.spec import Continuation, Limits, PhaseSpec, Spec, order, waits
from stretto.state.errors import BadInput, InvalidTransition
from stretto.state.figures import WorkflowView
from stretto.state.queries import fact
from stretto.state.rows import WorkflowRow
from stretto.state.transaction import Transaction

_GOES_ON = ("RECOVERING", "FAILED", "PAUSED")


def continuation(tx: Transaction, row: WorkflowRow, spec: Spec) -> Spec:
    """The spec of a workflow that goes on with the work of `row`: only what is left to do.

    Raises:
        InvalidTransition: That one neither failed nor stands still, or another one goes on with it.
        BadInput: Nothing is left to do.
    """
    if row.status not in _GOES_ON:
        raise InvalidTransition(
            f"Workflow {row.id!r} is {row.status}; one that is {', '.join(_GOES_ON)} can be gone on with.",
            field="--continue-from",
            allowed=_GOES_ON,
        )
    if (child := fact(tx.database, row.id, recovering.CHILD)) and child != spec.workflow_id:
        raise InvalidTransition(
            f"{child!r} goes on with {row.id!r} already.",
            field="--continue-from",
            next_steps=(f"stretto workflow-status {child}",),
        )
    going = recovering.current(tx.database, row.id)
    keep = going["maintain_partial_progress"] if going else True
    view = coordination.view_of(tx, row.id)
    inherited = _inherited(row, spec, view) if keep else ()
    if len(inherited) == len(spec.phases):
        raise BadInput(f"All phases are finished in {row.id!r}: nothing is left to do.", field="--continue-from")
    plan = _plan(tx, row, inherited)
    left = _left(spec, inherited)
    commit = _commit(tx, row, left) if inherited else ""
    goes_on = Continuation(workflow_id=row.id, commit=commit, inherited=inherited)
    gates = tuple(g for g in spec.gates if g != "plan" or any(p.kind == "plan" for p in left))
    return spec.model_copy(update={"phases": left, "plan_file": plan, "continues": goes_on, "gates": gates})


def _inherited(row: WorkflowRow, spec: Spec, view: WorkflowView) -> tuple[str, ...]:
    driven = row.runner != coordination.RUNNER
    kinds: dict[str, Any] = {p.name: p.kind for p in Spec.model_validate(row.spec).phases} if driven else {}
    done = {p.name for p in view.phases.values() if p.state == "completed"}
    before = waits(spec)
    found: list[str] = []
    for phase in order(spec):
        same = kinds.get(phase.name) == phase.kind if driven else phase.kind not in ("plan", "implement")
        if phase.name in done and same and set(before[phase.name]) <= set(found):
            found.append(phase.name)
    return tuple(found)


def _left(spec: Spec, inherited: tuple[str, ...]) -> tuple[PhaseSpec, ...]:
    """The other phases; what they come after is said in full, since the first of them has lost what was before it."""
    before = waits(spec)
    left = [p for p in spec.phases if p.name not in inherited]
    return tuple(p.model_copy(update={"after": tuple(n for n in before[p.name] if n not in inherited)}) for p in left)


def _plan(tx: Transaction, row: WorkflowRow, inherited: tuple[str, ...]) -> str:
    """The plan that an inherited phase left on the branch."""
    named = str(row.spec.get("plan_file", ""))
    for event in events_of(tx, row.id):
        if event.type == "PHASE_COMPLETED" and event.phase in inherited:
            paths = event.data.get("success_metrics", {}).get("artifacts", ())
            named = next((path for path in paths if path.startswith("specs/plans/")), named)
    return named


def _commit(tx: Transaction, row: WorkflowRow, left: tuple[PhaseSpec, ...]) -> str:
    """The branch as it was before the first phase that is not inherited, or when it stood at its last checkpoint."""
    if row.runner == coordination.RUNNER:
        return ""
    known = points.points(tx.database, row)
    prepared = fact(tx.database, row.id, "alternative")
    wanted = [p for p in known if prepared and p.id == prepared["checkpoint_id"]]
    wanted = wanted or [p for p in known if p.name == f"pre_{left[0].name}"]
    if not wanted or "commit" not in wanted[-1].snapshot:
        raise BadInput(
            f"Where {row.id!r} stood before {left[0].name!r} is not on record, so its work cannot be gone on with.",
            field="--continue-from",
            allowed=[p.name for p in known],
        )
    return str(wanted[-1].snapshot["commit"])


def conservative(limits: Limits) -> Limits:
    """One agent at a time, and half the tries, debug rounds and patience."""
    return limits.model_copy(
        update={
            "agents": 1,
            "attempts": max(limits.attempts // 2, 1),
            "debug_rounds": limits.debug_rounds // 2,
            "patience_seconds": limits.patience_seconds / 2,
        }
    )


def link(tx: Transaction, spec: Spec) -> None:
    """Name the two to each other, and say which phases are not done again."""
    goes_on = spec.continues
    if goes_on is None:
        return
    tx.put_fact(spec.workflow_id, recovering.PARENT, goes_on.model_dump(mode="json"))
    tx.put_fact(goes_on.workflow_id, recovering.CHILD, spec.workflow_id)
    for name in goes_on.inherited:
        why = {"phase_id": name, "skip_reason": f"finished in {goes_on.workflow_id}", "inherited": True}
        tx.event("PHASE_SKIPPED", spec.workflow_id, name, why)
    old = coordination.row_of(tx, goes_on.workflow_id)
    tx.event("WORKFLOW_STATE_UPDATED", old.id, old.phase, {"continued_by": spec.workflow_id})


def take_over(tx: Transaction, workflow_id: str) -> None:
    """The work of the other one is done here: it is ended, and what it held is free."""
    goes_on = fact(tx.database, workflow_id, recovering.PARENT)
    old = coordination.row_of(tx, goes_on["workflow_id"]) if goes_on else None
    if old is None or old.status not in ("RECOVERING", "PAUSED"):
        return
    why = f"its work was done by {workflow_id}"
    if old.runner == coordination.RUNNER:
        coordination.cancel(tx, old, why)
        return
    facts = {"cancellation_reason": why, "cleanup_status": "its branch is kept", "continued_by": workflow_id}
    tx.set_status(old.id, "CANCELLED", facts)
