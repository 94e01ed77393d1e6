"""/coordination-hub publish-event, get-events and subscribe-event: what others tell the log, and what it tells them."""

import json
from collections import deque
from collections.abc import Iterable
from typing import Any, cast

from stretto.commands.app import App
from stretto.commands.coordinating import reading, writing
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.graph import coordination, recovery
from stretto.state import registry
from stretto.state.errors import BadInput, InvalidTransition
from stretto.state.filter import Filter
from stretto.state.ids import workflow_id as checked_id
from stretto.state.machine import FINAL
from stretto.state.rows import WorkflowRow
from stretto.state.subscription import AT_ONCE, Subscription
from stretto.state.wire import Event

_TASKS = frozenset({"TASK_ASSIGNED", "TASK_STARTED", "TASK_COMPLETED", "TASK_FAILED", "TASK_TIMEOUT"})
_SYSTEM = frozenset({"SYSTEM_STARTUP", "SYSTEM_SHUTDOWN", "SYSTEM_THRESHOLD", "SYSTEM_ERROR", "RESOURCE_THRESHOLD"})
_AGENTS = frozenset({"AGENT_PERFORMANCE_ALERT", "AGENT_ERROR", "AGENT_TIMEOUT", "PHASE_PROGRESS"})
PUBLISHED = tuple(sorted({*_TASKS, *_SYSTEM, *_AGENTS, "ERROR_ENCOUNTERED"}))
"""Types of ours that anybody may publish: they report. All others are written by what they tell of."""
SOURCE = "published"
_LARGEST = 64 * 1024
_MOST, _USUAL = 500, 20


def publish_event(invocation: Invocation, app: App) -> Reply:
    """`[ID] publish-event '{"event_type": "TASK_STARTED", "data": {…}, "severity": "info", "phase": "build"}'`."""
    fields = Fields(invocation.json[0] if invocation.json else {})
    said = fields.text("event_type", longest=100)
    data = fields.read("data", _data, dict[str, Any]())
    severity = fields.choice("severity", registry.SEVERITIES, "info")
    phase = fields.text("phase", longest=64)
    fields.close()
    kind = _publishable(said, data)
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, invocation.ids[0]) if invocation.ids else None
        _may(kind, row)
        whose, where = (row.id, phase or row.phase or "global") if row else ("system", phase or "global")
        desk.tx.event(kind, whose, where, data, severity=severity, source=SOURCE)
        if row and kind == "ERROR_ENCOUNTERED" and severity == "critical":
            recovery.noticed(desk.tx, row)
    known = registry.is_known(kind)
    lines = [f"{whose}: {kind} is in the log, in {where}."]
    lines += [] if known else ["The type is none of Stretto's: it is kept as it came, and marked."]
    result = {"event_type": kind, "workflow_id": whose, "phase": where, "known": known}
    steps = (f"stretto coordination-hub get-events{f' {row.id}' if row else ''}",)
    return Reply("coordination-hub", "\n".join(lines), result, invocation.operation, whose, tuple(desk.tx.ids), steps)


def _data(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"{field} must be an object.", field=field, allowed=("{…}",))
    if len(json.dumps(value)) > _LARGEST:
        raise BadInput(f"{field} is larger than 64 KiB.", field=field)
    return cast("dict[str, Any]", value)


def _publishable(said: str, data: dict[str, Any]) -> str:
    kind = registry.canonical(said) if said else ""
    if not kind or (registry.is_known(kind) and kind not in PUBLISHED):
        why = f"{kind} is written by what it tells of, and not published" if kind else "What happened?"
        raise BadInput(f"{why}. Nothing was written.", field="event_type", allowed=(*PUBLISHED, "a type of your own"))
    if missing := registry.missing(kind, data):
        raise BadInput(f"{kind} must say {', '.join(missing)}. Nothing was written.", field=f"data.{missing[0]}")
    return kind


