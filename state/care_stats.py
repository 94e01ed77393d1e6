"""What a store holds, counted: bytes by part, rows by table, the largest workflows."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from stretto.state import care_checkpoints, places, store
from stretto.state.care_backup import size_of
from stretto.state.care_picture import open_picture, picture
from stretto.state.care_rows import tables
from stretto.state.documents import CHECKPOINT, place_of, thread_of
from stretto.state.reader import damaged

LARGEST = 10


class _Workflow(NamedTuple):
    """What a workflow takes: text of events and checkpoints, and files of its agents' logs."""

    workflow_id: str
    status: str
    events: int
    event_bytes: int
    checkpoints: int
    checkpoint_bytes: int
    log_bytes: int

    @property
    def bytes(self) -> int:
        return self.event_bytes + self.checkpoint_bytes + self.log_bytes


def stats(directory: Path) -> dict[str, Any]:
    """Count a store, of which nothing is changed. Bytes are those taken on the disk, but those of workflows: of text.

    Raises:
        StoreDamaged: The log or the checkpoints cannot be read.
        StrettoError: They cannot be copied to be looked at.
    """
    parts = {path.name: size_of(path) for path in sorted(directory.iterdir())} if directory.is_dir() else {}
    rows, statuses, events = _log(directory / places.EVENTS)
    threads = _checkpoints(directory / store.CHECKPOINTS / care_checkpoints.CACHE)
    logs = {path.name: size_of(path) for path in (directory / store.LOGS).glob("*")}
    workflows = [
        _Workflow(name, status, *events.get(name, (0, 0)), *threads.get(name, (0, 0)), logs.get(name, 0))
        for name, status in statuses.items()
    ]
    workflows.sort(key=lambda w: -w.bytes)
    return {
        "bytes": sum(parts.values()),
        "parts": parts,
        "rows": rows,
        "workflows": len(statuses),
        "statuses": {s: list(statuses.values()).count(s) for s in sorted(set(statuses.values()))},
        "threads": len(threads),
        "checkpoints": sum(count for count, _ in threads.values()),
        "largest": [w._asdict() for w in workflows[:LARGEST]],
    }


def _log(path: Path) -> tuple[dict[str, int], dict[str, str], dict[str, tuple[int, int]]]:
    """Rows by table, statuses and events by workflow."""
    if not path.exists():
        return {}, {}, {}
    with picture(path, path.with_suffix(".lock")) as copy:
        try:
            with closing(open_picture(copy)) as connection:
                rows = {
                    name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 - our tables
                    for name in tables(connection)
                }
                statuses = dict(connection.execute("SELECT id, status FROM workflows ORDER BY id").fetchall())
                told = connection.execute(
                    "SELECT workflow_id, count(*), sum(length(data)) FROM events GROUP BY workflow_id"
                ).fetchall()
        except sqlite3.Error as error:
            raise damaged(str(path), str(error)) from error
    return rows, statuses, {name: (count, size) for name, count, size in told}


def _checkpoints(path: Path) -> dict[str, tuple[int, int]]:
    """Checkpoints, and bytes of all that is stored, by thread."""
    found: dict[str, tuple[int, int]] = {}
    if not path.exists():
        return found
    with picture(path) as copy:
        try:
            with closing(open_picture(copy)) as connection:
                for _, key, size in care_checkpoints.rows(connection, "key, length(value)"):
                    if isinstance(key, bytes) and (thread := thread_of(key)) is not None:
                        count, total = found.get(thread, (0, 0))
                        one = key.startswith(CHECKPOINT) and place_of(key)[1] is None
                        found[thread] = (count + one, total + (size or 0))
        except sqlite3.Error as error:
            raise damaged(str(path), str(error)) from error
    return found
