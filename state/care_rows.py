"""Rows of a database that may be damaged: all that can be read of a table, and where nothing can."""

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

from stretto.state.reader import seal
from stretto.state.schema import SELECT

Row = tuple[Any, ...]


class Table(NamedTuple):
    """A table of the log as the file has it. `columns` ends with the checksum; `key` holds places among them."""

    name: str
    columns: tuple[str, ...]
    key: tuple[int, ...]

    def key_of(self, row: Row) -> Row:
        """What names a row in its table."""
        return tuple(row[place] for place in self.key)

    def named(self, row: Row) -> str:
        """The row's key, for people."""
        return " ".join(f"{self.columns[place]}={shown(row[place])}" for place in self.key)


class Hole(NamedTuple):
    """Rows between `after` and `before` that the file holds, perhaps, and that cannot be read. None: the very end."""

    after: Row | None
    before: Row | None
    why: str


def shown(value: object) -> str:
    """A value of a damaged row, for people: short, and safe to print."""
    text = value if isinstance(value, str) else repr(value)
    return text if text.isprintable() and len(text) <= 80 else repr(text[:60])


def is_whole(row: Row) -> bool:
    """Whether a row matches its checksum."""
    return bool(row[-1] == seal(row[:-1]))


def tables(connection: sqlite3.Connection) -> dict[str, Table]:
    """The tables of ours that the file has, in the order of the schema.

    Raises:
        sqlite3.Error: Not even that can be read.
    """
    found = {name: _table(connection, name) for name in SELECT}
    return {name: table for name, table in found.items() if table is not None}


def _table(connection: sqlite3.Connection, name: str) -> Table | None:
    told = connection.execute("SELECT name, pk FROM pragma_table_info(?) ORDER BY cid", (name,)).fetchall()
    if not told:
        return None
    ranks = sorted((rank, place) for place, (_, rank) in enumerate(told) if rank)
    return Table(name, tuple(column for column, _ in told), tuple(place for _, place in ranks))


def scan(connection: sqlite3.Connection, table: Table) -> Iterator[Row | Hole]:
    """Every row that can be read, in the order of the keys, each once, and the hole where that ends, if it does.

    From the first error on, the table is read from its other end. Of the events between, each is asked for by number.
    """
    last: Row | None = None
    try:
        for row in connection.execute(_select(table, "ASC")):
            yield row
            last = row
    except sqlite3.Error as error:
        yield from _around(connection, table, last, str(error))


def _around(connection: sqlite3.Connection, table: Table, last: Row | None, why: str) -> Iterator[Row | Hole]:
    behind: list[Row] = []
    try:
        for row in connection.execute(_select(table, "DESC")):
            if last is not None and table.key_of(row) == table.key_of(last):
                break
            behind.append(row)
    except sqlite3.Error:
        pass  # from this end, too, it leads to the hole
    behind.reverse()
    first = behind[0] if behind else None
    between = _one_by_one(connection, last, first) if table.name == "events" else []
    yield from between
    after, before = (last and table.key_of(last)), (first and table.key_of(first))
    yield Hole(after, before, why)
    yield from behind


def _one_by_one(connection: sqlite3.Connection, last: Row | None, first: Row | None) -> list[Row]:
    """The events in a hole that can be read by their number: a damaged page hides those around it from a scan."""
    low = last[0] if last else 0
    high = first[0] if first else _highest(connection)
    found: list[Row] = []
    for seq in range(low + 1, high):
        try:
            found += connection.execute("SELECT * FROM events WHERE seq = ?", (seq,)).fetchall()
        except sqlite3.Error:
            continue
    return found


def _highest(connection: sqlite3.Connection) -> int:
    """One more than the highest number that the index of workflows knows; 0 where that is damaged as well."""
    try:
        ((seq,),) = connection.execute(
            "SELECT coalesce(max(seq), 0) FROM events INDEXED BY events_of_workflow"
        ).fetchall()
    except sqlite3.Error:
        return 0
    return int(seq) + 1


def _select(table: Table, way: str) -> str:
    """By the table itself and not by an index of it, which may be damaged otherwise."""
    if table.name in ("events", "workflows"):
        return f"{SELECT[table.name]} ORDER BY rowid {way}"
    return f"{SELECT[table.name]} ORDER BY {', '.join(f'{table.columns[place]} {way}' for place in table.key)}"
