"""Agents chosen by score for a workflow, and the open work of one handed to the others."""

from collections.abc import Sequence
from typing import NamedTuple

from stretto.graph import coordination, recovery
from stretto.graph.agent_score import Scored, best, records
from stretto.graph.failing import work_of
from stretto.state import pool
from stretto.state.errors import NotFound, StateConflict
from stretto.state.rows import WorkflowRow
from stretto.state.transaction import Transaction


class Wanted(NamedTuple):
    """So many agents, one for each role in turn, none less reliable than `threshold`, a share."""

    agents: int
    roles: tuple[str, ...]
    threshold: float


def choose(tx: Transaction, row: WorkflowRow, wanted: Wanted, size: int) -> list[tuple[Scored, str]]:
    """The idle agents of the highest scores, each with the role that it is wanted for. Nothing is given yet.

    Raises:
        StateConflict: Fewer are idle and reliable enough.
    """
    known = records(recovery.all_events(tx))
    idle = [one for one in pool.fill(tx, size) if one.state == "idle"]
    found: list[tuple[Scored, str]] = []
    for number in range(wanted.agents):
        role = wanted.roles[number % len(wanted.roles)] if wanted.roles else ""
        taken = {one.agent.agent_id for one, _ in found}
        left = [one for one in idle if one.agent_id not in taken]
        fit = [s for s in best(left, (role,) if role else (), known) if s.record.reliability >= wanted.threshold]
        if not fit:
            raise StateConflict(
                f"{len(found)} of {wanted.agents} agents are idle and reliable enough for {row.id!r}. Nothing was"
                " written.",
                next_steps=("stretto coordination-hub monitor-pool",),
            )
        found.append((fit[0], role))
    return found


def redistribute(tx: Transaction, row: WorkflowRow, failed: str, *, least_loaded: bool) -> list[tuple[str, Scored]]:
    """Hand the open tasks of an agent, or the phases that it has begun, to the workflow's other agents, in their order.

    By score; with `least_loaded` by the number of open tasks, then by score. Each task counts for the next choice.

    Raises:
        NotFound: The workflow has no such agent.
        StateConflict: It has no other agent that could take them.
    """
    mine = [one for one in pool.agents(tx.database) if one.workflow_id == row.id]
    one = next((a for a in pool.agents(tx.database) if a.agent_id == failed), None)
    if one is None or (one.workflow_id != row.id and failed not in _holders(tx, row)):
        allowed = sorted(a.agent_id for a in mine)
        raise NotFound(f"{row.id!r} has no agent {failed!r}.", field="failed_agent", allowed=allowed)
    work = work_of(tx, row, {failed}, "")
    others = [a for a in mine if a.agent_id != failed and a.state == "busy"]
    if work and not others:
        raise StateConflict(
            f"{row.id!r} has no other agent to take {', '.join(work)}. Nothing was written.",
            next_steps=(f"stretto coordination-hub assign-agents {row.id} '{{\"agent_count\": 1}}'",),
        )
    return _hand_out(tx, row, one, work, others, least_loaded=least_loaded)


def _hand_out(
    tx: Transaction,
    row: WorkflowRow,
    old: pool.Agent,
    work: Sequence[str],
    others: Sequence[pool.Agent],
    *,
    least_loaded: bool,
) -> list[tuple[str, Scored]]:
    known, moved = records(recovery.all_events(tx)), list[tuple[str, Scored]]()
    for task in work:
        ranked = best(others, (old.role,) if old.role else (), known)
        chosen = min(ranked, key=lambda s: len(s.record.open)) if least_loaded else ranked[0]
        moved.append((task, chosen))
        name = chosen.agent.agent_id
        known[name] = chosen.record._replace(open=(*chosen.record.open, f"{row.id}:{task}"))
        facts = {
            "task_id": task,
            "old_agent": old.agent_id,
            "new_agent": name,
            "agent_id": name,
            "reason": f"agent {old.agent_id} failed",
            "score": round(chosen.score, 2),
        }
        tx.event("TASK_REASSIGNED", row.id, row.phase, facts)
    return moved


def _holders(tx: Transaction, row: WorkflowRow) -> set[str]:
    return {task.agent for task in coordination.view_of(tx, row.id).tasks.values()}
