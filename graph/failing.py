"""A component that fails: its agents leave the pool, nobody else's do, and the work it had is handed out again.

The agents of a component are those of its name, else those of the workflow whose role or whose task it is: a component
and a role, a task or a phase belong together when they share a word (`database_service`, role `database`, phase
`database_migration`). They stay out of the pool, and out of the capacity, until somebody puts them back.
"""

import re
from typing import Literal, NamedTuple

from stretto.graph import coordination
from stretto.state import allocation, pool
from stretto.state.allocation import Allocation
from stretto.state.pool import Agent
from stretto.state.rows import WorkflowRow
from stretto.state.transaction import Transaction

Strategy = Literal["isolate_and_recover", "isolate", "restart"]
STRATEGIES = ("isolate_and_recover", "isolate", "restart")
"""Take the agents out and ask for others; take them out only; let them go back to the pool and ask for others."""
_WORD = re.compile(r"[a-z0-9]+")
_COMMON = frozenset({"service", "agent", "agents", "server", "component", "the", "of", "phase", "task"})


class Isolated(NamedTuple):
    """What was done: agents that left, what of their allocations was taken back, work handed out again, new agents.

    `waiting` is the request for agents in their place that could not be met at once.
    """

    agents: tuple[Agent, ...]
    shrunk: tuple[Allocation, ...]
    requeued: tuple[str, ...]
    instead: tuple[Agent, ...]
    asked: str


def belong(component: str, name: str) -> bool:
    """Whether a role, a task or a phase is a component's."""
    return bool(_words(component) & _words(name))


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower())) - _COMMON


def agents_of(tx: Transaction, row: WorkflowRow, component: str) -> list[Agent]:
    """The agents of the pool that a component of a workflow consists of."""
    known = pool.agents(tx.database)
    if named := [one for one in known if one.agent_id == component and one.state != "failed"]:
        return named
    mine = [one for one in known if one.workflow_id == row.id]
    if by_role := [one for one in mine if belong(component, one.role)]:
        return by_role
    view = coordination.view_of(tx, row.id)
    at_work = {t.agent for t in view.tasks.values() if belong(component, f"{t.phase} {t.task_id}")}
    return [one for one in mine if one.agent_id in at_work]


def isolate(
    tx: Transaction, row: WorkflowRow, component: str, strategy: Strategy, capacity: dict[str, float]
) -> Isolated:
    """Take a component's agents away; with a strategy that recovers, ask for as many others. Admission follows."""
    those = agents_of(tx, row, component)
    reason = f"component {component} failed"
    shrunk = _take_back(tx, those, reason)
    pool.let_go(tx, those, reason, "idle" if strategy == "restart" else "failed")
    work = work_of(tx, row, {one.agent_id for one in those}, component)
    asked = ""
    if those and strategy != "isolate":
        left = capacity["agents"] - (0 if strategy == "restart" else len(those))
        wanted = min(len(those), max(left, 0))
        if wanted:
            role = next((one.role for one in those if one.role), "")
            demand = {"agents": wanted, **({"specialization": role} if role else {})}
            asked = allocation.ask(tx, row.id, _priority(row), demand, {**capacity, "agents": left}).id
    return Isolated(tuple(those), shrunk, work, (), asked)


def hand_out_again(tx: Transaction, row: WorkflowRow, done: Isolated, component: str) -> Isolated:
    """Say who has the work now: the agents that came instead, or nobody yet. After admission."""
    instead = [one for one in pool.agents(tx.database) if done.asked and one.allocation_id == done.asked]
    for at, task in enumerate(done.requeued):
        old = done.agents[at % len(done.agents)].agent_id if done.agents else ""
        new = instead[at % len(instead)].agent_id if instead else ""
        facts = {"task_id": task, "old_agent": old, "new_agent": new, "reason": f"component {component} failed"}
        tx.event("TASK_REASSIGNED", row.id, row.phase, facts)
    return done._replace(instead=tuple(instead))


def _priority(row: WorkflowRow) -> str:
    spec = row.spec.get("coordination", row.spec)
    return str(spec.get("priority", "medium"))


def _take_back(tx: Transaction, those: list[Agent], reason: str) -> tuple[Allocation, ...]:
    """Every agent counts in the allocation that it was given in, or in one of its workflow's."""
    found: list[Allocation] = []
    for one in those:
        live = [a for a in allocation.live_allocations(tx.database, one.workflow_id) if a.state == "active"]
        held = next((a for a in live if a.id == one.allocation_id), None)
        held = held or next((a for a in live if a.granted.get("agents", 0) >= 1), None)
        if held is None or held.granted.get("agents", 0) < 1:
            continue
        names = [name for name in held.granted.get("agent_ids", ()) if name != one.agent_id]
        if "agent_ids" in held.granted:
            held = held._replace(granted={**held.granted, "agent_ids": names})
        found.append(allocation.shrink(tx, held, {"agents": 1}, reason))
    return tuple({a.id: a for a in found}.values())


def work_of(tx: Transaction, row: WorkflowRow, agents: set[str], component: str) -> tuple[str, ...]:
    """The open tasks of these agents, and of the component; where there are no tasks, its phases in progress.

    What a driver has at work stays with it: it alone knows how to begin it again.
    """
    view = coordination.view_of(tx, row.id)
    its = () if row.runner == coordination.RUNNER else ("running", "retrying")
    open_ = [t for t in view.tasks.values() if t.state not in ("completed", *its)]
    if tasks := [t.task_id for t in open_ if t.agent in agents or belong(component, f"{t.phase} {t.task_id}")]:
        return tuple(tasks)
    begun = [p.name for p in view.phases.values() if p.state in ("in_progress", "failed")]
    named = [name for name in begun if belong(component, name)]
    return tuple(f"{name}/{name}" for name in (named or (begun if agents else ())))
