"""/workflow-recovery: what failed and why, what it blocks, what to do, and the checkpoints to go back to."""

from typing import Any

from stretto.commands import operations
from stretto.commands.app import App
from stretto.commands.coordinating import looking, writing
from stretto.commands.invocation import Invocation
from stretto.commands.recovery_words import body, cause_lines, found, impact_lines, rate, reply
from stretto.commands.reply import Reply
from stretto.graph import coordination, recovery
from stretto.graph.recovery import Analysis

SUPPORTED: frozenset[str] = frozenset()


def handle(invocation: Invocation, app: App) -> Reply:
    """Hand the operation to its function.

    Raises:
        BadInput: This version does not have it, or a flag does nothing there.
    """
    return operations.run(invocation, app, OPERATIONS)


def analyze_failure(invocation: Invocation, app: App) -> Reply:
    """`ID '{"error_context": …, "failure_impact": …, "recovery_priority": …}'`: cause, impact, strategy; kept."""
    fields = body(invocation)
    context = fields.text("error_context")
    said = fields.choice("failure_impact", recovery.IMPACTS)
    priority = fields.choice("recovery_priority", recovery.PRIORITIES, "maintain_progress")
    fields.close()
    row, died = found(invocation, app)
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, row.id)
        one = recovery.look(desk.tx, row, driver_gone=died)
        was = bool(one.made)
        one = recovery.note(desk.tx, one, automatic=False)
    chosen = recovery.strategy(one.severity, recoverable=one.recoverable)
    result: dict[str, Any] = {
        **one.told(),
        "already_made": was,
        "error_context": context or None,
        "said_impact": said or None,
        "agrees": None if not said else said == one.impact.said,
        "recovery_priority": priority,
        "strategy": chosen,
    }
    lines = [*cause_lines(one), *impact_lines(one)]
    if was:
        lines.append(f"  looked into {'by itself ' if one.automatic else ''}at {one.made}")
    if said and said != one.impact.said:
        lines.append(f"  you said {said}; by what waits for it, it is {one.impact.said}")
    return reply(invocation, [*lines, f"  strategy: {chosen}"], result, row.id, desk.tx.ids, _steps(one, priority))


def root_cause(invocation: Invocation, app: App) -> Reply:
    """The cause alone, with the events of the incident in their order."""
    body(invocation).close()
    row, died = found(invocation, app)
    with looking(app) as desk:
        one = recovery.look(desk.tx, row, driver_gone=died)
        told = {e.event_id: e for e in recovery.events_of(desk.tx, row.id)}
    chain = [told[name] for name in one.events if name in told]
    lines = [*cause_lines(one), *(f"  {e.timestamp}  {e.type}  {e.phase}  {e.event_id}" for e in chain)]
    result = {
        "analysis_id": one.id,
        "cause": one.cause._asdict(),
        "phase": one.phase,
        "chain": [{"event_id": e.event_id, "type": e.type, "phase": e.phase, "at": e.timestamp} for e in chain],
    }
    return reply(invocation, lines, result, row.id, (), (f"stretto workflow-recovery recovery-plan {row.id}",))


def impact_assessment(invocation: Invocation, app: App) -> Reply:
    """What waits, directly or not, for what failed."""
    body(invocation).close()
    row, died = found(invocation, app)
    with looking(app) as desk:
        one = recovery.look(desk.tx, row, driver_gone=died)
    result = {"analysis_id": one.id, "phase": one.phase, "severity": one.severity, **one.told()["impact"]}
    lines = [cause_lines(one)[0], *impact_lines(one)]
    return reply(invocation, lines, result, row.id, (), (f"stretto workflow-recovery recovery-plan {row.id}",))


def recovery_plan(invocation: Invocation, app: App) -> Reply:
    """The strategy by severity and recoverability, how it went before, and the commands that carry it out."""
    fields = body(invocation)
    priority = fields.choice("recovery_priority", recovery.PRIORITIES, "maintain_progress")
    fields.close()
    row, died = found(invocation, app)
    with looking(app) as desk:
        one = recovery.look(desk.tx, row, driver_gone=died)
        rates = recovery.rates(desk.tx)
    chosen = recovery.strategy(one.severity, recoverable=one.recoverable)
    known = rates.get(chosen)
    tried = sorted(rates.values(), key=lambda r: (-(r.share or 0.0), -r.n, r.strategy))
    result = {
        "analysis_id": one.id,
        "severity": one.severity,
        "recoverable": one.recoverable,
        "strategy": chosen,
        "success": {"n": known.n if known else 0, "share": known.share if known else None},
        "observed": [{"strategy": r.strategy, "n": r.n, "completed": r.completed, "share": r.share} for r in tried],
        "steps": list(_steps(one, priority)),
    }
    lines = [
        cause_lines(one)[0],
        f"  {one.severity}, {'recoverable' if one.recoverable else 'not recoverable by itself'}: {chosen}"
        f" ({rate(known)})",
        *(f"  before: {r.strategy}, {rate(r)}" for r in tried if r.strategy != chosen),
        *(f"  {i}. {step}" for i, step in enumerate(_steps(one, priority), 1)),
    ]
    return reply(invocation, lines, result, row.id, (), _steps(one, priority)[:2])


def _steps(one: Analysis, priority: str) -> tuple[str, ...]:
    """What to do, in the order that the priority asks for."""
    name, phase = one.workflow_id, one.phase
    if one.over:
        return (f"stretto workflow-status {name} --recovery-report --lessons-learned",)
    if one.cause.kind == "driver_died":
        return (f"stretto orchestrate --resume {name}",)
    chosen = recovery.strategy(one.severity, recoverable=one.recoverable)
    begin = f'stretto coordination-hub {name} recovery-mode \'{{"recovery_strategy": "{chosen}"}}\''
    asked = f'{{"checkpoint_id": "pre_{phase}", "prepare_alternative": true}}'
    back = f"stretto coordination-hub {name} restore '{asked}'"
    checked = f"stretto workflow-recovery validate-state {name}"
    other = f'stretto orchestrate "…" --continue-from={name} --strategy=conservative --recovery-mode'
    return {
        "maintain_progress": (begin, back, other),
        "speed": (begin, f"stretto coordination-hub start-phase {name} {phase}"),
        "data_integrity": (checked, begin, back, other),
    }[priority]


_HERE = "recovery_checkpoints"
OPERATIONS: operations.Operations = {
    "analyze-failure": analyze_failure,
    "root-cause": root_cause,
    "impact-assessment": impact_assessment,
    "recovery-plan": recovery_plan,
    "list-checkpoints": f"{_HERE}:list_checkpoints",
    "validate-checkpoint": f"{_HERE}:validate_checkpoint",
    "create-checkpoint": f"{_HERE}:create_checkpoint",
    "cleanup-checkpoints": f"{_HERE}:cleanup",
    "restore": f"{_HERE}:restore",
    "rollback": f"{_HERE}:restore",
    "partial-restore": "recovery_partial:partial_restore",
    "emergency-restore": "recovery_partial:emergency_restore",
    "repair-state": f"{_HERE}:repair_state",
    "validate-state": f"{_HERE}:validate_state",
    "backup-state": f"{_HERE}:backup_state",
    "test-scenarios": "recovery_tests:test_scenarios",
}
