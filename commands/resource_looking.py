"""/resource-manager status, usage, monitor, capacity: what there is, who has it, who waits, and how it was used."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from stretto.commands.app import App
from stretto.commands.coordinating import default_capacity
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.resource_words import as_row, body, percent, reply, said, said_demand
from stretto.graph import admission
from stretto.graph.learning import told_learning
from stretto.graph.resource_settings import resource_settings
from stretto.state.allocation import holds, in_use
from stretto.state.errors import BadInput
from stretto.state.log import Log
from stretto.state.moments import stamp
from stretto.state.pool import Agent, everybody
from stretto.state.units import said_seconds, seconds
from stretto.state.usage import measure

SCOPES = ("system", "agents", "workflows", "cpu", "memory")
_SECTIONS = {
    "status": ("amounts", "queue", "agents", "utilisation", "settings"),
    "usage": ("amounts", "utilisation"),
    "monitor": ("amounts", "queue", "thresholds"),
    "capacity": ("amounts",),
}
_THRESHOLDS = {"agents": 0.9, "cpu": 0.8, "memory": 0.85}
"""Allocated shares above which `monitor` warns."""


class _Seen(NamedTuple):
    """What was read of the store."""

    amounts: dict[str, dict[str, float]]
    queue: list[dict[str, Any]]
    agents: list[dict[str, Any]]
    allocations: list[dict[str, Any]]
    utilisation: dict[str, Any]
    settings: dict[str, Any]


def show(invocation: Invocation, app: App) -> Reply:
    """`status [SCOPE] ['{"window": "1h"}']`, and its parts `usage`, `monitor`, `capacity`."""
    scope = invocation.words[0].text if invocation.words else "system"
    if scope not in SCOPES:
        raise BadInput(f"There is nothing to show of {scope!r}.", field="scope", allowed=SCOPES)
    fields = body(invocation)
    window = fields.read("window", seconds, None)
    fields.close()
    seen = _see(app, window, explain="explain" in invocation.flags)
    parts = _SECTIONS[invocation.operation]
    warnings = _warnings(seen.amounts)
    result: dict[str, Any] = {"scope": scope, **_amounts(seen, scope), **_rest(seen, scope, parts)}
    if "thresholds" in parts:
        result["warnings"] = warnings
    lines = [*_lines(seen, scope, parts), *(warnings if "thresholds" in parts else ())]
    return reply(invocation, "\n".join(lines), result, steps=_steps(seen))


def _see(app: App, window: float | None, *, explain: bool) -> _Seen:
    defaults = default_capacity(app)
    log = Log.find(app.state)
    if log is None:
        amounts = {name: {"capacity": most, "allocated": 0.0, "free": most} for name, most in defaults.items()}
        return _Seen(amounts, [], _agents([], round(defaults["agents"])), [], _nothing(), _no_settings())
    with log:
        return _read(log, defaults, app.clock(), window, explain=explain)


def _read(log: Log, defaults: dict[str, float], now: float, window: float | None, *, explain: bool) -> _Seen:
    limits = admission.capacity(log.database, defaults)
    live = log.allocations(live=True)
    stamped = stamp(now)
    used = in_use([one for one in live if one.state == "active"])
    kept = in_use([one for one in live if one.state == "reserved"], stamped)
    amounts = {
        name: {
            "capacity": most,
            "allocated": used.get(name, 0.0),
            **({"reserved": kept[name]} if kept.get(name) else {}),
            "free": max(most - used.get(name, 0.0) - kept.get(name, 0.0), 0.0),
        }
        for name, most in limits.items()
    }
    queue = [
        {
            "position": decision.position,
            "allocation_id": one.id,
            "workflow_id": one.workflow_id,
            "priority": one.priority,
            "wanted": one.wanted,
            "requested": one.requested,
            "estimated_start_seconds": decision.start,
            "estimated_start": said_seconds(decision.start),
            "reason": decision.reason,
        }
        for one, decision in _waits(log, limits, now)
    ]
    rows = [as_row(one) for one in live if one.state == "active" or not holds(one, stamped)]
    failed = sum(one.state == "failed" for one in log.agents())
    agents = _agents(log.agents(), round(limits["agents"]) + failed)
    usage = _utilisation(log, defaults["agents"], now, window, explain=explain)
    return _Seen(amounts, queue, agents, rows, usage, _settings(log, now))


def _waits(log: Log, limits: dict[str, float], now: float) -> list[tuple[Any, admission.Decision]]:
    """Those who wait. Who would start now does so with the next command; it stands in front."""
    picture = admission.look(log.glance(), limits, now)
    next_ = [
        (one, admission.Decision(one.workflow_id, False, at, 0.0, "starts with the next admission", one.id))
        for at, one in enumerate(picture.starts, 1)
    ]
    return [*next_, *((one, d._replace(position=d.position + len(next_))) for one, d in picture.waits)]


def _agents(rows: Sequence[Agent], size: int) -> list[dict[str, Any]]:
    return [one._asdict() for one in everybody(rows, size)]


def _utilisation(log: Log, agents: float, now: float, window: float | None, *, explain: bool) -> dict[str, Any]:
    since = float("-inf") if window is None else now - window
    found, events = measure(log.events(), agents, since, now)
    return {
        "window_seconds": max(found.until - found.since, 0.0),
        "capacity_agent_seconds": found.capacity,
        "allocated_agent_seconds": found.allocated,
        "busy_agent_seconds": found.busy,
        "allocated_share": found.allocated_share,
        "busy_share": found.busy_share,
        "efficiency": found.efficiency,
        **({"explained_by": list(events)} if explain else {}),
    }


def _nothing() -> dict[str, Any]:
    return {"window_seconds": 0.0, "allocated_share": None, "busy_share": None, "efficiency": None}


def _settings(log: Log, now: float) -> dict[str, Any]:
    found = resource_settings(log.database)
    return {
        "version": found.version,
        "prediction_mode": found.prediction,
        "learning_data": told_learning(log, found.learning, now),
        "optimization_strategy": found.strategy,
        "conflict_prevention": found.prevention,
        "scheduler": {
            **found.policy._asdict(),
            "ranks": {name: rank._asdict() for name, rank in found.policy.ranks.items()},
        },
    }


def _no_settings() -> dict[str, Any]:
    return {"version": 0}


# ── what of it is asked for ──────────────────────────────────────────────────────────────────────────────────────────


def _amounts(seen: _Seen, scope: str) -> dict[str, Any]:
    names = [scope] if scope in seen.amounts else [*seen.amounts]
    keys = ("capacity", "allocated", "free")
    return {key: {name: seen.amounts[name][key] for name in names} for key in keys}


def _rest(seen: _Seen, scope: str, parts: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "queue" in parts and scope in ("system", "workflows"):
        found["queue"] = seen.queue
        found["allocations"] = seen.allocations
    if "agents" in parts and scope in ("system", "agents"):
        found["agents"] = seen.agents
    if "utilisation" in parts and scope in ("system", "agents"):
        found["utilisation"] = seen.utilisation
    if "settings" in parts and scope == "system":
        found["settings"] = seen.settings
    return found


def _lines(seen: _Seen, scope: str, parts: Sequence[str]) -> list[str]:
    shown = _rest(seen, scope, parts)
    lines = [
        f"{name:<10} {said(name, of['allocated'])} of {said(name, of['capacity'])} allocated, {said(name, of['free'])}"
        " free"
        for name, of in seen.amounts.items()
        if scope in (name, "system") or scope not in seen.amounts
    ]
    if "queue" in shown:
        lines += ["", "queue", *(_waiting(one) for one in seen.queue)] if seen.queue else ["", "nobody waits"]
    if "agents" in shown:
        lines += ["", "agents", *(_agent(one) for one in seen.agents)]
        unnamed = round(seen.amounts["agents"]["allocated"]) - sum(one["state"] == "busy" for one in seen.agents)
        lines += [f"  {unnamed} of the idle ones are allocated, though nobody has named them"] if unnamed > 0 else []
    if "utilisation" in shown:
        use = seen.utilisation
        lines += [
            "",
            f"of the agents' time in the last {said_seconds(use['window_seconds'])}: allocated"
            f" {percent(use['allocated_share'])}, busy {percent(use['busy_share'])}; of the allocated, busy"
            f" {percent(use['efficiency'])}",
        ]
    return lines


def _waiting(one: dict[str, Any]) -> str:
    start = f"start in {one['estimated_start']}"
    return (
        f"  {one['position']}  {one['workflow_id']}  {one['priority']}  {said_demand(one['wanted'])}  {start}"
        f"  ({one['reason']})"
    )


def _agent(one: dict[str, Any]) -> str:
    return "  ".join(filter(None, (f"  {one['agent_id']}", one["state"], one["role"], one["workflow_id"])))


def _warnings(amounts: dict[str, dict[str, float]]) -> list[str]:
    return [
        f"{name}: {percent(of['allocated'] / of['capacity'])} allocated, above {percent(_THRESHOLDS[name])}"
        for name, of in amounts.items()
        if name in _THRESHOLDS and of["capacity"] and of["allocated"] / of["capacity"] > _THRESHOLDS[name]
    ]


def _steps(seen: _Seen) -> tuple[str, ...]:
    if seen.queue:
        return (f"stretto workflow-status {seen.queue[0]['workflow_id']} --detailed",)
    return ("stretto resource-manager allocate ID --agents=1",)
