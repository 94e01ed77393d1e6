"""What a failure cost and how its recovery went, folded from the log: every line names the events behind it."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from stretto.graph import coordination, failures, recovering, recovery
from stretto.graph.recovery import Analysis
from stretto.state.chosen import Chosen, choose, chosen
from stretto.state.queries import fact, workflow_row, workflows
from stretto.state.rows import WorkflowRow
from stretto.state.transaction import Transaction
from stretto.state.units import said_seconds
from stretto.state.wire import Event

PATTERNS: Final = "failure_patterns"
"""The choice that holds what has failed and where, for whoever plans."""
_AFTER: Final = ("WORKFLOW_", "CHECKPOINT_RESTORED", "RECOVERY_", "RESOURCE_DEALLOCATED", "TASK_REASSIGNED", "PHASE_")


class Moment(NamedTuple):
    """One line of the timeline; `after` is in seconds since the failure."""

    at: str
    after: float
    what: str
    event_id: str


class Lost(NamedTuple):
    """Seconds of work that came to nothing, and the events that begin and end them."""

    seconds: float
    events: tuple[str, ...]


class Lesson(NamedTuple):
    """One fact worth knowing the next time, with the events that show it."""

    text: str
    events: tuple[str, ...]


class Report(NamedTuple):
    """A failure and its recovery. None is what is not known, or not over."""

    analysis: Analysis
    strategy: str | None
    fallbacks: tuple[str, ...]
    recovered: bool | None
    seconds: float | None
    lost: Lost
    delayed: dict[str, float]
    degradation: float | None
    basis: str
    continued_by: str | None
    timeline: tuple[Moment, ...]
    lessons: tuple[Lesson, ...]


def report(tx: Transaction, row: WorkflowRow, now: str) -> Report:
    """Of the newest failure of a workflow.

    Raises:
        BadInput: Nothing of it has failed.
    """
    found = recovery.look(tx, row)
    going = recovering.current(tx.database, row.id)
    going = going if going and going["analysis_id"] == found.id else None
    events = recovery.events_of(tx, row.id)
    ended = going["ended"] if going else _end(found, events)
    took = recovering.seconds_between(found.since, ended) if ended else None
    lost = _lost(found, events)
    recovered = going["recovered"] if going else (True if found.over else None)
    share, basis = _degradation(tx, row, found, took)
    child = fact(tx.database, row.id, recovering.CHILD)
    report = Report(
        analysis=found,
        strategy=going["recovery_strategy"] if going else None,
        fallbacks=tuple(going["fallback_options"]) if going else (),
        recovered=recovered,
        seconds=took,
        lost=lost,
        delayed={name: recovering.seconds_between(found.since, ended or now) for name in found.impact.workflows},
        degradation=share,
        basis=basis,
        continued_by=child,
        timeline=_timeline(tx, found, events, child),
        lessons=(),
    )
    return report._replace(lessons=tuple(_lessons(tx, report, events)))


def _end(found: Analysis, events: Sequence[Event]) -> str:
    """When the phase that failed was done, where no recovery was asked for."""
    ends = [e for e in events if e.phase == found.phase and e.type in ("PHASE_COMPLETED", "PHASE_SKIPPED")]
    return next((e.timestamp for e in ends if e.timestamp >= found.since), "")


def _lost(found: Analysis, events: Sequence[Event]) -> Lost:
    """Attempts of the phase's tasks that failed; where nobody told of tasks, the phase's own time until it failed."""
    for begin, end in (("TASK_STARTED", ("TASK_FAILED", "TASK_TIMEOUT")), ("PHASE_STARTED", ("PHASE_FAILED",))):
        total, used, began = 0.0, list[str](), dict[str, Event]()
        for event in (e for e in events if e.phase == found.phase):
            name = str(event.data.get("task_id", event.phase))
            if event.type == begin:
                began[name] = event
            elif event.type in end and name in began:
                start = began.pop(name)
                total += recovering.seconds_between(start.timestamp, event.timestamp)
                used += [start.event_id, event.event_id]
        if used:
            return Lost(total, tuple(used))
    return Lost(0.0, ())


def _degradation(tx: Transaction, row: WorkflowRow, found: Analysis, took: float | None) -> tuple[float | None, str]:
    """How much longer the phase took than was said; else than it would have without the failure; else not known."""
    view = coordination.view_of(tx, row.id)
    phase = view.phases.get(found.phase)
    actual = phase.seconds() if phase and phase.state == "completed" else None
    said = None
    if row.runner == coordination.RUNNER and found.impact.known:
        said = coordination.coordinated(row).seconds_of(found.phase)
    if said and actual is not None and took is not None:
        return max((actual + took) / said - 1, 0.0), "the time that was said for the phase"
    whole = view.seconds()
    if took is not None and whole is not None and whole > took:
        return took / (whole - took), "the time it took but for the failure"
    return None, "unknown: it has not ended, or nobody said how long it should take"


def _timeline(tx: Transaction, found: Analysis, events: Sequence[Event], child: str | None) -> tuple[Moment, ...]:
    first = min((e.seq for e in events if e.event_id in found.events), default=0)
    later = [e for e in events if e.seq >= first and (e.event_id in found.events or e.type.startswith(_AFTER))]
    if child and workflow_row(tx.database, child):
        theirs = recovery.events_of(tx, child)
        later += [e for e in theirs if e.type in ("WORKFLOW_CREATED", "WORKFLOW_COMPLETED", "PHASE_COMPLETED")]
    since = found.since
    return tuple(
        Moment(e.timestamp, recovering.seconds_between(since, e.timestamp), _said(e, found.workflow_id), e.event_id)
        for e in sorted(later, key=lambda e: e.seq)
    )


def _said(event: Event, workflow_id: str) -> str:
    where = f"{event.phase}" if event.workflow_id == workflow_id else f"{event.workflow_id} {event.phase}"
    more = failures.words(event) or str(event.data.get("cause") or event.data.get("recovery_strategy") or "")
    return f"{event.type} {where}{f': {more[:120]}' if more else ''}"


def _lessons(tx: Transaction, one: Report, events: Sequence[Event]) -> list[Lesson]:
    found, cause = one.analysis, one.analysis.cause
    same = [p for p in patterns(tx) if p["cause"] == cause.kind and p["workflow_id"] != found.workflow_id]
    lessons: list[Lesson] = []
    if cause.kind != "unknown":
        words = f" ({cause.words})" if cause.words else ""
        lessons.append(Lesson(f"{found.phase} failed by {cause.kind}{words}", cause.evidence))
    if one.lost.events:
        text = f"{said_seconds(one.lost.seconds)} of work on {found.phase} came to nothing before it was given up"
        lessons.append(Lesson(text, one.lost.events))
    if same:
        names = ", ".join(sorted({p["workflow_id"] for p in same}))
        ids = tuple(dict.fromkeys(name for p in same for name in p["evidence"]))
        lessons.append(Lesson(f"{cause.kind} is on record for {names} as well", ids))
    for event in events:
        if event.type == "CHECKPOINT_RESTORED":
            kept = [n for n, s in event.data.get("phases", {}).items() if s in coordination.DONE]
            text = f"going back to {event.data.get('name')} kept {', '.join(kept) or 'no phase'}"
            lessons.append(Lesson(text, (event.event_id,)))
        if event.type in ("RECOVERY_COMPLETED", "RECOVERY_FAILED"):
            how = "brought it back" if event.type == "RECOVERY_COMPLETED" else "did not bring it back"
            text = f"{event.data.get('recovery_strategy')} {how} in {event.data.get('duration')}"
            lessons.append(Lesson(text, (event.event_id,)))
    return lessons


# ── patterns ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def patterns(tx: Transaction) -> list[dict[str, Any]]:
    """Every failure of the store's workflows by its cause and phase, with the events that say so; tests left out."""
    found: list[dict[str, Any]] = []
    for row in workflows(tx.database):
        if row.spec.get("coordination", {}).get("test"):
            continue
        for incident in failures.incidents(recovery.events_of(tx, row.id)):
            cause = failures.primary_cause(incident)
            one = {"cause": cause.kind, "phase": incident.phase, "workflow_id": row.id}
            found.append({**one, "evidence": list(cause.evidence)})
    return found


def learn(tx: Transaction) -> Chosen:
    """Record the patterns, if they are others than those on record."""
    value = {"patterns": patterns(tx)}
    old = chosen(tx.database, PATTERNS)
    return old if old.version and old.value == value else choose(tx, PATTERNS, value)