def _may(kind: str, row: WorkflowRow | None) -> None:
    """Nobody tells of the tasks of a driver but the driver, and nothing happens any more to what has ended."""
    if row is None:
        if kind in _TASKS | _AGENTS:
            raise BadInput(f"{kind} is of a workflow: which one?", field="workflow_id")
        return
    if row.status in FINAL:
        raise InvalidTransition(f"{row.id} is {row.status}; nothing more can happen to it.", field="workflow_id")
    if kind in _TASKS | {"PHASE_PROGRESS"} and row.runner != coordination.RUNNER:
        raise BadInput(
            f"{row.id} is driven by {row.runner!r}, which tells of its tasks itself. Nothing was written.",
            field="event_type",
            allowed=sorted({*PUBLISHED} - _TASKS - {"PHASE_PROGRESS"}),
        )


def get_events(invocation: Invocation, app: App) -> Reply:
    """`[ID] get-events '{"patterns": ["phase.*"], "severity": "error", "limit": 20}'`: the newest, or on from one."""
    fields = Fields(invocation.json[0] if invocation.json else {})
    wanted = _filter(fields, invocation)
    after = fields.whole("after")
    limit = fields.whole("limit", _USUAL, least=1, most=_MOST) or _USUAL
    fields.close()
    test = wanted.test()
    with reading(app) as log:
        name = coordination.row_of(log.glance(), wanted.workflow).id if wanted.workflow else None
        count, shown = _chosen(
            (e for e in log.events(name, after=after or 0) if test(e)), limit, first=after is not None
        )
    lines = [event.line() for event in shown] or ["no such event"]
    lines += [f"{count - len(shown)} more {'after' if after is not None else 'before'} these"] if count > limit else []
    result = {"found": count, "events": [event.envelope() for event in shown]}
    last = shown[-1].seq if shown else after or 0
    steps = (f"""stretto coordination-hub get-events {name or ""} '{{"after": {last}}}'   (what came since)""",)
    return Reply("coordination-hub", "\n".join(lines), result, invocation.operation, name or "", next_steps=steps)


def _chosen(events: Iterable[Event], limit: int, *, first: bool) -> tuple[int, list[Event]]:
    """How many there are, and the first or the newest of them; no more are held in memory."""
    kept: deque[Event] = deque(maxlen=limit)
    count = 0
    for count, event in enumerate(events, 1):
        if not first or count <= limit:
            kept.append(event)
    return count, [*kept]


def subscribe_event(invocation: Invocation, app: App) -> Reply:
    """`[ID] subscribe-event '{"subscriber": "mailer", "patterns": ["*.failed"]}'`: what came since it last asked."""
    fields = Fields(invocation.json[0] if invocation.json else {})
    name = fields.text("subscriber", longest=100)
    wanted = _filter(fields, invocation)
    fields.close()
    if not name:
        raise BadInput("Who subscribes?", field="subscriber", allowed=("a name that keeps its place in the log",))
    checked_id(name, field="subscriber")
    wanted.test()
    with reading(app) as log:
        if wanted.workflow:
            wanted = wanted._replace(workflow=coordination.row_of(log.glance(), wanted.workflow).id)
    found: list[Event] = []
    with Subscription.open(app.directory, name, wanted, pace=AT_ONCE) as mine:
        mine.catch_up(found.extend)
        cursor = mine.cursor
    lines = [event.line() for event in found]
    lines += [f"{name}: what comes from event {cursor + 1} on is kept for you."]
    result = {"subscriber": name, **wanted.as_dict(), "cursor": cursor, "pending": [e.envelope() for e in found]}
    again = f"""stretto coordination-hub subscribe-event '{{"subscriber": "{name}", …}}'   (what came since)"""
    text = "\n".join(lines)
    return Reply("coordination-hub", text, result, invocation.operation, wanted.workflow, next_steps=(again,))


def _filter(fields: Fields, invocation: Invocation) -> Filter:
    patterns = fields.texts("patterns") or fields.texts("event_patterns")
    classes = fields.texts("classes", registry.CLASSES)
    severity = fields.choice("severity", registry.SEVERITIES)
    return Filter(patterns, classes, severity, invocation.ids[0] if invocation.ids else "")
