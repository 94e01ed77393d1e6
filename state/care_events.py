"""The events of a log that may be damaged: which are whole, which can be put right, which are lost, what they tell."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from stretto.state.care_finding import Finding
from stretto.state.care_fold import Story, Told
from stretto.state.care_mend import mend
from stretto.state.care_right import Right, Source
from stretto.state.care_rows import Hole, Row, Table, is_whole, scan, shown
from stretto.state.chain import GENESIS, link
from stretto.state.reader import seal

LOST = "event_lost"
"""The `operation_type` of the SYSTEM_MAINTENANCE event that stands in the place of a lost one."""
CONCERNED = "may_concern"
"""In the data of SYSTEM_MAINTENANCE: workflows whose log is not whole, so that rows cannot be held against it."""
OURS = "stretto"
"""The source of events that are written in one transaction with the rows they change."""
_MOST_MOVED = 2_000
_WIDEST = 10_000_000
_WORKFLOW, _SOURCE, _PREV, _HASH, _CRC = 3, 6, 10, 11, 12


class Events(NamedTuple):
    """What became of the events.

    `mended` are rows by their right number; `bad` damaged ones by the number under which they lie; `lost` are numbers
    of which nothing is left, and why; `concerned` the workflows of which such a one may have told. `named` are the
    workflows of which any tells, and `doubted` those of which some may be lost.
    """

    read: int
    last: int
    mended: dict[int, Row]
    bad: dict[int, Row]
    lost: dict[int, str]
    concerned: dict[int, set[str]]
    named: dict[str, None]
    doubted: set[str]
    findings: list[Finding]


class Stories:
    """What the events tell of each workflow, folded when it is asked for: a long log takes no memory for that."""

    def __init__(self, source: Source, found: Events) -> None:
        self._source = source
        self._found = found
        self._newest: tuple[str, Story] | None = None

    def __contains__(self, name: object) -> bool:
        return name in self._found.named

    def __iter__(self) -> Iterator[str]:
        return iter(self._found.named)

    def get(self, name: str) -> Story | None:
        """The story of a workflow; None if no event tells of it."""
        if name not in self._found.named:
            return None
        if self._newest is None or self._newest[0] != name:
            story = Story(whole=name not in self._found.doubted)
            for row in self._source.of(name, by="workflow_id"):
                if row[_SOURCE] != OURS:
                    continue  # another program tells of something that it did
                story.take(Told(row[2], row[_WORKFLOW], row[4], row[5], _data(row[8])))
            self._newest = name, story
        return self._newest[1]

    def items(self) -> Iterator[tuple[str, Story]]:
        """All of them."""
        return ((name, story) for name in self if (story := self.get(name)))


def survey(connection: sqlite3.Connection, table: Table) -> Events:
    """Read all events, twice: each for itself, then one after the other."""
    found = _each(connection, table)
    _put_right(connection, found)
    found = found._replace(last=max(found.last, *found.mended, 0))
    _in_order(connection, table, found)
    return found


def stories(connection: sqlite3.Connection, table: Table, found: Events, right: Right | None) -> Stories:
    """What the events tell. `right` is where they are kept as they should be, if they are not that in the picture."""
    if right is None:
        return Stories(Source(connection, table), found)
    kept = (row for _, row in sequence(connection, table, found) if row)
    return Stories(right.keep(table, kept, by="workflow_id"), found)


def sequence(connection: sqlite3.Connection, table: Table, found: Events) -> Iterator[tuple[int, Row | None]]:
    """Every number from 1 to the last with its event, put right where it had to be; None where it is lost."""
    whole = (row for row in scan(connection, table) if not isinstance(row, Hole) and row[0] not in found.bad)
    for seq in range(1, found.last + 1):
        if seq in found.mended:
            yield seq, found.mended[seq]
        elif seq in found.lost:
            yield seq, None
        else:
            yield seq, next(whole)


def _each(connection: sqlite3.Connection, table: Table) -> Events:
    found = Events(0, 0, {}, {}, {}, {}, {}, set(), [])
    count, last = 0, 0
    for row in scan(connection, table):
        if isinstance(row, Hole):
            found.findings.append(_hole(row))
            found.lost.update((seq, "its page cannot be read") for seq in _indexed(connection) if seq > last)
            continue
        count += 1
        if not _is_sound(row) or row[0] - last > _WIDEST:
            found.bad[row[0]] = row
            continue
        for seq in range(last + 1, row[0]):
            found.lost.setdefault(seq, "it is missing")
        found.lost.pop(row[0], None)
        last = row[0]
    for seq in range(last + 1, max(found.lost, default=0) + 1):
        found.lost.setdefault(seq, "it is missing")
        last = seq
    for seq, row in found.bad.items():
        last = max(last, last + 1 if seq > last else 0)  # the number itself may be what is damaged
        found.lost[min(seq, last)] = _why(row)
    return found._replace(read=count, last=last)


def _indexed(connection: sqlite3.Connection) -> dict[int, str]:
    """The workflow of each event, as the index knows it, which lies on other pages; nothing if they are damaged."""
    select = "SELECT seq, workflow_id FROM events INDEXED BY events_of_workflow ORDER BY workflow_id, seq"
    try:
        return {seq: workflow for seq, workflow in connection.execute(select) if isinstance(workflow, str)}
    except sqlite3.Error:
        return {}


def _is_sound(row: Row) -> bool:
    return is_whole(row) and bool(row[_HASH] == _hash(row[_PREV], row[:_PREV]))


def _hash(prev: object, values: Row) -> str:
    """The hash of an event; empty, which none is, where a value is not even text."""
    return "" if bytes in {type(value) for value in (prev, *values)} else link(str(prev), values)


def _why(row: Row) -> str:
    if is_whole(row):
        return "it was changed: it does not match its hash, but has a fitting checksum"
    return f"it does not match its checksum; it begins with {shown(row[1])} {shown(row[2])}"


def _hole(hole: Hole) -> Finding:
    after = hole.after[0] if hole.after else 0
    until = f" and before {hole.before[0]}" if hole.before else ""
    return Finding(
        "page", "events", f"seq>{after}", f"a page after event {after}{until} cannot be read: {hole.why}", ""
    )


def _put_right(connection: sqlite3.Connection, found: Events) -> None:
    for seq, row in found.bad.items():
        if mended := _mended(connection, row):
            _take(found, seq, mended, "one flipped bit, or the checksum itself")
    left = [seq for seq in found.bad if seq in found.lost]
    if left and len(left) <= _MOST_MOVED:
        _moved(found, left)
    for seq, why in sorted(found.lost.items()):
        cure = "`stretto store repair` puts a note in its place; it cannot be recovered"
        found.findings.append(Finding("gap" if seq not in found.bad else "row", "events", f"seq={seq}", why, cure))


def _take(found: Events, seq: int, mended: Row, what: str) -> None:
    found.mended[mended[0]] = mended
    found.lost.pop(mended[0], None)
    cure = f"`stretto store repair` restores it, proven by its hash ({what})"
    found.findings.append(Finding("row", "events", f"seq={seq}", _why(found.bad[seq]), cure))


def _moved(found: Events, left: list[int]) -> None:
    """Rows that lie under the number of another: swapped, or renumbered behind one that was removed."""
    behind = range(found.last + 1, found.last + 1 + len(left))
    for seq in left:
        row = found.bad[seq]
        for other in (*found.lost, *behind):
            moved = (other, *row[1:])
            if other != seq and _is_sound(moved):
                _take(found, seq, moved, f"it is event {other}")
                break


def _mended(connection: sqlite3.Connection, row: Row) -> Row | None:
    """A damaged event as it was, proven by its hash; None if that cannot be told."""
    for candidate in _candidates(connection, row):
        if candidate and _is_sound(candidate):
            return candidate
    return None


def _candidates(connection: sqlite3.Connection, row: Row) -> Iterator[Row | None]:
    if is_whole(row):
        return  # changed on purpose, with a checksum that fits
    yield (*row[:_CRC], seal(row[:_CRC]))
    yield (*row[:_HASH], _hash(row[_PREV], row[:_PREV]), row[_CRC])
    prev = _hash_before(connection, row)
    yield (*row[:_PREV], prev, *row[_HASH:])
    yield mend(row)


def _hash_before(connection: sqlite3.Connection, row: Row) -> str:
    select = "SELECT hash FROM events NOT INDEXED WHERE workflow_id = ? AND seq < ? ORDER BY seq DESC LIMIT 1"
    try:
        rows = connection.execute(select, (row[_WORKFLOW], row[0])).fetchall()
    except sqlite3.Error:
        return GENESIS
    return rows[0][0] if rows else GENESIS


def _in_order(connection: sqlite3.Connection, table: Table, found: Events) -> None:
    """Follow the chains, and say of whom a lost event was."""
    heads: dict[str, tuple[int, str]] = {}
    for seq, row in sequence(connection, table, found):
        if row is None:
            continue
        workflow = row[_WORKFLOW]
        before, head = heads.get(workflow, (0, GENESIS))
        if row[_PREV] != head:
            _broken(found, workflow, before, seq)
        heads[workflow] = (seq, row[_HASH])
        if row[2] == "SYSTEM_MAINTENANCE":
            _doubt(found, map(str, _data(row[8]).get(CONCERNED, ())))
    found.named.update(dict.fromkeys(heads))
    _attribute(connection, found, {name: seq for name, (seq, _) in heads.items()})
    if any(f.kind == "page" and "before" not in f.why for f in found.findings):
        _doubt(found, heads)


def _doubt(found: Events, names: Iterable[str]) -> None:
    for name in names:
        found.named.setdefault(name)
        found.doubted.add(name)


def _broken(found: Events, workflow: str, before: int, seq: int) -> None:
    """An event does not follow the one before it in its workflow: one that is lost stood between them, or was taken."""
    _doubt(found, [workflow])
    between = [lost for lost in found.lost if before < lost < seq]
    for lost in between:
        found.concerned.setdefault(lost, set()).add(workflow)
    if not between:
        why = f"it breaks the hash chain of {shown(workflow)}: an event before it was removed or changed"
        cure = "`stretto store repair` notes it and links the chain anew"
        found.findings.append(Finding("chain", "events", f"seq={seq}", why, cure))


def _attribute(connection: sqlite3.Connection, found: Events, newest: dict[str, int]) -> None:
    """Say of each lost event of whom it may have been, and doubt what else their logs tell."""
    owners = _indexed(connection) if found.lost else {}
    for lost in found.lost:
        if lost in owners:
            found.concerned[lost] = {owners[lost]}
        elif lost not in found.concerned:
            found.concerned[lost] = _may_concern(lost, found, newest)
        _doubt(found, found.concerned[lost])


def _may_concern(lost: int, found: Events, newest: dict[str, int]) -> set[str]:
    """Of whom an event was that no later one misses: what its row says, or else any that says nothing later."""
    named = str(found.bad[lost][_WORKFLOW]) if lost in found.bad else ""
    return {named} if named in newest else {name for name, seq in newest.items() if seq < lost}


def _data(text: str) -> dict[str, Any]:
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType] - what json makes of an object
