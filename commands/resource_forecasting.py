"""/resource-manager forecast, predict, plan-capacity, analyze-utilization: what may be needed, and what was used."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

from stretto.commands.app import App
from stretto.commands.coordinating import default_capacity, reading
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.resource_words import body, percent, reply, said
from stretto.graph.admission import capacity
from stretto.graph.analyze import TYPES
from stretto.graph.demand import ENOUGH
from stretto.graph.forecast import Forecaster, Phase
from stretto.graph.learning import PastWorkflow, past_workflows
from stretto.graph.requeue import again, jobs_of
from stretto.graph.resource_settings import resource_settings
from stretto.state.errors import BadInput
from stretto.state.log import Log
from stretto.state.moments import stamp
from stretto.state.units import said_seconds, seconds, share
from stretto.state.usage import measure

METRICS = ("duration", "agents", "memory")
_BUCKETS = 12


def forecast(invocation: Invocation, app: App) -> Reply:
    """What a workflow of a type will need: the median, the interval, how many stand behind it."""
    _no_scope(invocation)
    fields = body(invocation)
    kind = fields.choice("workflow_type", TYPES)
    metrics = (fields.choice("metric", METRICS),) if "metric" in fields else METRICS
    fields.raw("metric")
    level = fields.number("confidence_level", least=0.5, most=0.99)
    level = fields.number("confidence_interval", 0.8, least=0.5, most=0.99) if level is None else level
    fields.number("confidence_interval")
    fields.close()
    level = 0.8 if level is None else level
    with reading(app) as log:
        past = past_workflows(log, resource_settings(log.database).learning, app.clock())
    past = [one for one in past if kind in ("", one.kind)]
    found = {name: _quantities(past, name, kind, level) for name in metrics}
    lines = [_line(name, one) for name, one in found.items()]
    result = {"workflow_type": kind or "all", "level": level, "forecast": found}
    return reply(invocation, "\n".join(lines), result, steps=("stretto resource-manager plan-capacity",))


def _no_scope(invocation: Invocation) -> None:
    if invocation.words:
        raise BadInput(f"{invocation.operation} takes no scope.", field="scope")


def _quantities(past: Sequence[PastWorkflow], metric: str, kind: str, level: float) -> dict[str, Any]:
    if metric == "duration":
        teacher = Forecaster()
        for one in sorted(past, key=lambda p: p.finished):
            teacher.observe(Phase(one.kind), one.seconds)
        found = teacher.forecast(Phase(kind or (past[-1].kind if past else "")), level)
        kept = found._asdict()
        return {name: kept[name] for name in ("low", "likely", "high", "n", "basis")}
    values = sorted(v for one in past if (v := (one.agents if metric == "agents" else one.memory)) is not None)
    if len(values) < ENOUGH:
        why = f"{len(values)} finished workflows that recorded it, at least {ENOUGH} are needed"
        return {"low": None, "likely": None, "high": None, "n": len(values), "basis": why}
    low, likely, high = (values[round(p * (len(values) - 1))] for p in ((1 - level) / 2, 0.5, (1 + level) / 2))
    return {"low": low, "likely": likely, "high": high, "n": len(values), "basis": f"{len(values)} finished workflows"}


def _line(name: str, one: Mapping[str, Any]) -> str:
    likely, low, high = (said_seconds(v) if name == "duration" else said(name, v) for v in _three(one))
    return f"{name}: {likely} ({low} to {high}), n = {one['n']}; {one['basis']}"


def _three(one: Mapping[str, Any]) -> tuple[float | None, ...]:
    return tuple(one[key] for key in ("likely", "low", "high"))


# ── capacity ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def plan_capacity(invocation: Invocation, app: App) -> Reply:
    """How long requests would wait with fewer or more agents: those of the past, met again, closer if asked."""
    _no_scope(invocation)
    fields = body(invocation)
    growth = fields.read("growth_assumptions", share, 0.0)
    wait = fields.read("target_wait", seconds, 600.0)
    fields.close()
    with reading(app) as log:
        jobs = jobs_of(log.events())
        limits = capacity(log.database, default_capacity(app))
        policy = resource_settings(log.database).policy
    if len(jobs) < ENOUGH:
        why = f"unknown: {len(jobs)} requests were granted and given back, at least {ENOUGH} are needed"
        return reply(invocation, why, {"plan": None, "n": len(jobs), "reason": why})
    most = max(round(limits["agents"]) * 2, *(round(job.demand.get("agents", 0)) for job in jobs))
    least = max(round(job.demand.get("agents", 1)) for job in jobs)
    rows: list[dict[str, Any]] = []
    for agents in range(max(least, 1), most + 1):
        found = again(jobs, {**limits, "agents": agents}, policy, growth)
        rows.append(
            {
                "agents": agents,
                "mean_wait_seconds": fmean(found.waits),
                "p95_wait_seconds": found.wait(0.95),
                "utilisation": found.utilisation,
            }
        )
    enough = next((row["agents"] for row in rows if row["p95_wait_seconds"] <= wait), None)
    result = {"plan": rows, "n": len(jobs), "enough": enough, "target_wait_seconds": wait, "growth": growth}
    lines = [
        f"{row['agents']:>3} agents  mean wait {said_seconds(row['mean_wait_seconds'])}  p95"
        f" {said_seconds(row['p95_wait_seconds'])}  used {percent(row['utilisation'])}"
        for row in rows
    ]
    told = "none of these is enough" if enough is None else f"{enough} agents are enough"
    lines.append(f"{told} for a p95 wait of {said_seconds(wait)}; {len(jobs)} past requests met again")
    steps = (f'stretto resource-manager configure \'{{"capacity": {{"agents": {enough}}}}}\'',) if enough else ()
    return reply(invocation, "\n".join(lines), result, steps=steps)


# ── what was used ────────────────────────────────────────────────────────────────────────────────────────────────────


def analyze(invocation: Invocation, app: App) -> Reply:
    """Utilisation over time and by workflow, and whose agents did nothing."""
    _no_scope(invocation)
    fields = body(invocation)
    period = fields.read("time_period", seconds, None)
    fields.close()
    now = app.clock()
    with reading(app) as log:
        agents = default_capacity(app)["agents"]
        whole, events = measure(log.events(), agents, float("-inf") if period is None else now - period, now)
        buckets = _buckets(log, agents, whole.since, now)
        by_workflow = _by_workflow(log, agents, whole.since, now)
    idle = [
        name
        for name, use in by_workflow.items()
        if use["allocated_agent_seconds"] and use["busy_agent_seconds"] < use["allocated_agent_seconds"] / 2
    ]
    result: dict[str, Any] = {
        "since": stamp(whole.since),
        "allocated_share": whole.allocated_share,
        "busy_share": whole.busy_share,
        "efficiency": whole.efficiency,
        "over_time": buckets,
        "workflows": by_workflow,
        "mostly_idle": idle,
    }
    if "explain" in invocation.flags:
        result["explained_by"] = list(events)
    lines = [f"allocated {percent(whole.allocated_share)}, busy {percent(whole.busy_share)} of the agents' time"]
    lines += [f"  {one['since']}  {percent(one['allocated_share'])}  {percent(one['busy_share'])}" for one in buckets]
    lines += [f"{name}: of the allocated, busy {percent(use['efficiency'])}" for name, use in by_workflow.items()]
    lines += [f"{name} does less than half of what it could with what it holds" for name in idle]
    return reply(invocation, "\n".join(lines), result, steps=("stretto resource-manager status",))


def _buckets(log: Log, agents: float, since: float, now: float) -> list[dict[str, Any]]:
    if now <= since:
        return []
    edges = [since + (now - since) * n / _BUCKETS for n in range(_BUCKETS + 1)]
    found: list[dict[str, Any]] = []
    for start, end in pairwise(edges):
        use, _ = measure(log.events(), agents, start, end)
        found.append({"since": stamp(start), "allocated_share": use.allocated_share, "busy_share": use.busy_share})
    return found


def _by_workflow(log: Log, agents: float, since: float, now: float) -> dict[str, dict[str, Any]]:
    names = dict.fromkeys(one.workflow_id for one in log.allocations())
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        use, _ = measure(log.events(name), agents, since, now, only=name)
        found[name] = {
            "allocated_agent_seconds": use.allocated,
            "busy_agent_seconds": use.busy,
            "efficiency": use.efficiency,
        }
    return found
