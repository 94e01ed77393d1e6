"""/coordination-hub assign-agents, redistribute-tasks and monitor-pool: who works for whom, by a published score."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from stretto.commands.amounts import some
from stretto.commands.app import App
from stretto.commands.coordinating import Desk, default_capacity, reading, workflow_named, writing
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.resource_changing import changed
from stretto.graph import admission, agent_score, coordination, redistributing
from stretto.graph.agent_score import Record, Scored
from stretto.state import allocation, pool
from stretto.state.errors import BadInput
from stretto.state.log import Log
from stretto.state.pool import Agent
from stretto.state.rows import WorkflowRow

STRATEGIES = ("score", "least_loaded")
_LIST = """'[{"agent_id": "agent_001", "role": "database"}]'"""
_COUNT = """'{"agent_count": 2, "specializations": ["database"]}'"""


def assign_agents(invocation: Invocation, app: App) -> Reply:
    """`ID assign-agents '[{"agent_id": …, "role": …}]'`; by score `'{"agent_count": 2, "specializations": […]}'`."""
    asked = invocation.json[0] if invocation.json else None
    if not isinstance(asked, list | dict) or not asked:
        raise BadInput("Which agents?", field="json", next_steps=(f"… {_LIST}", f"… {_COUNT}"))
    by_score = _by_score(cast("object", asked)) if isinstance(asked, dict) else None
    named = [_named(item, f"[{i}]") for i, item in enumerate(cast("list[object]", asked))] if by_score is None else []
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        coordination.coordinated(row)
        size = round(desk.capacity["agents"])
        chosen = redistributing.choose(desk.tx, row, by_score, size) if by_score else []
        named += [(one.agent.agent_id, role) for one, role in chosen]
        _hold_for(desk, row, {name for name, _ in named})
        given = coordination.assign(desk.tx, row, named, size)
    told = ", ".join(f"{one.agent_id} ({one.role or 'no role'})" for one in given)
    lines = [f"{row.id} has {told}.", *(_scored(one) for one, _ in chosen)]
    result: dict[str, Any] = {"agents": [one._asdict() for one in given]}
    if by_score:
        result["scores"] = [_row(one) for one, _ in chosen]
    steps = (f"stretto workflow-status {row.id} --detailed",)
    wrote = tuple(desk.tx.ids)
    return Reply("coordination-hub", "\n".join(lines), result, invocation.operation, row.id, wrote, steps)


def _hold_for(desk: Desk, row: WorkflowRow, names: set[str]) -> None:
    """Let a workflow hold as many agents as are named for it, if that is more and they are free."""
    active = [a for a in allocation.live_allocations(desk.tx.database, row.id) if a.state == "active"]
    mine = names | {one.agent_id for one in pool.agents(desk.tx.database) if one.workflow_id == row.id}
    more = len(mine) - round(sum(a.granted.get("agents", 0) for a in active))
    if active and more > 0:
        changed(desk, active[0], {"agents": active[0].granted.get("agents", 0) + more})


def _named(item: object, field: str) -> tuple[str, str]:
    fields = Fields(item, field)
    found = fields.text("agent_id"), fields.text("role")
    fields.close()
    if not found[0]:
        raise BadInput(f"{field} names no agent.", field=f"{field}.agent_id")
    return found


def _by_score(asked: object) -> redistributing.Wanted:
    fields = Fields(asked)
    roles = fields.texts("specializations")
    count = fields.whole("agent_count", max(len(roles), 1), least=1, most=10_000) or 1
    threshold = fields.number("performance_threshold", 0.0, most=1.0) or 0.0
    fields.close()
    return redistributing.Wanted(count, roles, threshold)


def redistribute(invocation: Invocation, app: App) -> Reply:
    """`ID redistribute-tasks '{"failed_agent": "agent_003", "strategy": "score"}'`: its open work goes to others."""
    fields = Fields(invocation.json[0] if invocation.json else {})
    failed = fields.text("failed_agent")
    strategy = fields.choice("strategy", STRATEGIES, "score")
    fields.always("preserve_order")
    fields.close()
    if not failed:
        raise BadInput("Whose tasks?", field="failed_agent", allowed=("an agent's id",))
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        coordination.coordinated(row)
        moved = redistributing.redistribute(desk.tx, row, failed, least_loaded=strategy == "least_loaded")
    lines = [f"{row.id}: {task} → {one.agent.agent_id}  ({_why(one)})" for task, one in moved]
    lines = lines or [f"{row.id}: {failed} has no open task; nothing was moved."]
    result = {
        "failed_agent": failed,
        "strategy": strategy,
        "moved": [{"task_id": task, "new_agent": one.agent.agent_id, **_parts(one)} for task, one in moved],
    }
    steps = (
        f"""stretto resource-manager handle-failure {row.id} '{{"failed_component": "{failed}"}}'   (takes it out)""",
        "stretto coordination-hub monitor-pool",
    )
    wrote = tuple(desk.tx.ids)
    return Reply("coordination-hub", "\n".join(lines), result, invocation.operation, row.id, wrote, steps)


def monitor_pool(invocation: Invocation, app: App) -> Reply:
    """`[ID] monitor-pool`: every agent, who has it, its tasks, how it did; with an id, those of one workflow."""
    Fields(invocation.json[0] if invocation.json else {}).close()
    limits = default_capacity(app)
    log = Log.find(app.state)
    if log is None and not invocation.ids:
        return _pool(pool.everybody([], round(limits["agents"])), {}, limits["agents"], invocation.operation)
    with reading(app) as log:
        row = coordination.row_of(log.glance(), invocation.ids[0]) if invocation.ids else None
        known = agent_score.records(log.events())
        rows = pool.agents(log.database)
        most = admission.capacity(log.database, limits)["agents"]
    if row:
        its = [one for one in rows if one.workflow_id == row.id]
        return _pool(its, known, most, invocation.operation, row.id)
    failed = sum(one.state == "failed" for one in rows)
    return _pool(pool.everybody(rows, round(most) + failed), known, most, invocation.operation)


def _pool(
    agents: Sequence[Agent], known: Mapping[str, Record], most: float, operation: str, workflow: str = ""
) -> Reply:
    found = [agent_score.scored(one, (), known) for one in agents]
    states = [one.state for one in agents]
    counts: Mapping[str, int] = {state: states.count(state) for state in ("busy", "idle", "failed")}
    named = f" of {workflow}" if workflow else ""
    told = ", ".join(f"{count} {state}" for state, count in counts.items())
    lines = [f"{some(len(found), 'agent')}{named}: {told}; room for {most:g} at work"]
    lines += [f"  {_line(one)}" for one in found]
    result = {"max": most, **counts, "agents": [{**one.agent._asdict(), **_row(one)} for one in found]}
    steps = ("stretto resource-manager status agents",)
    return Reply("coordination-hub", "\n".join(lines), result, operation, workflow, next_steps=steps)


def _line(one: Scored) -> str:
    whose = f" for {one.agent.workflow_id}" if one.agent.workflow_id else ""
    seen = f"{one.record.done} done, {one.record.failed} failed" if _seen(one) else "not seen at work"
    has = f", has {', '.join(one.record.open)}" if one.record.open else ""
    return f"{one.agent.agent_id}  {one.agent.role or 'no role'}  {one.agent.state}{whose}: {seen}{has}"


def _seen(one: Scored) -> bool:
    return bool(one.record.done or one.record.failed)


def _scored(one: Scored) -> str:
    return f"  {one.agent.agent_id}: {_why(one)}"


def _why(one: Scored) -> str:
    fits = {1.0: "its role fits", 0.5: "it has no role"}.get(one.fit, "another role")
    seen = f"{one.record.done} done, {one.record.failed} failed" if _seen(one) else "not seen at work"
    return f"score {one.score:.1f}: {fits}, {seen}, {len(one.record.open)} open"


def _parts(one: Scored) -> dict[str, Any]:
    return {"score": round(one.score, 2), "fit": one.fit}


def _row(one: Scored) -> dict[str, Any]:
    record = one.record
    reliability = round(record.reliability, 4) if _seen(one) else None
    tasks: Sequence[str] = record.open
    counted = {"done": record.done, "failed": record.failed, "open": list(tasks), "reliability": reliability}
    return {"agent_id": one.agent.agent_id, **_parts(one), **counted}
