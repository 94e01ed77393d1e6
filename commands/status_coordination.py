"""What /workflow-status adds for a workflow that commands move: what it holds, who works for it, what it waits for."""

from typing import Any

from stretto.commands.app import App
from stretto.commands.coordinating import default_capacity
from stretto.graph import coordination
from stretto.graph.admission import capacity
from stretto.graph.coordination import RUNNER
from stretto.graph.progress import figures, progress
from stretto.state.allocation import Allocation, in_use
from stretto.state.log import Log
from stretto.state.moments import stamp
from stretto.state.rows import WorkflowRow
from stretto.state.transaction import Transaction
from stretto.state.units import said_bytes, said_seconds

Told = tuple[list[str], dict[str, Any]]


def about(log: Log, row: WorkflowRow, app: App) -> Told:
    """Lines and data on what a coordinated workflow holds or waits for, and how long it should take."""
    if row.runner != RUNNER:
        return [], {}
    held = log.allocations(row.id, live=True)
    agents = [agent for agent in log.agents() if agent.workflow_id == row.id]
    asked = coordination.coordinated(row)
    left = progress(row, figures(log.events()), app.clock()).left
    lines = [f"  {_holds(one)}" for one in held] or ["  holds nothing"]
    lines += [f"  {agent.agent_id} works for it ({agent.role or 'no role'}, since {agent.since})" for agent in agents]
    usage = _usage(log, app)
    lines += [f"  {_used(name, *amounts)}" for name, amounts in usage.items()]
    between = f"between {said_seconds(left.low)} and {said_seconds(left.high)}"
    lines.append(f"  left: {said_seconds(left.likely)}, {between} ({left.basis})")
    data = {
        "priority": asked.priority,
        "allocations": [_told(one) for one in held],
        "agents": [agent._asdict() for agent in agents],
        "utilisation": {name: {"allocated": used, "capacity": most} for name, (used, most) in usage.items()},
        "left": left._asdict(),
        "state_sync": asked.state_sync,
        "monitoring": asked.monitoring,
    }
    return lines, data


def _usage(log: Log, app: App) -> dict[str, tuple[float, float]]:
    """Of everything, how much all workflows hold at this moment, and how much there is."""
    used = in_use([one for one in log.allocations(live=True) if one.state == "active"])
    return {name: (used.get(name, 0), most) for name, most in capacity(log.database, default_capacity(app)).items()}


def _used(name: str, used: float, most: float) -> str:
    amounts = (said_bytes(used), said_bytes(most)) if name == "memory" else (f"{used:g}", f"{most:g}")
    return f"{name}: {amounts[0]} of {amounts[1]} allocated to all"


def _holds(one: Allocation) -> str:
    amounts = one.granted if one.state in ("active", "reserved") else one.wanted
    parts = [f"{v:g} {k}" for k, v in amounts.items() if isinstance(v, int | float) and k not in ("memory", "seconds")]
    if memory := amounts.get("memory"):
        parts.append(f"{said_bytes(memory)} memory")
    parts += [f"the file {path}" for path in amounts.get("files", ())]
    word = {"active": "holds", "reserved": "has reserved", "queued": "waits for"}[one.state]
    until = f", until {one.until}" if one.until else ""
    return f"{word} {', '.join(parts)} ({one.id}, since {one.since}{until})"


def _told(one: Allocation) -> dict[str, Any]:
    amounts = {"wanted": one.wanted, "granted": one.granted}
    return {"allocation_id": one.id, "state": one.state, **amounts, "since": one.since, "until": one.until}


def dependencies(log: Log, row: WorkflowRow) -> Told:
    """What it waits for: workflows, gates, external names; and for each phase, those before it."""
    if row.runner != RUNNER:
        return _driven(row)
    reader = Transaction(log.database, stamp(0), None)
    waits = coordination.waits_for(reader, row)
    order = coordination.coordinated(row).order()
    lines = [f"  {w.name}: {w.kind}, {w.state}{'' if w.satisfied else ', waited for'}" for w in waits]
    lines += _phases(order)
    data = {"dependencies": [w._asdict() for w in waits], "phases_after": {k: list(v) for k, v in order.items()}}
    return lines or ["  waits for nothing"], data


def _driven(row: WorkflowRow) -> Told:
    from stretto.graph.spec import Spec, waits

    order = waits(Spec.model_validate(row.spec))
    return _phases(order), {"dependencies": [], "phases_after": {k: list(v) for k, v in order.items()}}


def _phases(order: dict[str, tuple[str, ...]]) -> list[str]:
    return [f"  phase {name} comes after {', '.join(before)}" for name, before in order.items() if before]
