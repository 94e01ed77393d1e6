"""The pool: the agents that there are, what each is good for, and who has it.

An agent is idle, busy, or failed; a failed one is out of the pool until somebody puts it back.
"""

from __future__ import annotations

from collections.abc import Sequence

from stretto.state.database import Database
from stretto.state.errors import StateConflict
from stretto.state.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stretto.state.transaction import Transaction


class Agent(NamedTuple):
    """One agent. `role` is what it is good for, empty where nobody said; `since` is when its state began."""

    agent_id: str
    role: str
    state: str
    workflow_id: str
    allocation_id: str
    since: str


def agents(database: Database) -> list[Agent]:
    """All agents, by id."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'pool'"):
        return []
    return [Agent._make(row) for row in database.read("pool", "ORDER BY agent_id")]


def everybody(rows: Sequence[Agent], size: int) -> list[Agent]:
    """`size` agents and those that have a row, by id: whom nobody was ever given has none yet, and is idle."""
    known = {one.agent_id: one for one in rows}
    for number in range(1, size + 1):
        name = f"agent_{number:03d}"
        known.setdefault(name, Agent(name, "", "idle", "", "", ""))
    return [known[name] for name in sorted(known)]


def fill(tx: Transaction, size: int) -> list[Agent]:
    """All agents, after there are `size` of them: `agent_001` and so on. Writes no event: nobody has them yet."""
    known = {one.agent_id: one for one in agents(tx.database)}
    for number in range(1, size + 1):
        name = f"agent_{number:03d}"
        if name not in known:
            known[name] = Agent(name, "", "idle", "", "", tx.now)
            put(tx, known[name])
    return sorted(known.values())


def assign(tx: Transaction, one: Agent, workflow_id: str, role: str, allocation_id: str = "", phase: str = "") -> Agent:
    """Give an agent to a workflow and write AGENT_ALLOCATED.

    Raises:
        StateConflict: It works elsewhere, or has failed.
    """
    if one.state == "failed" or (one.state == "busy" and one.workflow_id != workflow_id):
        where = f"works for {one.workflow_id!r}" if one.state == "busy" else "has failed"
        raise StateConflict(
            f"Agent {one.agent_id!r} {where}; it was not assigned to {workflow_id!r}.",
            next_steps=("stretto resource-manager status agents",),
        )
    new = one._replace(role=role or one.role, state="busy", workflow_id=workflow_id, allocation_id=allocation_id)
    put(tx, new._replace(since=tx.now))
    facts = {"agent_id": one.agent_id, "role": new.role, "allocation_id": allocation_id}
    tx.event("AGENT_ALLOCATED", workflow_id, phase or "coordination", facts)
    return new


def let_go(tx: Transaction, those: Sequence[Agent], reason: str, state: str = "idle") -> None:
    """Take agents back and write AGENT_DEALLOCATED for each that somebody had; `failed` ones leave the pool."""
    for one in those:
        put(tx, Agent(one.agent_id, one.role, state, "", "", tx.now))
        facts = {"agent_id": one.agent_id, "reason": reason, "state": state}
        tx.event("AGENT_DEALLOCATED", one.workflow_id or "system", "coordination", facts)


def put(tx: Transaction, one: Agent) -> None:
    """Write one, in the place of an older one. Who calls this writes the event that tells of it."""
    tx.database.put("pool", tuple(one))
