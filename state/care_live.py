"""The rows beside the events, of a log that may be damaged: what each must be, and what it is instead."""

import json
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from stretto.state.care_events import Stories
from stretto.state.care_finding import Finding
from stretto.state.care_fold import ENDED, Story, differences
from stretto.state.care_mend import mend
from stretto.state.care_right import Right, Source
from stretto.state.care_rows import Hole, Row, Table, is_whole, scan
from stretto.state.reader import COMMITS, COUNTED_UNDER, seal

_MEND = "`stretto store repair` restores it: {}"
_LOST = {
    "workflows": "Its spec is lost: `stretto store repair` rebuilds the rest and ends it; its branch stays",
    "attempts": "`stretto store repair` rebuilds it from the log; one that had not ended begins again",
    "outcomes": "Its outcome is lost: `stretto store repair` takes the row away, and a resume runs the task again",
    "facts": "What it held is lost: `stretto store repair` takes it away; a resume finds it anew where it can",
    "leases": "`stretto store repair` takes it away; the next driver gets a new one",
    "requests": "`stretto store repair` takes it away; ask again",
    "orders": "`stretto store repair` takes it away; a resume hands the order out anew",
    "subscriptions": "Its place in the log is lost: `stretto store repair` takes it away, and who opens it again begins"
    " at the newest event, or `after` the one that is given",
    "allocations": "`stretto store repair` takes it away: what it held is free, and what waits must be asked for again",
    "pool": "`stretto store repair` takes it away: the agent is put in the pool anew, idle",
    "settings": "What was chosen is lost: `stretto store repair` takes it away, and the default holds; choose again",
    "savepoints": "The savepoint is lost: `stretto store repair` takes it away",
    "dead_letters": "Which event could not be handled is lost: `stretto store repair` takes it away",
}
_TOLD = ("workflows", "attempts", "outcomes")
"""The tables that must hold what events tell."""
_ELSE = "`stretto store repair` takes it away"


class Change(NamedTuple):
    """A row that must be another, or gone. `old` None: it is missing; `new` None: nothing can stand in its place."""

    table: str
    workflow: str
    old: Row | None
    new: Row | None
    why: str


class Live(NamedTuple):
    """What became of the rows: how many there are, what must change, the status of each workflow that is known.

    `commits` is how many the file has seen, as it says, or as its tide mark does where that is damaged.
    """

    counts: dict[str, int]
    changes: list[Change]
    findings: list[Finding]
    statuses: dict[str, str]
    commits: int


class _Rows:
    """The rows of one table: those that are whole, restored ones among them, and the others."""

    def __init__(self, table: Table, source: Source) -> None:
        self.table = table
        self.bad: list[Row] = []
        self.strange: list[Row] = []
        self._source = source
        self._restored: dict[Row, Row] = {}

    def find(self, *key: object) -> Row | None:
        """The row of that key, if it is whole."""
        return self._restored.get(key) or self._source.find(*key)

    def of(self, workflow: str) -> list[Row]:
        """The whole rows of a workflow."""
        restored = {key: row for key, row in self._restored.items() if key[0] == workflow}
        return [*restored.values(), *(r for r in self._source.of(workflow) if self.table.key_of(r) not in restored)]

    def keys_of(self, workflow: str) -> set[Row]:
        """The keys of all rows of a workflow, damaged ones too."""
        bad = (self.table.key_of(row) for row in self.bad if row[0] == workflow)
        return {*map(self.table.key_of, self.of(workflow)), *bad}

    def restore(self, row: Row) -> None:
        """From now on, this one is among the whole ones."""
        self._restored[self.table.key_of(row)] = row


_Kept = dict[str, _Rows]


def survey(
    connection: sqlite3.Connection,
    tables: dict[str, Table],
    stories: Stories,
    right: Right | None,
    *,
    complete: bool,
    marked: int,
) -> Live:
    """Read every table but the events, and hold what there is against what the events tell.

    `right` is where to keep what can be read, if the picture has holes. `complete` says that no event is lost: then a
    row of which none tells is not ours. `marked` commits must have been made.
    """
    live = Live({}, [], [], {}, 0)
    kept: _Kept = {}
    for name, table in tables.items():
        if name != "events":
            source = right.keep(table, _whole(connection, table)) if right else Source(connection, table)
            kept[name] = _read(connection, table, source, stories, live)
    for rows in kept.values():
        for row in rows.bad:
            _damaged(rows, row, kept, stories, live, marked)
    live.statuses.update((str(row[0]), str(row[3])) for row in kept["workflows"].bad)
    for name, story in stories.items():
        found = kept["workflows"].find(name)
        live.statuses[name] = found[3] if found else story.status
        for table_name in _TOLD if story.whole else ():
            _compare(kept[table_name], kept[table_name].of(name), story, live)
        _missing(name, story, kept, live)
    for name in _TOLD if complete else ():
        _compare(kept[name], kept[name].strange, None, live)
    return live._replace(commits=_commits(kept["facts"], marked))


