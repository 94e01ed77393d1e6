"""The hash chain: each event carries the hash of the one before it in its workflow, so that no past can be edited."""

from __future__ import annotations

from collections.abc import Sequence

from stretto.state.database import Database
from stretto.state.quick_json import dumps
from stretto.state.reader import damaged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GENESIS = ""
PAGE = 500


def link(prev: str, values: Sequence[Any]) -> str:
    """The hash of an event: SHA-256 over the hash before it and its own columns, `seq` to `correlation_id`."""
    from stretto.state.digest import sha256  # here: who writes no event does without

    return sha256(f"{prev}\n{dumps(values)}".encode()).hexdigest()


def head(database: Database, workflow_id: str) -> str:
    """The hash of the newest event of a workflow."""
    rows = database.execute("SELECT hash FROM events WHERE workflow_id = ? ORDER BY seq DESC LIMIT 1", (workflow_id,))
    return rows[0][0] if rows else GENESIS


def verify(database: Database) -> int:
    """Walk the whole log and return how many events it holds.

    Raises:
        StoreDamaged: An event is missing, changed, or was put in later; the message names the first.
    """
    heads: dict[str, str] = {}
    seq = 0
    while rows := database.read("events", "WHERE seq > ? ORDER BY seq LIMIT ?", (seq, PAGE)):
        for row in rows:
            *values, prev, found = row
            seq += 1
            if row[0] != seq:
                raise damaged(database.path, f"event {seq} is missing", seq=seq)
            workflow = row[3]
            if prev != heads.get(workflow, GENESIS) or found != link(prev, values):
                raise damaged(database.path, f"event {seq} breaks the hash chain of {workflow!r}", seq=seq)
            heads[workflow] = found
    return seq
