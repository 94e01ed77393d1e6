"""The points to which a driven workflow can go back: before each of its phases, as its events and its branch tell.

Nobody has to keep them: the log says how the phases stood, and the workflow's own facts which commit of its branch it
was. The project's checkout is not touched while agents work, so no files of it come back; whoever takes the work up
begins at that commit.
"""

from typing import Any

from stretto.graph.coordination import RUNNER
from stretto.graph.savepoints import Savepoint, digest, savepoints
from stretto.state.database import Database
from stretto.state.errors import NotFound
from stretto.state.figures import WorkflowView
from stretto.state.queries import event_page, fact, workflow_row
from stretto.state.rows import WorkflowRow
from stretto.state.view import apply

_PAGE = 500


def points(database: Database, row: WorkflowRow) -> list[Savepoint]:
    """All checkpoints of a workflow, those kept and those told by its branch, oldest first."""
    found = savepoints(database, row.id)
    if row.runner != RUNNER:
        found += _told(database, row)
    return sorted(found, key=lambda s: (s.snapshot["seq"], s.id))


def _told(database: Database, row: WorkflowRow) -> list[Savepoint]:
    found: list[Savepoint] = []
    view = WorkflowView()
    while page := event_page(database, row.id, view.seq, _PAGE):
        for event in page:
            if event.type == "PHASE_STARTED":
                generation = event.data.get("generation", 1)
                commit = fact(database, row.id, f"base:{event.phase}~{generation}")
                if isinstance(commit, str):
                    found.append(_point(row, view, event.seq, event.phase, event.timestamp, commit))
            apply(view, event)
    return found


def _point(row: WorkflowRow, view: WorkflowView, seq: int, phase: str, at: str, commit: str) -> Savepoint:
    phases = {p.name: p.state for p in view.phases.values()}
    snapshot: dict[str, Any] = {
        "seq": seq,
        "status": view.status,
        "phase": view.phase,
        "phases": {**phases, phase: "pending"},
        "commit": commit,
        "agents": [],
        "allocations": [],
    }
    return Savepoint(f"ckpt_{row.id}_{seq}", row.id, f"pre_{phase}", "phase_boundary", at, snapshot, digest(snapshot))


def find(database: Database, workflow_id: str, asked: str) -> tuple[Savepoint, int]:
    """The checkpoint of this id, or the newest of this name; and how many others have the name.

    Raises:
        NotFound: There is none.
    """
    row = workflow_row(database, workflow_id)
    known = points(database, row) if row else []
    named = [s for s in known if s.id == asked] or [s for s in known if s.name == asked]
    if not named:
        raise NotFound(
            f"Workflow {workflow_id!r} has no checkpoint {asked!r}.",
            field="checkpoint_id",
            allowed=[s.name for s in known],
            next_steps=(f"stretto workflow-recovery list-checkpoints {workflow_id}",),
        )
    return named[-1], len(named) - 1