def _commits(facts: _Rows, marked: int) -> int:
    """How many commits the file has seen; 0 if it says nothing of it."""
    found = facts.find(COUNTED_UNDER, COMMITS)
    return int(json.loads(found[2])["value"]) if found else marked if facts.bad else 0


def _whole(connection: sqlite3.Connection, table: Table) -> Iterator[Row]:
    return (row for row in scan(connection, table) if not isinstance(row, Hole) and is_whole(row))


def _read(connection: sqlite3.Connection, table: Table, source: Source, stories: Stories, live: Live) -> _Rows:
    """Look at all rows of a table."""
    rows = _Rows(table, source)
    count = 0
    for row in scan(connection, table):
        if isinstance(row, Hole):
            why = f"a page after {row.after!r} cannot be read: {row.why}"
            live.findings.append(Finding("page", table.name, "", why, "What can still be read is kept by a repair"))
            continue
        count += 1
        if not is_whole(row):
            rows.bad.append(row)
        elif table.name in _TOLD and row[0] not in stories:
            rows.strange.append(row)
            live.statuses.setdefault(row[0], row[3] if table.name == "workflows" else "")
    live.counts[table.name] = count
    return rows


def _damaged(rows: _Rows, row: Row, kept: _Kept, stories: Stories, live: Live, marked: int) -> None:
    table = rows.table
    counted = table.name == "facts" and row[:2] == (COUNTED_UNDER, COMMITS) and marked > 0
    told = (commits_row(marked), "the tide mark tells it") if counted else _restored(table, row, kept, stories)
    new, how = told
    if new is not None and rows.find(*table.key_of(new)):
        new, how = None, ""
    if new is not None and is_whole(new):
        rows.restore(new)
    why = "it does not match its checksum"
    live.changes.append(Change(table.name, str(row[0]), row, new, why))
    cure = _MEND.format(how) if how else _LOST.get(table.name, _ELSE)
    live.findings.append(Finding("row", table.name, table.named(row), why, cure))


def commits_row(count: int) -> Row:
    """The fact that tells how many commits the file has seen."""
    return _sealed(COUNTED_UNDER, COMMITS, json.dumps({"value": count}))


def _restored(table: Table, row: Row, kept: _Kept, stories: Stories) -> tuple[Row | None, str]:
    """The row as it was, and how that is known; or None."""
    if told := _by_log(table, row, kept, stories):
        return told, "the log tells what it held, and the checksum fits"
    if mended := mend(row):
        return mended, "one bit of it has flipped"
    if twin := _by_twin(table, row, kept):
        return twin, "the same stands in another table"
    if table.name == "attempts":
        story = stories.get(str(row[0]))
        if story and (row[1], row[2]) in story.attempts:
            return _attempt(str(row[0]), str(row[1]), int(row[2]), story, kept), ""
    if table.name == "workflows":
        return _workflow(str(row[0]), stories.get(str(row[0]))), ""
    return None, ""


def _by_log(table: Table, row: Row, kept: _Kept, stories: Stories) -> Row | None:
    """With what the events tell in the place of what stands there. Only if that makes it whole."""
    for told in _tellings(table, row, kept, stories):
        filled = tuple(told.get(name, value) for name, value in zip(table.columns, row, strict=True))
        if is_whole(filled):
            return filled
    return None


def _tellings(table: Table, row: Row, kept: _Kept, stories: Stories) -> Iterator[dict[str, str | int]]:
    story = stories.get(str(row[0]))
    told = _told(table, row, story) if story else None
    if told:
        yield told
    if told and table.name == "attempts":
        told["key"] = f"{row[0]}/{row[1]}#{row[2]}"
        yield told
        if (outcome := kept["outcomes"].find(*row[:2])) and outcome[2] == row[2]:
            yield {**told, "outcome": outcome[3]}
    if story is None and table.name == "workflows":
        for name, other in stories.items():
            if other.created and not kept["workflows"].find(name):
                yield {"id": name, **other.columns()}


