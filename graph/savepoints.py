"""Named checkpoints of coordinated workflows: kept before each phase and on demand, checked, and gone back to.

A savepoint holds the workflow's status, its phases, its allocations and its agents, and names the git tree
that holds the project's files; each part has its SHA-256. Going back takes the files and the phases; what it held is
asked for again, so that nobody has more than there is. What the files were before is a savepoint too.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from typing import Any, Literal, NamedTuple

from stretto.graph import coordination
from stretto.state import allocation, pool, wire
from stretto.state.database import Database
from stretto.state.errors import BadInput, InvalidTransition, StoreDamaged
from stretto.state.queries import last_seq
from stretto.state.rows import WorkflowRow
from stretto.state.transaction import Transaction

Kind = Literal["manual", "phase_boundary", "before_restore", "interval"]
Part = Literal["phases", "resources", "files"]
PARTS: tuple[Part, ...] = ("phases", "resources", "files")
"""What a checkpoint holds, and what can go back without the rest."""


class Savepoint(NamedTuple):
    """One named checkpoint. `digest` is that of `snapshot`, whose `files` is the tree that holds the files."""

    id: str
    workflow_id: str
    name: str
    kind: str
    at: str
    snapshot: dict[str, Any]
    digest: str


class CheckpointDamaged(StoreDamaged):
    """A checkpoint is not what it was when it was made."""

    code = "CHECKPOINT_INTEGRITY_FAILURE"


def savepoints(database: Database, workflow_id: str | None = None) -> list[Savepoint]:
    """The checkpoints of one workflow or of all, oldest first."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'savepoints'"):
        return []
    where, values = ("WHERE workflow_id = ?", (workflow_id,)) if workflow_id is not None else ("", ())
    rows = database.read("savepoints", where, values)
    found = [Savepoint._make((*r[:5], json.loads(r[5]), r[6])) for r in rows]
    return sorted(found, key=lambda s: (s.snapshot["seq"], s.id))


def remove(tx: Transaction, row: WorkflowRow, gone: Sequence[Savepoint]) -> None:
    """Forget checkpoints, and say so in the log. The trees that hold their files are the caller's."""
    for one in gone:
        tx.database.execute("DELETE FROM savepoints WHERE id = ?", (one.id,))
    if gone:
        facts = {"checkpoints_removed": [one.id for one in gone]}
        tx.event("WORKFLOW_STATE_UPDATED", row.id, row.phase, facts)


class Kept(NamedTuple):
    """The project's files as they are: the tree that holds them, and how many seconds it took to make it."""

    tree: str
    seconds: float


def make(tx: Transaction, row: WorkflowRow, name: str, kind: Kind, files: Kept) -> Savepoint:
    """Keep a checkpoint and write CHECKPOINT_CREATED.

    Raises:
        BadInput: The name cannot stand in an event.
    """
    if not name or len(name) > 100 or not all(c.isalnum() or c in "_.- " for c in name) or not name.isascii():
        raise BadInput(f"{name[:40]!r} is no name of a checkpoint: letters, digits, '_', '-', '.'.", field="name")
    parts = _parts(tx, row, files.tree)
    snapshot = {"seq": last_seq(tx.database) + 1, "status": row.status, "phase": row.phase, **parts}
    new = Savepoint(f"ckpt_{row.id}_{snapshot['seq']}", row.id, name, kind, tx.now, snapshot, digest(snapshot))
    tx.database.put("savepoints", (*new[:5], wire.compact(snapshot), new.digest))
    facts = {
        "checkpoint_id": new.id,
        "name": name,
        "checkpoint_type": kind,
        "trigger": "manual" if kind == "manual" else "automatic",
        "seconds": round(files.seconds, 6),
        "state_snapshot": {f"{part}_hash": digest(value) for part, value in parts.items()},
    }
    tx.event("CHECKPOINT_CREATED", row.id, row.phase, facts)
    return new


