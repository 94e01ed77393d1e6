"""Building an `events.db` anew: all that is whole, what could be put right, and notes in the places of what is lost."""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from stretto.state import opening, places, wire
from stretto.state.care_events import CONCERNED, LOST, sequence
from stretto.state.care_live import Change, commits_row
from stretto.state.care_log import Survey
from stretto.state.care_rows import Hole, Row, is_whole, scan, shown, tables
from stretto.state.chain import GENESIS, link
from stretto.state.errors import StrettoError
from stretto.state.log import Log
from stretto.state.machine import FINAL
from stretto.state.moments import stamp
from stretto.state.reader import seal
from stretto.state.schema import INSERT
from stretto.state.transaction import Transaction

OPERATION = "store_repair"
SYSTEM = "system"
_MOST_ACTIONS = 500
_NO_SPEC = "{}"


def actions(survey: Survey) -> list[str]:
    """What a repair of this log does, one line for each single thing."""
    if not survey.damaged:
        return []
    events = survey.events
    lines = [f"{f.where}: what is there was kept, and {f.why}" for f in survey.findings if f.kind == "lost"]
    lines += [f"event {seq} was put right" for seq in sorted(events.mended)]
    lines += [f"event {seq} is lost ({why}); a note stands in its place" for seq, why in sorted(events.lost.items())]
    lines += [f"the hash chain was linked anew: {f.key} {f.why}" for f in events.findings if f.kind == "chain"]
    lines += [_told(survey, change) for change in survey.live.changes]
    lines += [f"{name} was ended: its spec is lost" for name in _without_spec(survey)]
    return [*lines, "events.db was built anew"]


def _told(survey: Survey, change: Change) -> str:
    shape = survey.tables[change.table]
    row = change.old or change.new
    named = f"{change.table} {shape.named(row)}" if row else f"a row of {change.table} of {change.workflow}"
    if change.old is None:
        return f"{named} was missing and {'is there again' if change.new else 'is lost'}"
    if change.new is None:
        return f"{named} was taken away: {change.why}"
    changed = [c for c, a, b in zip(shape.columns, change.old, change.new, strict=True) if a != b]
    return f"{named} was set right in {', '.join(changed)}: {change.why}"


def build(survey: Survey, folder: Path, done: Sequence[str], details: Mapping[str, Any]) -> str:
    """Make a store in the new folder `folder` that holds the log as it should be; return the id of the event of it.

    Raises:
        StrettoError: The file is of a version whose tables are not today's, or the disk is full.
    """
    folder.mkdir(mode=0o700, parents=True)
    path = folder / places.EVENTS
    opening.make(str(path))  # and not `Log.open`: what is built aside is no store of its own, to be remembered as one
    with closing(sqlite3.connect(path, isolation_level=None)) as target:
        target.execute("BEGIN IMMEDIATE")
        if any(table != survey.tables[name] for name, table in tables(target).items() if name in survey.tables):
            raise StrettoError(
                "The tables of this log are not those of today's Stretto; nothing was changed.",
                next_steps=("Put a backup of the store back, or repair it with the Stretto that wrote it.",),
            )
        for row in _events(survey):
            target.execute(INSERT["events"], row)
        for name in survey.tables:
            for row in _rows(survey, name) if name != "events" else ():
                target.execute(INSERT[name], row)
        count = max(survey.live.commits, survey.marked)  # else it would be taken for an older copy of itself
        target.execute(INSERT["facts"], commits_row(count))
        target.execute("COMMIT")
    with Log.open(folder) as log, log.write() as tx:
        _restate(tx, survey)
        return _say(tx, survey, done, details)


def _events(survey: Survey) -> Iterator[Row]:
    """All events in order, each linked to the one before it in its workflow."""
    heads: dict[str, str] = {}
    timestamp = next((row[5] for _, row in _sequence(survey) if row), stamp(time.time()))
    for seq, found in _sequence(survey):
        row = found or _note(survey, seq, timestamp)
        timestamp = row[5]
        head = heads.get(row[3], GENESIS)
        linked = row if found and row[10] == head else _linked(row[:10], head)
        heads[row[3]] = linked[11]
        yield linked


