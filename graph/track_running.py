"""Tracks at work: each begins with its first task and ends with its tests; in between it may hold agents of the pool.

What a track asks for goes through the same ledger and the same admission as every request. It waits as long as another
track of its workflow will give something back; if none will, the workflow stops at a safe point instead of waiting for
strangers.
"""

import asyncio
from typing import Any

from stretto.agents.executor import Drained, Pending
from stretto.agents.task import Outcome, Task
from stretto.graph import admission, coordination, tracking
from stretto.graph.context import Run
from stretto.graph.spec import Track
from stretto.graph.track_tests import PREFIX, name_of, passing, track_of
from stretto.state import allocation
from stretto.state.allocation import Allocation
from stretto.state.database import Database
from stretto.state.moments import moment
from stretto.state.queries import fact
from stretto.state.transaction import Transaction
from stretto.state.units import said_seconds

TRACK = "track"
"""In the context of an allocation: the track that asked for it."""
LOOK_SECONDS = 0.2


async def enter(run: Run, task: Task) -> None:
    """Begin the track of a task, if it has one and that has not begun.

    Raises:
        Drained: The workflow stops; nobody of its own would free the agents that the track needs.
        Pending: Those who would are waited for from outside.
    """
    track = track_of(run.spec, task)
    if track is None:
        return
    if run.spec.orchestrated and run.spec.orchestrated.agents:
        await _served(run, track)
    with run.log.write(run.fence) as tx:
        _begin(tx, run.workflow_id, track)


def _begin(tx: Transaction, workflow_id: str, track: Track) -> None:
    """PHASE_STARTED; again, if it had failed and is tried once more."""
    key = f"track:{track.name}"
    known: dict[str, str] = fact(tx.database, workflow_id, key) or {}
    if known.get("state") == "begun":
        return
    tx.put_fact(workflow_id, key, {"state": "begun", "at": tx.now})
    tx.set_phase(workflow_id, track.name, {"track": track.number})


def ended(tx: Transaction, run: Run, task: Task, outcome: Outcome) -> None:
    """End the track whose tests have come to an end: PHASE_COMPLETED or PHASE_FAILED; what it held is free."""
    track = track_of(run.spec, task)
    if track is None or name_of(task.task_id) != PREFIX + track.name:
        return
    key = f"track:{track.name}"
    began = fact(tx.database, run.workflow_id, key)
    took = {"duration": said_seconds(moment(tx.now) - moment(began["at"]))} if began else {}
    passed = passing(outcome) if outcome.status == "completed" else None
    proven = {} if passed is None else {"tests_passing": passed}
    failed = outcome.status != "completed" or passed is False
    tx.put_fact(run.workflow_id, key, {"state": "failed" if failed else "completed"})
    if failed:
        why = outcome.error or outcome.summary
        data: dict[str, Any] = {"phase_id": track.name, "failure_reason": why, **took, **proven}
        tx.event("PHASE_FAILED", run.workflow_id, track.name, data, severity="error")
    else:
        data = {"phase_id": track.name, **took, **proven, "success_metrics": {"tasks": len(track.tasks), **proven}}
        tx.event("PHASE_COMPLETED", run.workflow_id, track.name, data)
    release(tx, run, track.name, f"track {track.name} is over")
    view = coordination.view_of(tx, run.workflow_id)
    tracking.record(tx, run.workflow_id, track.name, view, moment(tx.now))


def release(tx: Transaction, run: Run, name: str, reason: str) -> None:
    """Give back what a track holds or waits for, every track's if `name` is empty; then let others have it."""
    held = _asked(tx.database, run.workflow_id, name)
    for one in held:
        allocation.release(tx, one, reason)
    if held:
        admission.admit(tx, _capacity(tx, run), run.log.now())


def _asked(database: Database, workflow_id: str, name: str = "") -> list[Allocation]:
    live = allocation.live_allocations(database, workflow_id)
    return [a for a in live if TRACK in a.context and name in ("", a.context[TRACK])]


async def _served(run: Run, track: Track) -> None:
    while not _granted(run, track):
        if run.board.put_off_some:
            raise Pending
        if not run.board.draining and not _others(run, track):
            run.board.drain()
        if run.board.draining:
            with run.log.write(run.fence) as tx:
                release(tx, run, track.name, "the workflow stops; asked for again when it goes on")
            raise Drained
        await asyncio.sleep(LOOK_SECONDS)


def _granted(run: Run, track: Track) -> bool:
    """Ask, if nothing was asked for the track yet; and whether it has been given it."""
    with run.log.write(run.fence) as tx:
        limits = _capacity(tx, run)
        if not _asked(tx.database, run.workflow_id, track.name):
            most = min(limits["agents"], run.spec.limits.agents)
            wanted = {"agents": max(min(_at_once(run, track), most), 1)}
            allocation.ask(tx, run.workflow_id, run.spec.priority, wanted, limits, {TRACK: track.name})
        admission.admit(tx, limits, run.log.now())
        return any(a.state == "active" for a in _asked(tx.database, run.workflow_id, track.name))


def _others(run: Run, track: Track) -> bool:
    """Whether another track of this workflow holds something that it will give back."""
    held = _asked(run.log.database, run.workflow_id)
    return any(a.state == "active" and a.context[TRACK] != track.name for a in held)


def _at_once(run: Run, track: Track) -> int:
    """How many of its tasks need nothing of each other."""
    specs = [t for p in run.spec.phases if track in p.tracks for t in p.tasks if t.id in track.tasks]
    return sum(not set(t.depends_on) & set(track.tasks) for t in specs)


def _capacity(tx: Transaction, run: Run) -> dict[str, float]:
    return admission.capacity(tx.database, run.capacity)
