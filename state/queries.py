"""What may be read of an `events.db`: rows of the tables as Python values."""

from __future__ import annotations

from collections.abc import Sequence

from stretto.state.database import Database, Value
from stretto.state.quick_json import loads
from stretto.state.reader import damaged
from stretto.state.rows import AttemptRow, LeaseRow, Recorded, Request, WorkflowRow
from stretto.state.wire import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


FORGIVEN = "forgiven:"
"""Before a task's id: the fact that holds its last attempt before its failure was forgotten."""


def last_seq(database: Database) -> int:
    """The number of the newest event; 0 in an empty log."""
    ((seq,),) = database.execute("SELECT coalesce(max(seq), 0) FROM events")
    return int(seq)


def event_page(database: Database, workflow_id: str | None, after: int, size: int) -> list[Event]:
    """Up to `size` events that come after number `after`, of one workflow or of all."""
    where, values = ("workflow_id = ? AND ", [workflow_id]) if workflow_id is not None else ("", [])
    parameters: Sequence[Value] = (*values, after, size)
    rows = database.read("events", f"WHERE {where}seq > ? ORDER BY seq LIMIT ?", parameters)
    return [Event._make((*r[:8], _json(database, r[8]), r[9])) for r in rows]


def workflow_row(database: Database, workflow_id: str) -> WorkflowRow | None:
    """One workflow."""
    rows = database.read("workflows", "WHERE id = ?", (workflow_id,))
    return _workflow(database, rows[0]) if rows else None


def workflows(database: Database) -> list[WorkflowRow]:
    """All workflows, oldest first."""
    return [_workflow(database, r) for r in database.read("workflows", "ORDER BY created, id")]


def workflow_page(database: Database, after: tuple[str, str], size: int) -> list[WorkflowRow]:
    """Up to `size` workflows that follow the one which was created at `after[0]` and has the id `after[1]`."""
    rows = database.read("workflows", "WHERE (created, id) > (?, ?) ORDER BY created, id LIMIT ?", (*after, size))
    return [_workflow(database, r) for r in rows]


def newest_workflows(database: Database, limit: int, statuses: Sequence[str] = ()) -> list[WorkflowRow]:
    """The newest workflows, newest first; only those of certain statuses if any are named.

    Which these are is found in an index; only their own rows are read.
    """
    chosen = f"WHERE status IN ({','.join('?' * len(statuses))}) " if statuses else ""
    ids = f"SELECT id FROM workflows {chosen}ORDER BY created DESC, id DESC LIMIT ?"  # noqa: S608 - only question marks
    where = f"WHERE id IN ({ids}) ORDER BY created DESC, id DESC"
    return [_workflow(database, r) for r in database.read("workflows", where, (*statuses, limit))]


def workflow_ids(database: Database) -> list[str]:
    """The ids of all workflows, oldest first."""
    return [name for (name,) in database.execute("SELECT id FROM workflows ORDER BY created, id")]


def count_workflows(database: Database) -> dict[str, int]:
    """How many workflows there are of each status that there is."""
    return dict(database.execute("SELECT status, count(*) FROM workflows GROUP BY status"))


def _workflow(database: Database, row: tuple[Any, ...]) -> WorkflowRow:
    return WorkflowRow._make((*row[:5], _json(database, row[5]), *row[6:]))


def attempt_row(database: Database, workflow_id: str, task_id: str, attempt: int) -> AttemptRow | None:
    """One attempt."""
    key = (workflow_id, task_id, attempt)
    rows = database.read("attempts", "WHERE workflow_id = ? AND task_id = ? AND attempt = ?", key)
    return _attempt(database, rows[0]) if rows else None


def attempts(database: Database, workflow_id: str) -> list[AttemptRow]:
    """All attempts of a workflow, by task and number."""
    where = "WHERE workflow_id = ? ORDER BY task_id, attempt"
    return [_attempt(database, r) for r in database.read("attempts", where, (workflow_id,))]


def _attempt(database: Database, row: tuple[Any, ...]) -> AttemptRow:
    return AttemptRow._make((*row[:7], _json(database, row[7]) if row[7] else None, *row[8:]))


def outcome_of(database: Database, workflow_id: str, task_id: str) -> Recorded | None:
    """The outcome of one task, if it has ended."""
    rows = database.read("outcomes", "WHERE workflow_id = ? AND task_id = ?", (workflow_id, task_id))
    return Recorded(rows[0][2], _json(database, rows[0][3])) if rows else None


def outcomes(database: Database, workflow_id: str) -> dict[str, Recorded]:
    """The outcomes of all tasks that have ended."""
    rows = database.read("outcomes", "WHERE workflow_id = ? ORDER BY task_id", (workflow_id,))
    return {r[1]: Recorded(r[2], _json(database, r[3])) for r in rows}


def facts(database: Database, workflow_id: str) -> dict[str, Any]:
    """All facts of a workflow, by name."""
    rows = database.read("facts", "WHERE workflow_id = ? ORDER BY name", (workflow_id,))
    return {r[1]: _json(database, r[2])["value"] for r in rows}


def fact(database: Database, workflow_id: str, name: str) -> Any:
    """One fact; None where it is not known."""
    rows = database.read("facts", "WHERE workflow_id = ? AND name = ?", (workflow_id, name))
    return _json(database, rows[0][2])["value"] if rows else None


def forgiven(database: Database, workflow_id: str, task_id: str) -> int:
    """The last attempt of a task before its failure was forgotten; 0 for none."""
    return int(fact(database, workflow_id, f"{FORGIVEN}{task_id}") or 0)


def requests(database: Database, workflow_id: str) -> list[Request]:
    """What was asked of the driver and not taken yet, oldest first."""
    rows = database.read("requests", "WHERE workflow_id = ? ORDER BY at, kind", (workflow_id,))
    return [Request(r[1], _json(database, r[2]), r[3]) for r in rows]


def lease(database: Database, workflow_id: str) -> LeaseRow | None:
    """The lease of a workflow, released or not."""
    rows = database.read("leases", "WHERE workflow_id = ?", (workflow_id,))
    return LeaseRow._make(rows[0]) if rows else None


def _json(database: Database, text: str) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(database.path, f"{text[:60]!r} is not JSON") from error
