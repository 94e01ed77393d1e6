"""One open `events.db`: one door for every statement, a checksum on every row, transactions that are all or nothing.

Each statement is read to its end at once, so that no open cursor holds a lock.
"""

import json
import os
import sqlite3
from binascii import crc32
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from stretto.state.errors import BadInput, StoreDamaged, StrettoError
from stretto.state.gate import held
from stretto.state.schema import INSERT, SELECT

Value = str | int


class Database:
    """Threads may share it: each statement, and each transaction as a whole, excludes the others.

    `gate` is the descriptor of the lock file that writers hold; None where the file is open for reading only, and then
    `tidy` is called when it has been closed.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        gate: int | None,
        tidy: Callable[[Path], None] | None = None,
    ) -> None:
        self.path = path
        self._connection = connection
        self._gate = gate
        self._tidy = tidy
        self._lock = RLock()

    def execute(self, sql: str, parameters: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return all its rows.

        Raises:
            StoreDamaged: The file is not what we wrote.
            StrettoError: The disk is full or fails, or another process holds the file for too long.
            BadInput: A text cannot be encoded.
        """
        with self._lock:
            try:
                return self._connection.execute(sql, parameters).fetchall()
            except UnicodeEncodeError as error:
                raise BadInput(f"{error.object[:60]!r} is not valid text: it cannot be stored as UTF-8.") from error
            except sqlite3.Error as error:
                raise explain(error, self.path) from error

    def read(self, table: str, where: str = "", parameters: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """The rows of a table without their checksums, each checked.

        Raises:
            StoreDamaged: A row does not match its checksum; the message names it.
        """
        return [self._unseal(table, row) for row in self.execute(f"{SELECT[table]} {where}", parameters)]

    def put(self, table: str, values: Sequence[Value]) -> None:
        """Write one row, sealed."""
        self.execute(INSERT[table], (*values, _seal(values)))

    def _unseal(self, table: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
        *values, crc = row
        if crc != _seal(values):
            raise damaged(
                self.path,
                f"a row of {table!r} does not match its checksum; it begins with {values[:3]!r}",
                table=table,
                row=[str(v) for v in values[:3]],
            )
        return tuple(values)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """What is executed inside is committed at the end; an exception rolls all of it back.

        Raises:
            StrettoError: The file is open for reading only, or another process held the lock for too long.
        """
        with self._lock:
            if self._gate is None:
                raise StrettoError(f"{str(self.path)!r} is open for reading only; nothing was written.")
            if self._connection.in_transaction:
                raise RuntimeError("a transaction is open in this thread already")
            with held(self._gate, self.path):
                self.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        self._connection.rollback()
                    raise

    def close(self) -> None:
        """Close the file; what was committed is safe without it. A second time does nothing."""
        with self._lock:
            gate, self._gate = self._gate, None
            if gate is None:
                self._connection.close()
                tidy, self._tidy = self._tidy, None
                if tidy:
                    tidy(self.path)
                return
            try:
                with held(gate, self.path):  # the last writer that closes brings the WAL home
                    self._connection.close()
            finally:
                os.close(gate)


def _seal(values: Sequence[Value]) -> int:
    """The checksum of a row's columns. As JSON, so that `1` and `"1"`, or `"ab", "c"` and `"a", "bc"`, differ."""
    return crc32(json.dumps(values, default=repr).encode())


def damaged(path: Path, what: str, **details: object) -> StoreDamaged:
    """The error for a file that is not as we left it."""
    return StoreDamaged(
        f"The event log {str(path)!r} is damaged: {what}. It was changed by something else, or the disk failed."
        " Nothing was written.",
        next_steps=("Put a backup of the store back, or move the store away and start anew.",),
        details=details,
    )


def explain(error: sqlite3.Error, path: Path) -> Exception:
    """What an error of SQLite's means for the store; errors in our own use of SQLite come back as they are."""
    if isinstance(error, sqlite3.InterfaceError | sqlite3.ProgrammingError):
        return error
    name = getattr(error, "sqlite_errorname", "")
    unharmed = f"{str(path)!r}: {error}. This change was not written; everything before it is safe."
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StrettoError(f"Another program holds {unharmed}", next_steps=("Let it finish, then try again.",))
    if name == "SQLITE_FULL":
        return StrettoError(f"The disk is full, for {unharmed}", next_steps=("Free some space, then resume.",))
    if name.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return StrettoError(f"Cannot work with {unharmed}", next_steps=("Check the disk and its permissions.",))
    return damaged(path, str(error))
