"""Failures looked into: cause, impact, strategy; and recoveries begun.

An analysis is kept as a fact of the workflow, so that a failure that was looked into by itself and the same failure
asked about later are one.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from stretto.graph import coordination, dependencies, dependency_sources, failures
from stretto.graph.dependencies import Graph
from stretto.graph.failures import Cause, CauseKind, Incident, Severity
from stretto.graph.recovering import RECOVERY, current
from stretto.graph.spec import Spec
from stretto.state.care_fold import Story, Told
from stretto.state.errors import BadInput, InvalidTransition
from stretto.state.machine import FINAL
from stretto.state.queries import event_page, fact, workflows
from stretto.state.rows import WorkflowRow
from stretto.state.transaction import Transaction
from stretto.state.wire import Event

ANALYSES: Final = "failure_analyses"
"""The fact that holds the analyses of a workflow, oldest first."""
STRATEGIES: Final = (
    "checkpoint_restore",
    "full_restore_from_checkpoint",
    "emergency_partial_recovery",
    "targeted_recovery_with_rollback",
    "selective_state_repair",
    "progressive_recovery",
    "retry_operation",
    "agent_reallocation",
    "isolate_and_recover",
    "alternative_approach",
    "graceful_degradation",
    "restart_from_last_successful_phase",
    "manual_intervention",
    "abort_workflow",
)
PRIORITIES: Final = ("maintain_progress", "speed", "data_integrity")
IMPACTS: Final = ("workflow_blocked", "phase_blocked", "degraded", "none")
_UNRECOVERABLE: Final[frozenset[CauseKind]] = frozenset({"unknown", "state_damaged"})
_PAGE = 500


class Impact(NamedTuple):
    """What a failure keeps from going on: tasks and phases of the workflow, and other workflows; and what is done.

    `known` is False where the failed phase is none of the workflow's graph, so that nothing can be said.
    """

    tasks: tuple[str, ...]
    phases: tuple[str, ...]
    workflows: tuple[str, ...]
    finished: tuple[str, ...]
    known: bool

    @property
    def said(self) -> str:
        """In one of `IMPACTS`."""
        return "workflow_blocked" if self.phases or self.workflows else "phase_blocked"


class Analysis(NamedTuple):
    """One failure. `made` is when it was first looked into, empty if that is now; `over` tells that it has passed."""

    id: str
    workflow_id: str
    phase: str
    cause: Cause
    severity: Severity
    recoverable: bool
    impact: Impact
    events: tuple[str, ...]
    since: str
    over: bool
    made: str
    automatic: bool

    def told(self) -> dict[str, Any]:
        """For programs."""
        return {
            **self._asdict(),
            "analysis_id": self.id,
            "cause": self.cause._asdict(),
            "impact": {**self.impact._asdict(), "is": self.impact.said},
        }


class Rate(NamedTuple):
    """How often a strategy led to a completed recovery: counted, and None where it was never tried."""

    strategy: str
    n: int
    completed: int

    @property
    def share(self) -> float | None:
        """Completed ÷ ended."""
        return self.completed / self.n if self.n else None


def events_of(tx: Transaction, workflow_id: str) -> list[Event]:
    """All events of a workflow."""
    return [*_pages(tx, workflow_id)]


def all_events(tx: Transaction) -> Iterator[Event]:
    """The events of all workflows, oldest first. A page of them is in memory at a time."""
    return _pages(tx, None)


def _pages(tx: Transaction, workflow_id: str | None) -> Iterator[Event]:
    last = 0
    while page := event_page(tx.database, workflow_id, last, _PAGE):
        yield from page
        last = page[-1].seq


# ── analysis ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def look(tx: Transaction, row: WorkflowRow, *, driver_gone: bool = False) -> Analysis:
    """Look into the newest failure of a workflow, without a change to anything.

    Raises:
        BadInput: Nothing has failed, as far as is on record.
    """
    events = events_of(tx, row.id)
    if (damage := differences(row, events)) and events:
        return _of(tx, row, Incident(row.id, row.phase, (events[-1],)), _damaged(row, events, damage))
    if driver_gone and events:
        last = next((e for e in reversed(events) if e.type == "TASK_STARTED"), events[-1])
        gone = Cause("driver_died", last.phase, "its driver is gone and has not said how it ended", (last.event_id,))
        return _of(tx, row, Incident(row.id, last.phase, (last,)), gone)
    incident = failures.last_of(failures.incidents(events))
    if incident is None:
        raise BadInput(
            f"Nothing that failed is on record for {row.id!r}; it is {row.status}.",
            field="workflow_id",
            next_steps=(f"stretto workflow-status {row.id} --detailed",),
        )
    return _of(tx, row, incident, _cause(tx, row, incident))


def _damaged(row: WorkflowRow, events: Sequence[Event], damage: Sequence[str]) -> Cause:
    last = max((e for e in events if e.type.startswith(("WORKFLOW_", "PHASE_"))), key=lambda e: e.seq)
    return Cause("state_damaged", row.id, "; ".join(damage), (last.event_id,))


def _cause(tx: Transaction, row: WorkflowRow, incident: Incident) -> Cause:
    """What the events say; where they do not, a workflow that it waits for and that failed before."""
    cause = failures.primary_cause(incident)
    if row.runner != coordination.RUNNER or cause.kind not in ("unknown", "dependency_failed"):
        return cause
    for one in coordination.waits_for(tx, row):
        if one.kind == "workflow" and one.state in ("FAILED", "CANCELLED"):
            ends = [e for e in events_of(tx, one.name) if e.type in ("WORKFLOW_FAILED", "WORKFLOW_CANCELLED")]
            evidence = tuple(e.event_id for e in ends[-1:])
            return Cause("dependency_failed", one.name, f"{one.name} is {one.state}", (*evidence, *cause.evidence))
    return cause


def _of(tx: Transaction, row: WorkflowRow, incident: Incident, cause: Cause) -> Analysis:
    kept = next((one for one in _kept(tx, row.id) if _same(one, incident)), None)
    recoverable = cause.kind not in _UNRECOVERABLE or (cause.kind == "state_damaged" and bool(_checkpoints(tx, row)))
    return Analysis(
        id=kept["id"] if kept else incident.id,
        workflow_id=row.id,
        phase=incident.phase,
        cause=cause,
        severity=failures.severity(incident),
        recoverable=recoverable,
        impact=impact_of(tx, row, incident.phase),
        events=tuple(e.event_id for e in incident.events),
        since=incident.events[0].timestamp,
        over=incident.over is not None,
        made=kept["made"] if kept else "",
        automatic=bool(kept and kept["automatic"]),
    )


def _kept(tx: Transaction, workflow_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = fact(tx.database, workflow_id, ANALYSES) or []
    return found


def _same(kept: dict[str, Any], incident: Incident) -> bool:
    """An incident keeps its analysis though its first events were made good: it is told by any event it had."""
    return not {e.event_id for e in incident.events}.isdisjoint(kept["events"])


def _checkpoints(tx: Transaction, row: WorkflowRow) -> bool:
    rows = tx.database.execute("SELECT 1 FROM savepoints WHERE workflow_id = ? LIMIT 1", (row.id,))
    return bool(list(rows))


def note(tx: Transaction, found: Analysis, *, automatic: bool) -> Analysis:
    """Keep an analysis, and say so in the log; one that is kept already stays as it is."""
    if found.made:
        return found
    facts = {"id": found.id, "made": tx.now, "automatic": automatic, "events": list(found.events)}
    tx.put_fact(found.workflow_id, ANALYSES, [*_kept(tx, found.workflow_id), facts])
    data = {
        "analysis_id": found.id,
        "cause": found.cause.kind,
        "component": found.cause.component,
        "evidence": list(found.cause.evidence),
        "automatic": automatic,
    }
    tx.event("WORKFLOW_STATE_UPDATED", found.workflow_id, found.phase, data)
    return found._replace(made=tx.now, automatic=automatic)


def noticed(tx: Transaction, row: WorkflowRow) -> Analysis | None:
    """Look into a failure by itself: after a critical ERROR_ENCOUNTERED was written."""
    incident = failures.last_of(failures.incidents(events_of(tx, row.id)))
    return note(tx, look(tx, row), automatic=True) if incident and incident.over is None else None


# ── impact ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def graph_of(row: WorkflowRow) -> Graph:
    """What waits for what in a workflow."""
    if row.runner == coordination.RUNNER:
        return dependency_sources.of_coordinated(coordination.coordinated(row))
    return dependency_sources.of_spec(Spec.model_validate(row.spec))


def impact_of(tx: Transaction, row: WorkflowRow, phase: str) -> Impact:
    """The transitive dependents of a phase that failed."""
    graph, view = graph_of(row), coordination.view_of(tx, row.id)
    failed = {node.id for node in graph.nodes if node.phase == phase}
    before = dependencies.ancestors(graph.waits())
    blocked = [node for node in graph.nodes if node.id not in failed and before[node.id] & failed]
    done = [p.name for p in view.phases.values() if p.state in coordination.DONE]
    open_ = [t.task_id for t in view.tasks.values() if t.phase == phase and t.state != "completed"]
    return Impact(
        tasks=tuple(dict.fromkeys([*open_, *(node.id for node in blocked if "/" in node.id)])),
        phases=tuple(dict.fromkeys(node.phase for node in blocked if node.phase not in done)),
        workflows=_waiting_for(tx, row.id),
        finished=tuple(done),
        known=bool(failed),
    )


def _waiting_for(tx: Transaction, workflow_id: str) -> tuple[str, ...]:
    rows = [r for r in workflows(tx.database) if r.runner == coordination.RUNNER]
    known = {r.id for r in rows} | {workflow_id}
    waits = {r.id: [d.name for d in coordination.coordinated(r).dependencies if d.name in known] for r in rows}
    before = dependencies.ancestors({workflow_id: (), **waits})
    return tuple(r.id for r in rows if workflow_id in before[r.id] and r.id != workflow_id and r.status not in FINAL)


# ── state ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def columns(events: Iterable[Event]) -> dict[str, str | int]:
    """What the row of a workflow must hold, as far as its events tell."""
    story = Story()
    for e in events:
        story.take(Told(e.type, e.workflow_id, e.phase, e.timestamp, e.data))
    return story.columns()


def differences(row: WorkflowRow, events: Iterable[Event]) -> list[str]:
    """Where the row of a workflow is not what its events fold to."""
    held = row._asdict()
    return [
        f"{name}: the row says {held[name]!r}, the events say {value!r}"
        for name, value in columns(events).items()
        if held[name] != value
    ]


# ── strategy ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def strategy(severity: Severity, *, recoverable: bool) -> str:
    """By severity and recoverability; what cannot be recovered by itself is a person's, short of a crisis."""
    if severity == "critical":
        return "full_restore_from_checkpoint" if recoverable else "emergency_partial_recovery"
    if not recoverable:
        return "manual_intervention"
    return {
        "high": "targeted_recovery_with_rollback",
        "medium": "selective_state_repair",
        "low": "progressive_recovery",
    }[severity]


