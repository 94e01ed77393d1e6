"""What forecasts of resources learn from: the finished workflows of the store, each with what it really used."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from stretto.graph.coordinated import Coordinated
from stretto.graph.coordination import RUNNER
from stretto.state.ledger import Ledger
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow
from stretto.state.view import apply, fold
from stretto.state.wire import Event

SETS = {
    "historical_workflows": None,
    "last_7_days": 7 * 86400.0,
    "last_30_days": 30 * 86400.0,
    "last_90_days": 90 * 86400.0,
    "none": 0.0,
}
"""The sets of finished workflows by name, with the greatest age in seconds."""


class PastWorkflow(NamedTuple):
    """A workflow that was completed. None is what nobody recorded; `planned` is the duration that was asked for.

    `agents` and `memory` are the most that it held at one time; `writes` the files that its tasks changed.
    """

    workflow_id: str
    name: str
    kind: str
    complexity: str
    finished: float
    seconds: float
    agents: int | None
    memory: int | None
    planned: float | None
    writes: tuple[str, ...]


def past_workflows(log: Log, learning: str, now: float) -> list[PastWorkflow]:
    """The completed workflows of a set, oldest first. Tests of the system itself are no history."""
    age = SETS[learning]
    found = [past for row in log.workflows() if row.status in ("COMPLETED", "ARCHIVED") for past in _past(log, row)]
    return [one for one in found if age is None or now - one.finished <= age > 0]


def told_learning(log: Log, learning: str, now: float) -> dict[str, Any]:
    """The set as a reply names it: how many workflows, and which."""
    found = [one.workflow_id for one in past_workflows(log, learning, now)]
    return {"set": learning, "n": len(found), "workflows": found[-20:]}


def _past(log: Log, row: WorkflowRow) -> Iterator[PastWorkflow]:
    if row.spec.get("coordination", {}).get("test"):
        return
    events = list(log.events(row.id))
    view = fold(events)
    seconds = view.seconds()
    if view.finished is None or not seconds:
        return
    held = _most(events)
    asked = Coordinated.model_validate(row.spec["coordination"]) if row.runner == RUNNER else None
    yield PastWorkflow(
        workflow_id=row.id,
        name=row.description,
        kind=row.kind,
        complexity=_complexity(row, events),
        finished=view.finished,
        seconds=seconds,
        agents=held[0] if held[0] is not None else _at_once(events),
        memory=held[1],
        planned=asked.resources.seconds if asked else None,
        writes=tuple(sorted({path for task in view.tasks.values() for path in task.writes})),
    )


def _most(events: list[Event]) -> tuple[int | None, int | None]:
    ledger = Ledger()
    most: dict[str, float] = {}
    for event in events:
        ledger.apply(event)
        active = [one for one in ledger.rows.values() if one.state == "active"]
        for name in ("agents", "memory"):
            held = sum(one.granted.get(name, 0) for one in active)
            most[name] = max(most.get(name, 0), held)
    return round(most.get("agents", 0)) or None, round(most.get("memory", 0)) or None


def _at_once(events: list[Event]) -> int | None:
    """The most tasks at work at one time, for a workflow that asked for nothing."""
    view, most = fold(()), 0
    for event in events:
        apply(view, event)
        most = max(most, sum(task.state == "running" for task in view.tasks.values()))
    return most or None


def _complexity(row: WorkflowRow, events: list[Event]) -> str:
    """As its spec says, or as the request for its resources did; empty where neither does."""
    contexts: list[dict[str, Any]] = [e.data.get("context", {}) for e in events if e.type == "RESOURCE_REQUESTED"]
    asked = row.spec.get("coordination", {})
    said = [one.get("complexity", "") for one in (row.spec, asked, *contexts)]
    return next((str(word) for word in said if word), "")
