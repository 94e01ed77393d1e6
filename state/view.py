"""The view of a workflow, folded from its events alone and one event at a time.

`fold` reads a history; a live view keeps its `WorkflowView` and applies what comes. Any event may be missing, come
twice or hold nonsense, since other programs write some: what cannot be understood changes nothing but the tail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from stretto.state.figures import PhaseView, TaskView, WorkflowView
from stretto.state.light import cast
from stretto.state.machine import STATUS_AFTER, STATUSES
from stretto.state.moments import moment
from stretto.state.registry import STAGES
from stretto.state.wire import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TAIL = 10
CUT = "interrupted"
"""In WORKFLOW_PAUSED and its like: by task, what an attempt had used that was cut off, as far as that is known."""
_REASONS = ("failure_reason", "pause_reason", "cancellation_reason", "reason")


def fold(events: Iterable[Event]) -> WorkflowView:
    """The view after these events, which belong to one workflow."""
    view = WorkflowView()
    for event in events:
        apply(view, event)
    return view


def apply(view: WorkflowView, event: Event) -> None:
    """Take one more event into the view; one that it has seen already changes nothing."""
    if event.seq <= view.seq:
        return
    view.seq = event.seq
    view.workflow_id = view.workflow_id or event.workflow_id
    view.updated = _seconds(event.timestamp)
    view.last = [*view.last[1 - TAIL :], event]
    if rule := _RULES.get(event.type):
        rule(view, event)
    if status := _status(event):
        _enter(view, event, status)
    if event.severity in ("warning", "error", "critical") and event.type not in _TOLD_OTHERWISE:
        view.warnings.append(f"{event.type}: {_first(event.data, ('message', 'error', *_REASONS)) or event.phase}")


def _status(event: Event) -> str:
    if event.type == "WORKFLOW_STATE_UPDATED":
        named = _text(event.data, "to")
        return named if named in STATUSES else ""
    return STATUS_AFTER.get(event.type, "")


def _enter(view: WorkflowView, event: Event, status: str) -> None:
    view.status = status
    view.reason = _first(event.data, _REASONS)
    if status == "RUNNING":
        view.started = view.started if view.started is not None else view.updated
        view.finished = None
    if status in ("COMPLETED", "FAILED", "CANCELLED"):
        view.finished = view.updated
    if status != "RUNNING" or event.type == "WORKFLOW_RESUMED":
        known = _mapping(event.data.get(CUT))
        over = status in ("COMPLETED", "CANCELLED") or _text(event.data, "runner") not in ("", "host")
        for task in view.tasks.values():
            if over or not task.order:  # agents outside go on without a driver, until another runner takes over
                _interrupt(view, task, _mapping(known.get(task.task_id)))
    for name in _texts(event.data, "retried") if status == "RUNNING" else ():
        if (found := view.tasks.get(name)) and found.state == "failed":
            found.state = "retrying"


def _interrupt(view: WorkflowView, task: TaskView, known: Mapping[str, Any] | None = None) -> None:
    """What an attempt used that never reported is unknown, but for what was `known` of it until its last call."""
    if task.state == "waiting":
        task.state = "interrupted"
    if task.state == "running":
        task.state = "interrupted"
        for usage in (task.usage, view.usage):
            if known:
                usage.add(known.get("usage"))
            if not known or known.get("in_flight"):
                usage.add(None)


def _created(view: WorkflowView, event: Event) -> None:
    view.description = _text(event.data, "description")
    view.type = _text(event.data, "type")
    for name in _texts(event.data, "phases"):
        view.phases.setdefault(name, PhaseView(name))


def _phase(view: WorkflowView, event: Event) -> PhaseView:
    name = _text(event.data, "phase_id") or event.phase
    if name not in view.phases:  # one that nobody announced, such as a debug round, stands behind what led to it
        before = [*view.phases].index(view.phase) + 1 if view.phase in view.phases else len(view.phases)
        rows = [*view.phases.items()]
        view.phases = dict([*rows[:before], (name, PhaseView(name)), *rows[before:]])
    return view.phases[name]


def _phase_started(view: WorkflowView, event: Event) -> None:
    phase = _phase(view, event)
    view.phase = phase.name
    if phase.state != "in_progress":
        phase.started = view.updated
    phase.state, phase.finished, phase.reason = "in_progress", None, ""
    phase.expected = _whole(event.data, "tasks")
    phase.generation = _whole(event.data, "generation") or max(phase.generation, 1)


def _phase_completed(view: WorkflowView, event: Event) -> None:
    phase = _phase(view, event)
    phase.state, phase.finished = "completed", view.updated
    phase.metrics = _mapping(event.data.get("success_metrics"))
    if commit := _text(event.data, "commit"):
        phase.commit = commit
        view.commits.append((phase.name, commit))


def _phase_failed(view: WorkflowView, event: Event) -> None:
    phase = _phase(view, event)
    phase.state, phase.finished = "failed", view.updated
    phase.reason = _first(event.data, _REASONS)
    view.warnings.append(f"phase {phase.name} failed: {phase.reason or 'no reason given'}")


def _phase_skipped(view: WorkflowView, event: Event) -> None:
    _phase(view, event).state = "skipped"


def _task(view: WorkflowView, event: Event) -> TaskView | None:
    if not (task_id := _text(event.data, "task_id")):
        return None
    task = view.tasks.setdefault(task_id, TaskView(task_id, event.phase))
    task.attempts = max(task.attempts, _whole(event.data, "attempt") or 1)
    task.role = _text(event.data, "role") or task.role
    task.title = _text(event.data, "title") or task.title
    task.agent = _text(event.data, "agent_id") or task.agent
    return task


def _task_assigned(view: WorkflowView, event: Event) -> None:
    before = view.tasks.get(_text(event.data, "task_id"))
    if before:
        _interrupt(view, before)
    elif event.type == "TASK_REASSIGNED":
        return  # work that was never told of as a task: a phase that somebody does as a whole
    if task := _task(view, event):
        task.state, task.started, task.finished, task.reason = "waiting", None, None, ""
        task.order = _text(event.data, "order")


def _task_started(view: WorkflowView, event: Event) -> None:
    before = view.tasks.get(_text(event.data, "task_id"))
    if before:
        _interrupt(view, before)
    if task := _task(view, event):
        task.state, task.started, task.finished, task.reason = "running", view.updated, None, ""
        task.order = _text(event.data, "order")


def _task_completed(view: WorkflowView, event: Event) -> None:
    if task := _task(view, event):
        results = _mapping(event.data.get("results"))
        task.summary = _text(results, "summary")
        task.writes = tuple(_texts(results, "writes"))
        _end(view, task, "completed", results.get("usage"))


def _task_failed(view: WorkflowView, event: Event) -> None:
    before = view.tasks.get(_text(event.data, "task_id"))
    told = before is not None and before.state == "retrying" and "usage" not in event.data
    if task := _task(view, event):
        task.reason = _first(event.data, _REASONS)
        final = event.data.get("final") is not False
        if final:
            view.warnings.append(f"task {task.task_id} failed: {task.reason or 'no reason given'}")
        state = "failed" if final else "retrying"
        if told:  # the last attempt has said already what it used; this event only gives up
            task.state, task.finished = state, view.updated
        else:
            _end(view, task, state, event.data.get("usage"))


def _end(view: WorkflowView, task: TaskView, state: str, usage: object) -> None:
    task.state, task.finished = state, view.updated
    task.usage.add(usage)
    view.usage.add(usage)


def _error(view: WorkflowView, event: Event) -> None:
    what = _first(event.data, ("error", "message", *_REASONS)) or "an error without a name"
    impact = _text(event.data, "impact")
    view.warnings.append(f"{event.phase}: {what}" + (f" (impact {impact})" if impact else ""))


def _restored(view: WorkflowView, event: Event) -> None:
    """Phases stand again as they stood at a checkpoint."""
    for name, state in _mapping(event.data.get("phases")).items():
        if name in view.phases and state in ("pending", "in_progress", "completed", "failed", "skipped"):
            view.phases[name].state = state


def _undone(view: WorkflowView, event: Event) -> None:
    del event
    view.reason = "taken back"


_RULES: dict[str, Callable[[WorkflowView, Event], None]] = {
    "WORKFLOW_CREATED": _created,
    "PHASE_STARTED": _phase_started,
    "PHASE_COMPLETED": _phase_completed,
    "PHASE_FAILED": _phase_failed,
    "PHASE_SKIPPED": _phase_skipped,
    "TASK_ASSIGNED": _task_assigned,
    "TASK_REASSIGNED": _task_assigned,
    "TASK_STARTED": _task_started,
    "TASK_COMPLETED": _task_completed,
    "TASK_FAILED": _task_failed,
    "ERROR_ENCOUNTERED": _error,
    "WORKFLOW_UNDONE": _undone,
    "CHECKPOINT_RESTORED": _restored,
}


_TOLD_OTHERWISE = _RULES.keys() | STATUS_AFTER.keys() | {f"{stage}_FAILED" for stage in STAGES}
"""Types that make no warning of their own: PHASE_FAILED says why a stage failed, the status why a workflow did."""


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _texts(data: Mapping[str, Any], key: str) -> list[str]:
    value = data.get(key)
    return [v for v in cast("list[object]", value) if isinstance(v, str)] if isinstance(value, list) else []


def _first(data: Mapping[str, Any], keys: Iterable[str]) -> str:
    return next((t for k in keys if (t := _text(data, k))), "")


def _whole(data: Mapping[str, Any], key: str) -> int | None:
    value = data.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _seconds(timestamp: str) -> float | None:
    try:
        return moment(timestamp)
    except (ValueError, OverflowError):
        return None