def rates(tx: Transaction) -> dict[str, Rate]:
    """How recoveries by each strategy ended in this store, tests of the system itself left out."""
    begun: dict[str, str] = {}
    found: dict[str, Rate] = {}
    for event in all_events(tx):
        if event.type == "RECOVERY_INITIATED":
            begun[str(event.data.get("recovery_id"))] = str(event.data.get("recovery_strategy"))
        elif event.type in ("RECOVERY_COMPLETED", "RECOVERY_FAILED"):
            name = begun.pop(str(event.data.get("recovery_id")), "")
            if name:
                old = found.get(name, Rate(name, 0, 0))
                found[name] = Rate(name, old.n + 1, old.completed + (event.type == "RECOVERY_COMPLETED"))
    return found


# ── recovery ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def begin(
    tx: Transaction, row: WorkflowRow, chosen: str, fallbacks: Sequence[str], *, keep: bool
) -> tuple[dict[str, Any], bool]:
    """Take a workflow into recovery; the recovery, and whether it is new. The same asked twice is asked once.

    Raises:
        InvalidTransition: It neither runs nor failed, or another recovery goes on.
        BadInput: Nothing of it failed.
    """
    wanted = {"recovery_strategy": chosen, "fallback_options": list(fallbacks), "maintain_partial_progress": keep}
    old = current(tx.database, row.id)
    if old and not old["ended"]:
        if {name: old[name] for name in wanted} == wanted:
            return old, False
        raise InvalidTransition(
            f"A recovery of {row.id!r} goes on by {old['recovery_strategy']!r}; it is unchanged.",
            field="recovery_strategy",
            next_steps=(f"stretto workflow-recovery recovery-plan {row.id}",),
        )
    found = note(tx, look(tx, row), automatic=False)
    if row.status != "RECOVERING":
        tx.set_status(row.id, "RECOVERING", {"reason": f"recovery by {chosen}"})
    number = 1 + sum(e.type == "RECOVERY_INITIATED" for e in events_of(tx, row.id))
    new = {
        "recovery_id": f"rec_{row.id}_{number}",
        "analysis_id": found.id,
        "failed_phase": found.phase,
        "cause": found.cause.kind,
        "kept_phases": list(found.impact.finished) if keep else [],
        **wanted,
    }
    tx.event("RECOVERY_INITIATED", row.id, found.phase, new, severity="warning")
    kept = {**new, "began": tx.now, "failed_at": found.since, "ended": "", "recovered": None}
    tx.put_fact(row.id, RECOVERY, kept)
    return kept, True
