"""/performance-monitor: what workflows took, by published definitions, and whether it has changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from stretto.commands import operations
from stretto.commands.app import App
from stretto.commands.coordinating import default_capacity, writing
from stretto.commands.invocation import Invocation
from stretto.commands.performance_words import (
    asked_metrics,
    body,
    explained,
    explaining,
    explaining_lines,
    finished,
    sides_of,
)
from stretto.commands.recovery_telling import recovery_success
from stretto.commands.reply import Reply
from stretto.commands.workflows import find
from stretto.graph import coordination, metrics, tracking
from stretto.graph.metrics import Difference, Mean
from stretto.graph.periods import period
from stretto.state.chosen import choose
from stretto.state.errors import BadInput
from stretto.state.log import Log
from stretto.state.units import said_seconds
from stretto.state.usage import measure

FLAGS: Mapping[str, frozenset[str]] = {
    "track": frozenset({"track-state", "no-track-state", "optimization"}),
    "allocation-efficiency": frozenset({"explain"}),
    "benchmark": frozenset({"explain"}),
    "compare-optimization": frozenset({"explain"}),
    "regression": frozenset({"explain"}),
}
SUPPORTED = frozenset[str]().union(*FLAGS.values())
COMPLEXITIES = ("low", "medium", "high", "very_high")
_SIGNIFICANT = 0.05


def handle(invocation: Invocation, app: App) -> Reply:
    """Hand the operation to its function.

    Raises:
        BadInput: This version does not have it, or a flag does nothing there.
    """
    return operations.run(invocation, app, OPERATIONS, FLAGS)


# ── tracking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def track(invocation: Invocation, app: App) -> Reply:
    """`ID --track-state [--optimization=adaptive]`, and off again by `--no-track-state`."""
    on, off = "track-state" in invocation.flags, "no-track-state" in invocation.flags
    if on and off:
        raise BadInput("On or off?", field="--no-track-state")
    sampling = "adaptive" if "optimization" in invocation.flags else "full"
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, invocation.ids[0])
        new = tracking.follow(desk.tx, row.id, "" if off else sampling)
    words = {
        "": "no longer tracked",
        "full": "tracked: figures at each phase",
        "adaptive": "tracked: figures that changed",
    }
    text = f"{row.id} is {words['' if off else sampling]}."
    result = {"workflow_id": row.id, "tracking": not off, "sampling": None if off else sampling, "version": new.version}
    steps = (f"stretto events {row.id} --pattern=METRICS_RECORDED",)
    return Reply("performance-monitor", text, result, invocation.operation, row.id, tuple(desk.tx.ids), steps)


def test_mode(invocation: Invocation, app: App) -> Reply:
    """`'{"detailed_tracking": true, "integration_metrics": true}'`: every workflow is tracked at each phase."""
    fields = body(invocation)
    fields.always("integration_metrics")
    value: dict[str, bool | str] = {
        "detailed_tracking": fields.flag("detailed_tracking", default=True),
        "failure_analysis": fields.choice("failure_analysis", ("automatic", "manual"), "automatic"),
    }
    fields.close()
    with writing(app) as desk:
        new = choose(desk.tx, tracking.TEST_MODE, value)
    lines = [f"{name}: {_word(on)}" for name, on in value.items()]
    result = {"name": new.name, "version": new.version, "value": value}
    return Reply("performance-monitor", "\n".join(lines), result, invocation.operation, "", tuple(desk.tx.ids))


def enable_learning(invocation: Invocation, app: App) -> Reply:
    """`'{"adaptive_tuning": "continuous"}'`: whether forecasts learn from now on."""
    fields = body(invocation)
    fields.choice("learning_scope", ("team_workflows",))
    fields.always("optimization_sharing")
    value = {
        "performance_prediction": fields.choice("performance_prediction", ("enabled", "disabled"), "enabled"),
        "adaptive_tuning": fields.choice("adaptive_tuning", ("continuous", "off"), "continuous"),
    }
    fields.close()
    with writing(app) as desk:
        new = choose(desk.tx, tracking.LEARNING, value)
    on = value["adaptive_tuning"] == "continuous"
    learns = "learn from every phase that ends" if on else "stay as they are: what ends from now on is not learned"
    scope = "They learn from all that the store holds, and are shared as its folder is."
    result = {"name": new.name, "version": new.version, "value": value}
    text = f"Forecasts {learns}.\n{scope}"
    return Reply("performance-monitor", text, result, invocation.operation, "", tuple(desk.tx.ids))


# ── figures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def allocation_efficiency(invocation: Invocation, app: App) -> Reply:
    """Of the agents' time that one workflow held, or all, the share that was work; unknown before anything ran."""
    body(invocation).close()
    if not invocation.ids:
        log, name = Log.find(app.state), None
    else:
        log, name = _named(app, invocation.ids[0])
    if log is None:
        return _efficiency(invocation, None, {"efficiency": None, "allocated": 0.0, "busy": 0.0}, ())
    with log:
        used, events = measure(log.events(), default_capacity(app)["agents"], float("-inf"), app.clock(), name)
    told = {"efficiency": used.efficiency, "allocated": used.allocated, "busy": used.busy}
    metric = explaining(invocation)
    if metric not in (None, "", "utilisation"):
        raise BadInput("Here one figure is told.", field="--explain", allowed=("utilisation",))
    return _efficiency(invocation, name, told, () if metric is None else events)