def _told(table: Table, row: Row, story: Story) -> dict[str, str | int] | None:
    if table.name == "workflows" and story.created:
        return story.columns()
    if table.name == "attempts" and (row[1], row[2]) in story.attempts:
        return story.attempt_columns(row[1], row[2])
    return None


def _by_twin(table: Table, row: Row, kept: _Kept) -> Row | None:
    """An outcome stands in two tables, the attempt's and its own."""
    if table.name != "outcomes":
        return None
    twin = kept["attempts"].find(*row[:3])
    return _sealed(*row[:3], twin[7]) if twin and twin[4] in ENDED and twin[7] else None


def _attempt(workflow: str, task: str, number: int, story: Story, kept: _Kept) -> Row:
    """A row of `attempts` from the log, and the outcome from its own table. An open one begins again."""
    told = story.attempts[task, number]
    outcome = kept["outcomes"].find(workflow, task)
    text = outcome[3] if outcome and outcome[2] == number and told.ended else ""
    key = f"{workflow}/{task}#{number}"
    state = told.ended or "started"
    return _sealed(workflow, task, number, key, state, told.starts, "", text, told.started, told.finished)


def _workflow(name: str, story: Story | None) -> Row | None:
    """A row of `workflows` from the log; the spec is not in it."""
    if story is None or not story.created:
        return None
    head = (name, story.kind, story.description, story.status, story.phase)
    return _sealed(*head, "{}", story.runner, story.version, story.created, story.updated)


def _sealed(*values: str | int) -> Row:
    return (*values, seal(values))


def _compare(rows: _Rows, found: list[Row], story: Story | None, live: Live) -> None:
    """Whole rows of a workflow against its log."""
    table = rows.table
    for row in found:
        wrong = list(_wrong(table, row, story))
        if not wrong:
            continue
        told = _told(table, row, story) if story else None
        new = _filled(table, row, told) if told else None
        why = f"it differs from the log: {'; '.join(wrong)}"
        cure = "`stretto store repair` sets it to what the log tells" if new else _ELSE
        live.changes.append(Change(table.name, str(row[0]), row, new, why))
        live.findings.append(Finding("fold", table.name, table.named(row), why, cure))


def _filled(table: Table, row: Row, told: dict[str, str | int]) -> Row:
    filled = {**dict(zip(table.columns, row, strict=True)), **told}
    if table.name == "attempts" and "state" not in told and filled["state"] in ENDED:
        filled["state"] = "started"
    return _sealed(*(filled[name] for name in table.columns[:-1]))


def _wrong(table: Table, row: Row, story: Story | None) -> Iterator[str]:
    if table.name == "outcomes":
        number = story.ended.get(row[1]) if story else None
        if number is None:
            yield "no event tells of it"
        elif number != row[2]:
            yield f"attempt is {row[2]!r} where the log tells {number!r}"
    elif told := _told(table, row, story) if story else None:
        yield from differences(row, table.columns, told)
    else:
        yield "no event tells of it"


def _missing(name: str, story: Story, kept: _Kept, live: Live) -> None:
    """Rows that events tell of and that are not there, damaged or whole."""
    if not story.created:
        return
    if not kept["workflows"].keys_of(name):
        _absent("workflows", name, "", _workflow(name, story), _LOST["workflows"], live)
    attempts, outcomes = kept["attempts"].keys_of(name), kept["outcomes"].keys_of(name)
    for task, number in story.attempts:
        if (name, task, number) not in attempts:
            row = _attempt(name, task, number, story, kept)
            cure = "`stretto store repair` rebuilds it from the log"
            _absent("attempts", name, f"{task} {number}", row, cure, live)
    for task, number in story.ended.items() if story.whole else ():
        if (name, task) not in outcomes:
            _absent_outcome(name, task, number, kept, live)


def _absent_outcome(name: str, task: str, number: int, kept: _Kept, live: Live) -> None:
    twin = kept["attempts"].find(name, task, number)
    row = _sealed(name, task, number, twin[7]) if twin and twin[7] else None
    cure = (
        _MEND.format("the same stands in another table")
        if row
        else "What it held is lost; a resume runs the task again"
    )
    _absent("outcomes", name, task, row, cure, live)


def _absent(table: str, workflow: str, key: str, row: Row | None, cure: str, live: Live) -> None:
    why = "the row is missing, of which events tell"
    live.changes.append(Change(table, workflow, None, row, why))
    live.findings.append(Finding("fold", table, f"{workflow} {key}".strip(), why, cure))
