"""One open `events.db`: one door for every statement, a checksum on every row, transactions that are all or nothing.

Each statement is read to its end at once, so that no open cursor holds a lock.
"""

from __future__ import annotations

import os
from _thread import RLock  # as threading has it, which alone takes a tenth of the interpreter's start
from collections.abc import Callable, Sequence

from stretto.state.errors import BadInput, DiskFailed, StrettoError
from stretto.state.gate import held, hold, let_go
from stretto.state.reader import (
    COMMITS,
    COUNTED_UNDER,
    FAULTS,
    LARGE,
    SMALL,
    check_pages,
    check_rows,
    counted,
    explain,
    is_small,
    seal,
    stopped,
    unseal,
)
from stretto.state.schema import INSERT, SELECT
from stretto.state.sqlite import sqlite3
from stretto.state.tide import Tide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Value = str | int


class Database:
    """Threads may share it: each statement, and each transaction as a whole, excludes the others.

    `gate` is the descriptor of the lock file that writers hold; None where the file is open for reading only, and then
    `tidy` is called when it has been closed.
    """

    def __init__(
        self,
        path: str,
        connection: sqlite3.Connection,
        gate: int | None,
        tide: Tide | None = None,
        tidy: Callable[[str], None] | None = None,
    ) -> None:
        self.path = path
        self._connection = connection
        self._gate = gate
        self._tide = tide
        self._tidy = tidy
        self._lock = RLock()
        self._seen: set[str] = set()
        self._changes = 0
        self._writing = False
        self._failed = ""
        self._others, self._commits = -1, 0

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
            except FAULTS as error:
                explained = explain(error, self.path)
                if isinstance(explained, DiskFailed) and self._writing:
                    self._failed = explained.message
                raise explained from error

    def check(self) -> None:
        """See that everything is there and what was written, unless the file is very large.

        Raises:
            StoreDamaged: Something is not.
        """
        if not self._is_small(LARGE):
            return
        with self._lock:
            try:
                check_pages(self._connection, self.path)
                for table, select in SELECT.items():
                    check_rows(self.path, table, self._connection.execute(select))
            except FAULTS as error:
                raise explain(error, self.path) from error

    def read(self, table: str, where: str = "", parameters: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """The rows of a table without their checksums, each checked.

        Raises:
            StoreDamaged: A row does not match its checksum; the message names it.
        """
        if table not in self._seen:
            self._seen.add(table)
            if self._is_small(SMALL):
                check_rows(self.path, table, self.execute(SELECT[table]))
        return [unseal(self.path, table, row) for row in self.execute(f"{SELECT[table]} {where}", parameters)]

    def _is_small(self, largest: int) -> bool:
        with self._lock:
            try:
                return is_small(self._connection, largest)
            except FAULTS as error:
                raise explain(error, self.path) from error

    def put(self, table: str, values: Sequence[Value]) -> None:
        """Write one row, sealed."""
        self.execute(INSERT[table], (*values, seal(values)))

    def begin(self) -> None:
        """Open a transaction; until its `end` other threads and processes that want to write wait.

        Raises:
            DiskFailed: The disk failed now, or in an earlier transaction: then nothing is tried any more.
            StrettoError: The file is open for reading only, or another process held the lock for too long.
        """
        self._lock.acquire()
        try:
            self._begin()
        except BaseException:
            self._lock.release()
            raise

    def _begin(self) -> None:
        if self._gate is None:
            raise StrettoError(f"{self.path!r} is open for reading only; nothing was written.")
        if self._failed:
            raise stopped(self._failed)
        if self._connection.in_transaction:
            raise RuntimeError("a transaction is open in this thread already")
        hold(self._gate, self.path)
        self._writing = True
        try:
            self.execute("BEGIN IMMEDIATE")
            self._changes = self._connection.total_changes
        except BaseException:
            self._writing = False
            if self._connection.in_transaction:  # it may have begun although something was raised
                self._connection.rollback()
            let_go(self._gate)
            raise

    def end(self, *, commit: bool) -> None:
        """End the transaction that `begin` has opened: commit what was executed, or roll all of it back.

        Raises:
            StrettoError: It could not be committed, and was rolled back.
        """
        try:
            if commit:
                count = self._count() if self._connection.total_changes != self._changes else 0
                self.execute("COMMIT")
                if count and self._tide:
                    self._commits = count
                    self._tide.rise(count)
        finally:
            self._writing = False
            try:
                if self._connection.in_transaction:  # it is not to be committed, or could not be
                    self._connection.rollback()
            finally:
                if self._gate is not None:
                    let_go(self._gate)
                self._lock.release()

    def _count(self) -> int:
        """Count the commit that is about to be made. The count is read again only when somebody else has committed."""
        ((others,),) = self.execute("PRAGMA data_version")
        if others != self._others:
            rows = self.read("facts", "WHERE workflow_id = ? AND name = ?", (COUNTED_UNDER, COMMITS))
            self._others, self._commits = others, counted(rows)
        count = self._commits + 1
        self.put("facts", (COUNTED_UNDER, COMMITS, f'{{"value":{count}}}'))
        return count

    def close(self) -> None:
        """Close the file; what was committed is safe without it. A second time does nothing."""
        with self._lock:
            gate, self._gate = self._gate, None
            if self._tide:
                self._tide.close()
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
