"""/orchestrate "…" --test-mode: the whole flow with scripted agents, in a copy of the project that goes afterwards."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from stretto.commands.app import App, require_supported
from stretto.commands.coordinating import reading, writing
from stretto.commands.finalizing import LEVELS, Criterion, documented, lines_of, links_resolve, tests_pass
from stretto.commands.invocation import Invocation
from stretto.commands.orchestrate import spec_for
from stretto.commands.preview import again
from stretto.commands.replayed import hashes
from stretto.commands.reply import Reply
from stretto.commands.scenario_agents import ScriptedRunner
from stretto.commands.scenario_document import Example
from stretto.commands.scenario_time import Clock
from stretto.commands.scenario_trouble import Trouble
from stretto.commands.scratch import copy
from stretto.graph.entry import Answer
from stretto.graph.result import Result
from stretto.graph.run import resume, start
from stretto.graph.spec import Spec
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow
from stretto.state.units import said_seconds
from stretto.state.view import fold

FLAGS: Final = frozenset(
    {
        *("test-mode", "validation", "template", "priority", "complex", "strategy", "gate", "workflow-id"),
        *("max-agents", "attempts", "debug-rounds"),
    }
)
KIND: Final = "rehearsal"
WHOLE: Final = "feature-development"
"""The template that is rehearsed if none is named: it has every kind of phase."""
_OWN: Final = ("state", "attempts", "resources")
_MOST_GATES: Final = 5


class Rehearsed(NamedTuple):
    """How it ended, what was looked at, and seconds of simulated time."""

    status: str
    found: list[Criterion]
    seconds: float | None
    tasks: int
    events: int
    gates: tuple[str, ...]


def rehearse(invocation: Invocation, app: App, by_strategy: Callable[[Spec], Spec]) -> Reply:
    """Run the workflow of a description with agents that work by rule, and check what came of it.

    Raises:
        BadInput: A flag means nothing here, or the project has no commit to copy.
    """
    require_supported(invocation, FLAGS)
    level = str(invocation.flags.get("validation", "standard"))
    flags = {"template": WHOLE, **invocation.flags}
    spec = spec_for(invocation._replace(flags=flags), app)
    spec = by_strategy(spec) if "strategy" in invocation.flags else spec
    with tempfile.TemporaryDirectory(prefix="stretto-rehearsal-") as folder:
        done = _done(spec, app, Path(folder) / "project", level)
    missing = [c.name for c in done.found if c.needed and not c.holds]
    passed = done.status == "completed" and not missing
    told: dict[str, Any] = {
        "test": True,
        "passed": passed,
        "status": done.status,
        "template": spec.template,
        "validation": level,
        "criteria": [c._asdict() for c in done.found],
        "missing": missing,
        "simulated_seconds": done.seconds,
        "tasks": done.tasks,
        "events": done.events,
        "gates": list(done.gates),
    }
    with writing(app) as desk:
        data = {"kind": KIND, "test": True, "metrics": {**told, "description": spec.description}}
        desk.tx.event("METRICS_RECORDED", "system", KIND, data)
    gates = f", {len(done.gates)} gates approved by itself" if done.gates else ""
    lines = [
        f"Rehearsed {spec.template}: {done.status}, {done.tasks} tasks in {said_seconds(done.seconds)} of simulated"
        f" time by scripted agents{gates}; validation {level}: {'passed' if passed else 'FAILED'}",
        *lines_of(done.found),
        "The copy and its store are gone; nothing of the project was changed.",
    ]
    real = {k: v for k, v in invocation.flags.items() if k not in ("test-mode", "validation")}
    steps = (again(invocation._replace(flags=real)),) if passed else ()
    events = tuple(desk.tx.ids)
    return Reply("orchestrate", "\n".join(lines), told, "", "", events, steps, exit_code=0 if passed else 1)


def _done(spec: Spec, app: App, root: Path, level: str) -> Rehearsed:
    project = asyncio.run(copy(app, root))
    clock, store = Clock(), root.with_name("store")
    there = App(str(project), str(store), clock=clock.now, window=None)
    result, gates = asyncio.run(_driven(spec, there, clock))
    with reading(there) as log:
        row = log.workflow(spec.workflow_id)
        found = _criteria(there, log, row, level) if row else []
        view = fold(log.events(spec.workflow_id))
        tasks = len(log.outcomes(spec.workflow_id))
        events = log.last_seq()
    return Rehearsed(result.status, found, view.seconds(), tasks, events, gates)


async def _driven(spec: Spec, there: App, clock: Clock) -> tuple[Result, tuple[str, ...]]:
    """Drive it to its end; a gate that it waits at is approved."""

    def agents() -> ScriptedRunner:
        return ScriptedRunner(clock, there.store, Trouble(Example(KIND, 1, (), (), ())))

    place: dict[str, Any] = {
        "project": there.project,
        "store": Path(there.store),
        "durability": "process",
        "clock": clock.now,
    }
    gates: list[str] = []
    result = await start(spec, runner=agents(), **place)
    while result.status == "paused" and result.gate and len(gates) < _MOST_GATES:
        gates.append(result.gate)
        result = await resume(spec.workflow_id, runner=agents(), answer=Answer(True), **place)
    return result, tuple(gates)


# ── the checks ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _criteria(there: App, log: Log, row: WorkflowRow, level: str) -> list[Criterion]:
    needed = LEVELS[level]
    said = {
        "phases": _phases(log, row),
        "tests": tests_pass(there),
        "documentation": documented(log, row),
        "links": asyncio.run(links_resolve(there)),
        "state": _state(log),
        "attempts": _attempts(log, row),
        "resources": _resources(log),
    }
    whole = needed == LEVELS["comprehensive"]
    return [Criterion(name, *told, name in needed or (whole and name in _OWN)) for name, told in said.items()]


def _phases(log: Log, row: WorkflowRow) -> tuple[bool, str]:
    view = fold(log.events(row.id))
    left = [p.name for p in view.phases.values() if p.state not in ("completed", "skipped")]
    if left or row.status != "COMPLETED":
        return False, f"{row.status}; not done: {', '.join(left) or 'nothing'}"
    return True, f"done: {', '.join(view.phases)}"


def _state(log: Log) -> tuple[bool, str]:
    found = hashes(log)
    what = "equals" if found.equal else "DIFFERS from"
    return found.equal, f"sha256 {found.rows[:12]}… of the rows {what} that of a replay of {log.last_seq()} events"


def _attempts(log: Log, row: WorkflowRow) -> tuple[bool, str]:
    """Every attempt that began has ended, and each task once only in success."""
    tried = log.attempts(row.id)
    open_ = [f"{a.task_id}#{a.attempt}" for a in tried if a.state not in ("completed", "failed")]
    failed = sum(a.state == "failed" for a in tried)
    if open_:
        return False, f"have no end: {', '.join(open_[:5])}"
    return True, f"{len(tried)} began and ended, {failed} of them were not accepted"


def _resources(log: Log) -> tuple[bool, str]:
    held = [one.id for one in log.allocations(live=True)]
    busy = [one.agent_id for one in log.agents() if one.workflow_id]
    return not (held or busy), f"still held: {', '.join(held + busy)}" if held or busy else "nothing is held any more"