def _sequence(survey: Survey) -> Iterator[tuple[int, Row | None]]:
    return sequence(survey.connection, survey.tables["events"], survey.events)


def _linked(values: Row, head: str) -> Row:
    whole = (*values, head, link(head, values))
    return (*whole, seal(whole))


def _note(survey: Survey, seq: int, timestamp: str) -> Row:
    """What stands in the place of a lost event, in the log of its workflow where that is known."""
    concerned = sorted(survey.events.concerned.get(seq, ()))
    why = survey.events.lost[seq]
    data = {
        "operation_type": LOST,
        "message": f"event {seq} was lost to damage",
        "why": why,
        CONCERNED: concerned,
    }
    owner = concerned[0] if len(concerned) == 1 else SYSTEM
    text = wire.compact(data)
    return (seq, f"evt_lost{seq}", "SYSTEM_MAINTENANCE", owner, "store", timestamp, "stretto", "warning", text, "")


def _rows(survey: Survey, name: str) -> Iterator[Row]:
    """The rows of a table as they should be, each key once."""
    table = survey.tables[name]
    changes = [change for change in survey.live.changes if change.table == name]
    gone = {change.old for change in changes if change.old is not None}
    written: set[Row] = set()
    wanted = [change.new for change in changes if change.new is not None]
    for row in (*wanted, *scan(survey.connection, table)):
        if isinstance(row, Hole) or row in gone or not is_whole(row) or table.key_of(row) in written:
            continue
        written.add(table.key_of(row))
        yield row


def _without_spec(survey: Survey) -> list[str]:
    """Workflows that must end, since what they were made from is lost."""
    rows = (change.new for change in survey.live.changes if change.table == "workflows" and change.new is not None)
    return [row[0] for row in rows if row[5] == _NO_SPEC and row[3] not in FINAL - {"FAILED"}]


def _restate(tx: Transaction, survey: Survey) -> None:
    """Say what events no longer tell: the status of a workflow that has lost some; and end what cannot go on."""
    ended = _without_spec(survey)
    for name, story in survey.stories.items():
        row = tx.database.read("workflows", "WHERE id = ?", (name,))
        if row and name in ended:
            status = "ARCHIVED" if row[0][3] == "FAILED" else "CANCELLED"
            lost = "its spec was lost to damage of the store"
            tx.set_status(name, status, {"cancellation_reason": lost, "cleanup_status": "branch kept"})
        elif row and not story.whole and row[0][3] != story.status:
            data = {"from": story.status, "to": row[0][3], "reason": "events were lost to damage of the store"}
            tx.event("WORKFLOW_STATE_UPDATED", name, row[0][4], data, severity="warning")


def _say(tx: Transaction, survey: Survey, done: Sequence[str], details: Mapping[str, Any]) -> str:
    stories, doubted = survey.stories, survey.events.doubted
    lost = {change.workflow for change in survey.live.changes if change.new is None and change.workflow in stories}
    named = (name for (name,) in tx.database.execute("SELECT id FROM workflows"))
    untold = {name for name in named if not ((story := stories.get(name)) and story.created)}
    return say(tx, done, {**details, CONCERNED: sorted(lost | doubted | untold)})


def say(tx: Transaction, done: Sequence[str], details: Mapping[str, Any]) -> str:
    """Write the event that tells of a repair; return its id."""
    told = [shown(line) if not line.isprintable() else line for line in done]
    data = {
        "operation_type": OPERATION,
        "message": f"the store was repaired: {len(done)} changes",
        "actions": told[:_MOST_ACTIONS],
        "actions_in_all": len(done),
        **details,
    }
    return tx.event(
        "SYSTEM_MAINTENANCE", SYSTEM, "store", json.loads(json.dumps(data, default=str)), severity="warning"
    )