def _named(app: App, name: str) -> tuple[Log, str]:
    """A workflow, or an id that resources were asked for under."""
    log = Log.find(app.state)
    for one in (name, name.removeprefix("workflow_")):
        if log is not None and log.allocations(one):
            return log, one
    if log is not None:
        log.close()
    found, row = find(app, name, field="workflow_id")
    return found, row.id


def _efficiency(invocation: Invocation, name: str | None, told: Mapping[str, Any], events: Sequence[str]) -> Reply:
    whose = name or "all workflows"
    share = _percent(told["efficiency"])
    text = f"{whose}: {share} of {said_seconds(told['allocated'])} allocated agent time was work (busy ÷ allocated)"
    result = {**told, **({"events": list(events)} if events else {})}
    text += f"\n  counted from {', '.join(events)}" if events else ""
    steps = ("stretto resource-manager usage",)
    return Reply("performance-monitor", text, result, invocation.operation, name or "", next_steps=steps)


def benchmark(invocation: Invocation, app: App) -> Reply:
    """`'{"workflow_type": …, "complexity": …, "metrics": […], "baseline_period": "last_30_days"}'`."""
    fields = body(invocation)
    kind, complexity = fields.text("workflow_type"), fields.choice("complexity", COMPLEXITIES)
    asked = asked_metrics(fields)
    label = fields.text("baseline_period") or "all"
    fields.close()
    log, found = finished(app, kind, complexity)
    when = period(label, log.events() if log else (), app.clock(), "baseline_period")
    if log:
        log.close()
    chosen = [m for m in found if when.holds(m.finished)]
    means = {name: metrics.mean([getattr(m, name) for m in chosen]) for name in asked}
    lines = [
        f"{len(chosen)} finished workflows in {label}",
        *(f"  {name}: {_mean(name, m)}" for name, m in means.items()),
    ]
    result: dict[str, Any] = {"period": label, "n": len(chosen), "metrics": {n: m._asdict() for n, m in means.items()}}
    metric = explaining(invocation)
    lines += explaining_lines({label: chosen}, metric)
    if metric is not None:
        result["explained_by"] = explained(chosen, metric)
    steps = ('stretto performance-monitor compare-optimization \'{"baseline": …, "current": …}\'',)
    return Reply("performance-monitor", "\n".join(lines), result, invocation.operation, next_steps=steps)


def compare(invocation: Invocation, app: App) -> Reply:
    """`'{"baseline": "pre_optimization_period", "current": "post_optimization_period", "metrics": […]}'`."""
    fields = body(invocation)
    labels = {name: fields.text(name) for name in ("baseline", "current")}
    kind, asked = fields.text("workflow_type"), asked_metrics(fields)
    fields.close()
    sides = sides_of(app, labels, kind)
    changes = {n: metrics.compare(*([getattr(m, n) for m in sides[s]] for s in ("baseline", "current"))) for n in asked}
    counts = ", ".join(f"{labels[name]}: n = {len(side)}" for name, side in sides.items())
    result: dict[str, Any] = {
        "periods": labels,
        "n": {name: len(side) for name, side in sides.items()},
        "metrics": {name: _change(d) for name, d in changes.items()},
    }
    metric = explaining(invocation)
    if metric is not None:
        result["explained_by"] = {name: explained(side, metric) for name, side in sides.items()}
    lines = [counts, *(f"  {name}: {_difference(name, d)}" for name, d in changes.items())]
    lines += explaining_lines(sides, metric)
    return Reply("performance-monitor", "\n".join(lines), result, invocation.operation)


def _change(d: Difference) -> dict[str, Any]:
    significant = None if d.p is None else d.p < _SIGNIFICANT
    return {**d._asdict(), "baseline": d.baseline._asdict(), "current": d.current._asdict(), "significant": significant}


def _difference(name: str, d: Difference) -> str:
    if d.points is None:
        return "not measured"
    relative = "" if d.relative is None else f", {d.relative * 100:+.1f} % relative"
    points = f"{d.points * 100:+.1f} points" if name in _SHARES else f"{d.points:+.3g}{_unit(name)}"
    if d.p is None:
        certain = "too few for a test"
    else:
        certain = f"p = {d.p:.3f}" + ("" if d.p < _SIGNIFICANT else ": no difference can be told from chance")
    return f"{_mean(name, d.baseline)} → {_mean(name, d.current)}: {points}{relative}; {certain}"


_SHARES = frozenset({"utilisation", "efficiency", "quality", "reliability"})


def _unit(name: str) -> str:
    return " s" if name == "time" else ""


def _mean(name: str, m: Mean) -> str:
    if m.mean is None:
        return "unknown"
    value = _percent(m.mean) if name in _SHARES else said_seconds(m.mean) if name == "time" else f"{m.mean:.2f}"
    if m.low is None or m.high is None:
        return f"{value} (n = {m.n})"
    scale = 100.0 if name in _SHARES else 1.0
    return f"{value} (n = {m.n}, 95 % {m.low * scale:.3g} to {m.high * scale:.3g})"


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share * 100:.0f} %"


def _word(value: bool | str) -> str:
    return value if isinstance(value, str) else "on" if value else "off"


OPERATIONS: operations.Operations = {
    "track": track,
    "test-mode": test_mode,
    "enable-learning": enable_learning,
    "allocation-efficiency": allocation_efficiency,
    "benchmark": benchmark,
    "compare-optimization": compare,
    "recovery-success": recovery_success,
    "regression": "performance_regression:regression",
    "recommendations": "performance_advice:recommendations",
}
