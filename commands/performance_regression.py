"""/performance-monitor regression: whether workflows have become worse, and what would have been noticed."""

from collections.abc import Sequence
from typing import Any

from stretto.commands.app import App
from stretto.commands.invocation import Invocation
from stretto.commands.performance_words import asked_metrics, body, explained, explaining, explaining_lines, sides_of
from stretto.commands.reply import Reply
from stretto.graph.metrics import Metrics
from stretto.graph.regression import ALARMS, LEAST, POWER, RATIOS, Finding, regressions


def regression(invocation: Invocation, app: App) -> Reply:
    """`'{"baseline": "…", "current": "…", "metrics": […], "significance_threshold": 0.05}'`: exit code 0 either way."""
    fields = body(invocation)
    labels = {name: fields.text(name) for name in ("baseline", "current")}
    kind, asked = fields.text("workflow_type"), asked_metrics(fields)
    alarms = fields.number("significance_threshold", ALARMS, least=0.0001, most=0.2) or ALARMS
    fields.close()
    sides = sides_of(app, labels, kind)
    before, after = (
        {name: [getattr(m, name) for m in sides[side]] for name in asked} for side in ("baseline", "current")
    )
    found = regressions(before, after, alarms)
    worse = [one.metric for one in found if one.regressed]
    verdict = f"worse: {', '.join(worse)}" if worse else "nothing is known to be worse"
    lines = [
        f"{labels['baseline']} (n = {len(sides['baseline'])}) → {labels['current']} (n = {len(sides['current'])}):"
        f" {verdict}",
        *(_line(one) for one in found),
        f"  where nothing changed, an alarm comes in at most {alarms * 100:g} of 100 such looks",
    ]
    result: dict[str, Any] = {
        "periods": labels,
        "n": {name: len(side) for name, side in sides.items()},
        "significance_threshold": alarms,
        "power": POWER,
        "regressed": worse,
        "metrics": {one.metric: _told(one) for one in found},
        "slowest": _slowest(sides["current"]) if "time" in worse else [],
    }
    metric = explaining(invocation)
    if metric is not None:
        result["explained_by"] = {name: explained(side, metric) for name, side in sides.items()}
    lines += explaining_lines(sides, metric)
    lines += [f"  slowest now: {', '.join(result['slowest'])}"] if result["slowest"] else []
    steps = tuple(f"stretto workflow-status {name} --detailed" for name in result["slowest"][:1])
    return Reply("performance-monitor", "\n".join(lines), result, invocation.operation, next_steps=steps)


def _slowest(found: Sequence[Metrics]) -> list[str]:
    timed = [(m.time, m.workflow_id) for m in found if m.time is not None]
    return [name for _, name in sorted(timed, reverse=True)[:3]]


def _told(one: Finding) -> dict[str, Any]:
    unit = "share of the baseline" if one.metric in RATIOS else "points"
    return {**one._asdict(), "n": {"baseline": one.n[0], "current": one.n[1]}, "unit": unit}


def _line(one: Finding) -> str:
    if one.worse is None or one.p is None:
        return (
            f"  {one.metric}: not measured; a test needs {LEAST} values on each side, there are {one.n[0]}, {one.n[1]}"
        )
    unit = " %" if one.metric in RATIOS else " points"
    moved = f"{abs(one.worse) * 100:.1f}{unit} {'worse' if one.worse > 0 else 'better'}" if one.worse else "as before"
    verdict = "REGRESSED" if one.regressed else "no regression told"
    reach = "nothing varied"
    if one.noticeable is not None:
        reach = f"one of {one.noticeable * 100:.1f}{unit} is noticed four times in five"
    return f"  {one.metric}: {verdict} ({moved}, p = {one.p:.3f}; {reach})"
