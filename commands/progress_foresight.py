"""/progress-aggregator bottleneck-analysis and resource-prediction-accuracy: what holds up, and what was foretold."""

from collections.abc import Sequence
from typing import Any

from stretto.commands.app import App
from stretto.commands.coordinating import default_capacity
from stretto.commands.invocation import Invocation
from stretto.commands.progress_aggregator import Seen, body, enough, late, reply_of, see
from stretto.commands.progress_words import percent
from stretto.commands.reply import Reply
from stretto.graph import admission, bottlenecks
from stretto.graph.accuracy import (
    DemandAccuracy,
    Foretold,
    StartAccuracy,
    bottleneck_accuracy,
    demand_accuracy,
    start_accuracy,
)
from stretto.graph.bottlenecks import Bottleneck
from stretto.graph.learning import past_workflows
from stretto.state.log import Log
from stretto.state.units import said_seconds


def bottleneck_analysis(invocation: Invocation, app: App) -> Reply:
    """What has cost the most waiting, worst first; and what will, by the plan of the scheduler."""
    body(invocation).close()
    log, seen = see(app)
    found: list[Bottleneck] = []
    ahead: list[Bottleneck] = []
    if log is not None:
        with log:
            found, ahead = _both(log, app, seen)
    lines = [f"{b.what}: {said_seconds(b.seconds)} of waiting by {', '.join(b.waiting)}\n    {b.action}" for b in found]
    lines = lines or ["No bottleneck: nobody waits for long."]
    lines += [f"to come: {b.what}, {said_seconds(b.seconds)} of waiting by {', '.join(b.waiting)}" for b in ahead]
    told = [b._asdict() for b in found]
    if "explain" not in invocation.flags:
        told = [{k: v for k, v in b.items() if k != "events"} for b in told]
    predicted = [{k: v for k, v in b._asdict().items() if k != "events"} for b in ahead]
    return reply_of(invocation, lines, {"bottlenecks": told, "predicted": predicted})


def _both(log: Log, app: App, seen: Seen) -> tuple[list[Bottleneck], list[Bottleneck]]:
    """What was waited for, and what will be."""
    more = enough(log, app)
    limits = admission.capacity(log.database, default_capacity(app))
    waits = admission.look(log.glance(), limits, seen.now).waits
    ahead = bottlenecks.predicted([(one.workflow_id, d.reason, d.start) for one, d in waits], more)
    return bottlenecks.bottlenecks(log.events(), late(seen), seen.now, more), ahead


def prediction_accuracy(invocation: Invocation, app: App) -> Reply:
    """How forecasts of phases, of demands, of starts and of bottlenecks turned out; `unknown` under five."""
    body(invocation).close()
    log, seen = see(app)
    events = list(log.events()) if log else []
    past = past_workflows(log, "historical_workflows", seen.now) if log else []
    if log:
        log.close()
    phases, starts, foretold = seen.read.forecaster.accuracy(), start_accuracy(events), bottleneck_accuracy(events)
    demands, *halves = demand_accuracy(events, past)
    result: dict[str, Any] = {
        "phases": phases._asdict(),
        "demands": demands._asdict(),
        "starts": starts._asdict(),
        "bottleneck": {**foretold._asdict(), "agrees": foretold.agrees},
    }
    lines = [
        f"phases: {phases.n} forecasts, {percent(phases.coverage)} within their 80 % intervals, bias"
        f" {percent(phases.bias)}",
        f"demands: {_demand(demands)}",
        f"starts: {starts.n} estimates, median error {percent(starts.median_error)}, bias {percent(starts.bias)}",
        _bottleneck(foretold),
    ]
    if "historical-comparison" in invocation.flags:
        result["comparison"] = [half._asdict() for half in starts.by_half]
        result["demand_comparison"] = [half._asdict() for half in halves]
        lines += _compared(starts, halves)
    return reply_of(invocation, lines, result)


def _demand(one: DemandAccuracy) -> str:
    return (
        f"{one.n} finished as predicted before, {percent(one.coverage)} within their interval, bias"
        f" {percent(one.bias)}, median error {percent(one.median_error)}, of the agents {percent(one.agents_error)}"
    )


def _bottleneck(one: Foretold) -> str:
    if one.agrees is None:
        return "bottleneck: unknown; nobody has waited for an estimated start"
    said = "as predicted" if one.agrees else f"predicted was {one.predicted}"
    return f"bottleneck: {one.measured}, {said} ({one.n} workflows that waited)"


def _compared(starts: StartAccuracy, halves: Sequence[DemandAccuracy]) -> list[str]:
    lines = [
        f"  {w}: starts {h.n}, median error {percent(h.median_error)}"
        for w, h in zip(("before", "since"), starts.by_half, strict=False)
    ]
    lines += [f"  {w}: {_demand(h)}" for w, h in zip(("before", "since"), halves, strict=False)]
    return lines or ["  too little on record to compare periods"]