def _parts(tx: Transaction, row: WorkflowRow, files: str) -> dict[str, Any]:
    view = coordination.view_of(tx, row.id)
    return {
        "phases": {phase.name: phase.state for phase in view.phases.values()},
        "files": files,
        "agents": [list(a) for a in pool.agents(tx.database) if a.workflow_id == row.id],
        "allocations": [list(a) for a in allocation.live_allocations(tx.database, row.id)],
    }


def digest(value: object) -> str:
    """SHA-256 of a JSON value, as canonical text."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check(found: Savepoint) -> None:
    """Whether it is what it was.

    Raises:
        CheckpointDamaged: It is not.
    """
    if digest(found.snapshot) != found.digest:
        raise CheckpointDamaged(
            f"Checkpoint {found.name!r} ({found.id}) is damaged; nothing was restored.",
            next_steps=(f"stretto workflow-recovery list-checkpoints {found.workflow_id}",),
        )


def restore(
    tx: Transaction,
    row: WorkflowRow,
    found: Savepoint,
    capacity: dict[str, float],
    files: Sequence[str],
    *,
    alternative: bool = False,
    parts: Collection[Part] = PARTS,
) -> dict[str, Any]:
    """Put the phases back to where they were, ask again for what was held, and write CHECKPOINT_RESTORED.

    The files are given back before this (`files` names them). A phase that had begun since, or failed, stands as
    pending, or as failed with a place for an alternative. The workflow is RECOVERING afterwards, unless it was only
    scheduled, or its phases are none of the `parts` that go back.

    Raises:
        CheckpointDamaged: The checkpoint is not what it was.
        InvalidTransition: The workflow has ended otherwise than in failure.
    """
    check(found)
    may_restore(row)
    if "phases" in parts and row.status in ("RUNNING", "FAILED"):
        tx.set_status(row.id, "RECOVERING", {"reason": f"restored to {found.name}"})
    phases = _phases(tx, row, found, alternative=alternative) if "phases" in parts else {}
    if "resources" in parts:
        _ask_again(tx, row, found, capacity)
    failed = [name for name, state in phases.items() if state == "failed"]
    facts = {
        "checkpoint_id": found.id,
        "name": found.name,
        "phases": phases,
        "files": list(files)[:50],
        "files_restored": len(files),
        **({} if set(parts) == set(PARTS) else {"components": [part for part in PARTS if part in parts]}),
        **({"alternative_for": failed[0]} if alternative and failed else {}),
    }
    tx.event("CHECKPOINT_RESTORED", row.id, row.phase, facts)
    if alternative and failed:
        tx.put_fact(row.id, "alternative", {"phase": failed[0], "checkpoint_id": found.id, "prepared": tx.now})
    return facts


def may_restore(row: WorkflowRow) -> None:
    """Whether a workflow can go back.

    Raises:
        InvalidTransition: It has ended otherwise than in failure.
    """
    if row.status in ("COMPLETED", "CANCELLED", "ARCHIVED"):
        raise InvalidTransition(
            f"Workflow {row.id!r} is {row.status}; only one that has not ended, or failed, goes back.",
            field="status",
            allowed=("RUNNING", "PAUSED", "RECOVERING", "FAILED", "SCHEDULED"),
        )


def _phases(tx: Transaction, row: WorkflowRow, found: Savepoint, *, alternative: bool) -> dict[str, str]:
    """As they were; with an alternative asked for, the phase that failed since stays marked."""
    now = {phase.name: phase.state for phase in coordination.view_of(tx, row.id).phases.values()}
    then = {name: found.snapshot["phases"].get(name, "pending") for name in now}
    kept = {name for name, state in now.items() if state == "failed"} if alternative else set[str]()
    return {name: "failed" if name in kept else state for name, state in then.items()}


def _ask_again(tx: Transaction, row: WorkflowRow, found: Savepoint, capacity: dict[str, float]) -> None:
    """What it held then and has given back since is asked for, and never simply put back."""
    live = allocation.live_allocations(tx.database, row.id)
    then = [allocation.Allocation._make(a) for a in found.snapshot["allocations"]]
    for one in then if not live else ():
        allocation.ask(tx, row.id, one.priority, one.wanted, capacity, one.context)
