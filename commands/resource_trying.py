"""/resource-manager test-allocation: scenarios that are really run, in a store of their own and in simulated time."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stretto.commands.app import App
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.resource_words import body, percent, reply
from stretto.graph.trials import AGENTS, REQUESTS, SCENARIOS, Trial, run
from stretto.state.errors import BadInput
from stretto.state.units import said_seconds

VALIDATIONS = ("allocation_accuracy", "conflict_resolution", "performance")


def test_allocation(invocation: Invocation, app: App) -> Reply:
    """`test-allocation '{"scenarios": […], "validation": […], "seed": 1}'`; the project's store is not touched."""
    del app
    fields = body(invocation)
    scenarios = fields.texts("scenarios", SCENARIOS) or SCENARIOS
    wanted = fields.texts("validation", VALIDATIONS) or VALIDATIONS
    seed = fields.whole("seed", 1, most=10**6) or 0
    fields.close()
    if len(set(scenarios)) < len(scenarios):
        raise BadInput("A scenario is there twice.", field="scenarios", allowed=SCENARIOS)
    with tempfile.TemporaryDirectory(prefix="stretto-trial-") as folder:
        trials = [run(name, Path(folder) / name, seed) for name in scenarios]
    broken = [one.scenario for one in trials if one.over_allocated or one.shared_files]
    result: dict[str, Any] = {
        "test": True,
        "passed": not broken,
        "agents": AGENTS,
        "requests": REQUESTS,
        "scenarios": {one.scenario: _told(one, wanted) for one in trials},
    }
    lines = _table(trials, wanted)
    lines.append(f"{REQUESTS} requests each, {AGENTS} agents, simulated time, a store of its own")
    if broken:
        lines.append(f"broken: more was held than there is, or one file twice, in {', '.join(broken)}")
    found = reply(invocation, "\n".join(lines), result, steps=("stretto resource-manager status",))
    return found._replace(exit_code=1 if broken else 0)


def _told(one: Trial, wanted: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "over_allocated": one.over_allocated,
        "shared_files": one.shared_files,
        "events": one.events,
    }
    if "allocation_accuracy" in wanted:
        found["allocation_accuracy"] = one.accuracy._asdict()
    if "conflict_resolution" in wanted:
        found["conflict_resolution"] = {**one.conflicts._asdict(), "share": one.conflicts.share}
    if "performance" in wanted:
        found["performance"] = {**one.times._asdict(), "longest_wait": dict(one.times.longest_wait)}
    if one.scenario == "failure_recovery":
        found["recovery"] = one.recovery._asdict()
    return found


def _table(trials: Sequence[Trial], wanted: Sequence[str]) -> list[str]:
    rows = [["scenario", *(title for name in VALIDATIONS if name in wanted for title in _TITLES[name])]]
    rows += [
        [one.scenario, *(cell for name in VALIDATIONS if name in wanted for cell in _cells(one, name))]
        for one in trials
    ]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


_TITLES = {
    "allocation_accuracy": ("done", "start as told", "mean error"),
    "conflict_resolution": ("conflicts", "resolved"),
    "performance": ("decision p50", "p99", "longest wait (low)"),
}


def _cells(one: Trial, name: str) -> tuple[str, ...]:
    accuracy, conflicts, times = one.accuracy, one.conflicts, one.times
    if name == "allocation_accuracy":
        done = f"{accuracy.granted} of {accuracy.requests}"
        near = f"{percent(accuracy.within)} of {accuracy.estimated}"
        return done, near, said_seconds(accuracy.mean_error_seconds)
    if name == "conflict_resolution":
        return str(conflicts.found), percent(conflicts.share)
    low = times.longest_wait.get("low")
    return f"{times.decision_p50_ms:.1f} ms", f"{times.decision_p99_ms:.1f} ms", said_seconds(low)
