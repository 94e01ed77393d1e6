"""What was put right of a damaged log, in a scratch file beside its picture: indexes that fit, and no hole.

So a log is asked in the same way whether it is damaged or not, and takes no more memory when it is long.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from stretto.state.care_rows import Row, Table, is_whole

_FILE = "right.db"


class Source:
    """The rows of one table, by the beginning of their keys."""

    def __init__(self, connection: sqlite3.Connection, table: Table) -> None:
        self._connection = connection
        self._table = table
        self._key = [f'"{table.columns[place]}"' for place in table.key]

    def of(self, *begin: object, by: str = "") -> Iterator[Row]:
        """The whole rows whose key begins so, or whose column `by` is that, in the order of their keys."""
        names = [f'"{by}"'] if by else self._key[: len(begin)]
        where, order = " AND ".join(f"{name} = ?" for name in names), ", ".join(self._key)
        select = f'SELECT * FROM "{self._table.name}" WHERE {where} ORDER BY {order}'  # noqa: S608 - our names
        return filter(is_whole, self._connection.execute(select, begin))

    def find(self, *key: object) -> Row | None:
        """The row of that key, if it is whole."""
        return next(self.of(*key), None)


class Right:
    """A scratch file, made when something is kept in it."""

    def __init__(self, picture: sqlite3.Connection) -> None:
        ((_, _, path),) = picture.execute("PRAGMA database_list").fetchall()
        self._path = Path(path).with_name(_FILE)
        self._connection: sqlite3.Connection | None = None

    def keep(self, table: Table, rows: Iterable[Row], by: str = "") -> Source:
        """Keep rows; of those with one key the first. `by` is a column to be found by, beside the key."""
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None)
            self._connection.execute("PRAGMA synchronous = OFF")
        names = ", ".join(f'"{name}"' for name in table.columns)
        key = ", ".join(f'"{table.columns[place]}"' for place in table.key)
        marks = ", ".join("?" * len(table.columns))
        self._connection.execute("BEGIN")
        self._connection.execute(f'CREATE TABLE "{table.name}" ({names}, PRIMARY KEY ({key}))')
        if by:
            self._connection.execute(f'CREATE INDEX "{table.name}_by" ON "{table.name}" ("{by}", {key})')
        self._connection.executemany(f'INSERT OR IGNORE INTO "{table.name}" VALUES ({marks})', rows)  # noqa: S608
        self._connection.execute("COMMIT")
        return Source(self._connection, table)

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
