"""Tracking: figures of a workflow written down while it runs, as METRICS_RECORDED events.

At each boundary of a phase: `full` always, `adaptive` only if a figure has changed by a tenth since it was written
last. In test mode every workflow is tracked in full.
"""

from collections.abc import Mapping
from typing import Any

from stretto.state import allocation, pool
from stretto.state.chosen import Chosen, choose, chosen
from stretto.state.database import Database
from stretto.state.figures import WorkflowView
from stretto.state.queries import event_page
from stretto.state.transaction import Transaction

TRACKING, TEST_MODE, LEARNING = "tracking", "test_mode", "learning"
RECORDED = "METRICS_RECORDED"
_CHANGED = 0.1
_PAGE = 500


def follow(tx: Transaction, workflow_id: str, sampling: str) -> Chosen:
    """Track a workflow, `full` or `adaptive`; an empty word ends it."""
    old = chosen(tx.database, TRACKING).value.get("workflows", {})
    kept = {name: word for name, word in old.items() if name != workflow_id}
    return choose(tx, TRACKING, {"workflows": {**kept, **({workflow_id: sampling} if sampling else {})}})


def analyses(database: Database) -> bool:
    """Whether every failure is looked into by itself: in test mode, unless that was left to people."""
    return bool(chosen(database, TEST_MODE).value.get("failure_analysis") == "automatic")


def record(tx: Transaction, workflow_id: str, phase: str, view: WorkflowView, now: float) -> None:
    """Write the figures of a workflow down, if it is tracked and, where that is asked, if they have changed."""
    sampling = chosen(tx.database, TRACKING).value.get("workflows", {}).get(workflow_id, "")
    if chosen(tx.database, TEST_MODE).value.get("detailed_tracking"):
        sampling = "full"
    if not sampling:
        return
    figures = _figures(tx, workflow_id, view, now)
    if sampling == "full" or _changed(_last(tx, workflow_id), figures):
        tx.event(RECORDED, workflow_id, phase, {"metrics": figures, "sampling": sampling})


def _figures(tx: Transaction, workflow_id: str, view: WorkflowView, now: float) -> dict[str, float | None]:
    held = [a for a in allocation.live_allocations(tx.database, workflow_id) if a.state == "active"]
    done = sum(p.state in ("completed", "skipped") for p in view.phases.values())
    return {
        "seconds": view.elapsed(now),
        "agents_held": sum(a.granted.get("agents", 0) for a in held),
        "agents_named": sum(a.workflow_id == workflow_id for a in pool.agents(tx.database)),
        "phases_done": float(done),
        "phases": float(len(view.phases)),
    }


def _last(tx: Transaction, workflow_id: str) -> Mapping[str, Any]:
    after, found = 0, dict[str, Any]()
    while page := event_page(tx.database, workflow_id, after, _PAGE):
        after = page[-1].seq
        found = next((dict(e.data.get("metrics", {})) for e in reversed(page) if e.type == RECORDED), found)
    return found


def _changed(old: Mapping[str, Any], new: Mapping[str, float | None]) -> bool:
    return any(_far(old.get(name), value) for name, value in new.items())


def _far(old: object, new: float | None) -> bool:
    if not isinstance(old, int | float) or new is None:
        return old is not new
    return abs(new - old) > _CHANGED * max(abs(old), 1e-9)
