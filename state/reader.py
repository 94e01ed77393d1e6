"""Reading `events.db` with as little as can be: a hook looks into it before every change of a file.

Standard library only, without `typing` and `pathlib`, each of which takes half as long as the interpreter's start. What
holds for every reader and writer of the file stands here too: how it is connected to, and how a row is sealed.
"""

import fcntl
import os
from binascii import crc32

from stretto.state.errors import DiskFailed, DiskFull, StoreDamaged, StrettoError
from stretto.state.quick_json import dumps, loads
from stretto.state.schema import APPLICATION_ID, MIGRATIONS, SELECT, VERSION
from stretto.state.sqlite import sqlite3
from stretto.state.tide import check_tide, mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Self

_PATIENCE_SECONDS = 10.0
_SMALLEST = 32 * 1024
_REFUSED = ("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")
COUNTED_UNDER, COMMITS = "", "commits"
"""The fact, of no workflow, that holds how many commits the file has seen; see tide.py."""
SMALL, LARGE = 1 << 19, 64 << 20
"""Bytes up to which all of a file's pages, and all rows of a table, are gone through: by whoever reads, by a driver."""
_HEAD_BYTES = 100
"""What every file of SQLite's begins with; `user_version` stands at 60, `application_id` at 68."""


class Reader:
    """An `events.db` that is open for reading, by one thread and for a moment: writers may have to wait for its end."""

    def __init__(self, path: str, connection: sqlite3.Connection, gate: int | None) -> None:
        self.path = path
        self._connection = connection
        self._gate = gate
        self._seen: set[str] = set()

    @classmethod
    def open(cls, path: str) -> "Self":
        """Open the file at an absolute path. Makes nothing, and leaves nothing behind.

        Raises:
            StoreDamaged: It is another program's file, damaged, or of a newer Stretto.
            StrettoError: It cannot be read, or there is none.
        """
        found = still(path) if _size(f"{path}-wal") is None else None
        return cls(path, *(found or beside_writers(path, _PATIENCE_SECONDS)))

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, table: str, where: str, parameters: "Sequence[str | int]" = ()) -> "list[tuple[Any, ...]]":
        """The rows of a table without their checksums, each checked.

        Raises:
            StoreDamaged: A row does not match its checksum; the message names it.
            StrettoError: It cannot be read.
        """
        if table not in self._seen:
            self._seen.add(table)
            if is_small(self._connection, SMALL):
                check_rows(self.path, table, self._ask(SELECT[table], ()))
        return [unseal(self.path, table, row) for row in self._ask(f"{SELECT[table]} {where}", parameters)]

    def _ask(self, sql: str, parameters: "Sequence[str | int]") -> "list[tuple[Any, ...]]":
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except FAULTS as error:
            raise explain(error, self.path) from error

    def has(self, table: str) -> bool:
        """Whether the file, which may be of an older version, has the table."""
        return bool(self._ask("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        if self._gate is None and _size(f"{self.path}-wal") == 0:
            from stretto.state.opening import tidy

            tidy(self.path)
        _let_go(self._gate)


def beside_writers(path: str, patience: float) -> "tuple[sqlite3.Connection, int | None]":
    """A connection for reading, whoever writes meanwhile, and the lock if that keeps them out for so long.

    It needs a `-wal` and a `-shm`, which are made where nobody has the file open. Where they cannot be, because the
    disk is full or the folder read-only, the file is read without.

    Raises:
        StoreDamaged: It is another program's file, damaged, or of a newer Stretto.
        StrettoError: It cannot be read.
    """
    marked = mark(path)
    try:
        connection = connect(path, "ro", patience)
        try:
            check(connection, path, marked)
        except BaseException:
            connection.close()
            raise
    except FAULTS as error:
        refused = getattr(error, "sqlite_errorname", "").startswith(_REFUSED)
        if refused and (found := still(path)):
            return found
        raise explain(error, path) from error
    return connection, None


def still(path: str) -> "tuple[sqlite3.Connection, int] | None":
    """A connection to a log that is read as it lies there, and the lock that keeps writers out; None if one is at it.

    Whoever writes or checkpoints holds the lock alone. Nothing is made beside the file: the index of a `-wal` that a
    dead process left, which is in the `-shm` for others, is made in memory.

    Raises:
        StoreDamaged, StrettoError: As for `beside_writers`.
    """
    try:
        gate = os.open(f"{os.path.splitext(path)[0]}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    connection = None
    try:
        fcntl.flock(gate, fcntl.LOCK_SH | fcntl.LOCK_NB)
        marked = mark(path)
        connection = connect(path, "ro&vfs=unix-none" if _size(f"{path}-wal") else "ro&immutable=1", 0)
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchall()
        check(connection, path, marked)
    except BaseException as error:
        if connection:
            connection.close()
        os.close(gate)
        if isinstance(error, OSError):
            return None
        raise (explain(error, path) if isinstance(error, FAULTS) else error) from error
    return connection, gate


def _let_go(gate: int | None) -> None:
    if gate is not None:
        os.close(gate)


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None


def connect(path: str, mode: str, patience: float) -> sqlite3.Connection:
    """A connection to the file at an absolute path. `mode` is SQLite's; a lock is awaited for `patience` seconds."""
    name = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    connection = sqlite3.connect(
        f"file:{name}?mode={mode}", uri=True, timeout=patience, isolation_level=None, check_same_thread=False
    )
    for pragma in ("mmap_size = 0", "trusted_schema = OFF", "cell_size_check = ON"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def check(connection: sqlite3.Connection, path: str, marked: int) -> None:
    """See that the file is ours, of a version that we know, and as new as its tide mark, which was read before it.

    Raises:
        StoreDamaged: It is not.
    """
    ((application,),) = connection.execute("PRAGMA application_id").fetchall()
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    _known(path, application, version)
    if is_small(connection, SMALL):
        check_pages(connection, path)
    if marked:
        check_tide(path, marked, commits(connection, path))


def check_head(path: str) -> None:
    """See that the file is ours and of a version that we know, as its head says: SQLite is not let near it.

    Raises:
        StoreDamaged: It is not.
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD_BYTES)
    _known(path, int.from_bytes(head[68:72]), int.from_bytes(head[60:64]))


def _known(path: str, application: int, version: int) -> None:
    if application != APPLICATION_ID:
        raise damaged(path, "it is not an event log of Stretto's")
    if version > VERSION:
        raise StoreDamaged(
            f"{path!r} was written by a newer Stretto: its schema is {version}, this one knows {VERSION}."
            " It was not touched.",
            next_steps=("Upgrade Stretto, or name another store with --store DIR.",),
        )
    if version != VERSION and version not in MIGRATIONS:
        raise damaged(path, f"its schema is {version}, which never was")


def is_small(connection: sqlite3.Connection, largest: int) -> bool:
    """Whether the file is of so many bytes at most."""
    ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
    ((size,),) = connection.execute("PRAGMA page_size").fetchall()
    return bool(pages * size <= largest)


def check_pages(connection: sqlite3.Connection, path: str) -> None:
    """See that trees and indexes fit together: a row to which no page leads any more is missing without a word.

    Raises:
        StoreDamaged: They do not.
    """
    ((said, *_), *_) = connection.execute("PRAGMA integrity_check(1)").fetchall()
    if said != "ok":
        raise damaged(path, str(said))


def check_rows(path: str, table: str, rows: "Iterable[tuple[Any, ...]]") -> None:
    """See that each row of a table is what was written: one whose key was changed is not found where it is looked for.

    Raises:
        StoreDamaged: One is not, or the number of an event is missing.
    """
    for number, row in enumerate(rows, 1):
        values = unseal(path, table, row)
        if table == "events" and values[0] != number:
            raise damaged(path, f"event {number} is missing", seq=number)


def commits(connection: sqlite3.Connection, path: str) -> int:
    """How many commits the file has seen, as it says; 0 in one of before they were counted."""
    where = (COUNTED_UNDER, COMMITS)
    rows = connection.execute(f"{SELECT['facts']} WHERE workflow_id = ? AND name = ?", where).fetchall()
    return counted([unseal(path, "facts", row) for row in rows])


def counted(rows: "Sequence[tuple[Any, ...]]") -> int:
    """The number of commits in the row that holds it, if there is one."""
    return int(loads(rows[0][2])["value"]) if rows else 0


def seal(values: "Sequence[str | int]") -> int:
    """The checksum of a row's columns. As JSON, so that `1` and `"1"`, or `"ab", "c"` and `"a", "bc"`, differ."""
    return crc32(dumps(values, default=repr).encode())


def unseal(path: str, table: str, row: "tuple[Any, ...]") -> "tuple[Any, ...]":
    """A row without its checksum.

    Raises:
        StoreDamaged: It does not match its checksum.
    """
    *values, crc = row
    if crc != seal(values):
        raise damaged(
            path,
            f"a row of {table!r} does not match its checksum; it begins with {values[:3]!r}",
            table=table,
            row=[str(v) for v in values[:3]],
        )
    return tuple(values)


def damaged(path: str, what: str, **details: object) -> StoreDamaged:
    """The error for a file that is not as we left it."""
    return StoreDamaged(
        f"The event log {path!r} is damaged: {what}. It was changed by something else, or the disk failed."
        " Nothing was written.",
        next_steps=(
            "stretto store check   (names all that is damaged, and what can be recovered)",
            "stretto store repair   (keeps what it replaces)",
            "Or put a backup of the store back.",
        ),
        details=details,
    )


FAULTS = (sqlite3.Error, UnicodeDecodeError)
"""What a statement may raise on a damaged file: SQLite quotes what it found there, which may not even be text."""


def stopped(failed: str) -> DiskFailed:
    """The error for a write by a process that met a failing disk; `failed` is the message of then."""
    return DiskFailed(
        f"The disk failed before, and this process writes no more; nothing was written. It was: {failed}",
        next_steps=("See whether the disk is full or fails, then resume.",),
    )


def _no_space(path: str) -> bool:
    """Whether there is less left than a `-shm` takes: SQLite then calls it an error of the disk."""
    try:
        disk = os.statvfs(os.path.dirname(path))
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < _SMALLEST


def explain(error: sqlite3.Error | UnicodeDecodeError, path: str) -> Exception:
    """What an error of SQLite's means for the store; errors in our own use of SQLite come back as they are."""
    if isinstance(error, sqlite3.InterfaceError | sqlite3.ProgrammingError):
        return error
    name = getattr(error, "sqlite_errorname", "")
    if is_damage(error):
        return damaged(path, str(error))
    unharmed = f"{path!r}: {error}. This change was not written; everything before it is safe."
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        steps = ("Let it finish, then try again. If there is none, the file system lacks locks: see --store DIR.",)
        return StrettoError(f"Another program holds {unharmed}", next_steps=steps)
    if name == "SQLITE_FULL" or (name.startswith(_REFUSED) and _no_space(path)):
        return DiskFull(f"The disk is full, for {unharmed}", next_steps=("Free some space, then resume.",))
    if name.startswith("SQLITE_IOERR") and ("SHM" in name or "LOCK" in name):
        steps = (
            "See whether it lies on a local disk with space: SQLite needs locks and maps, which network disks lack.",
        )
        return StrettoError(f"Cannot work with {unharmed}", next_steps=steps)
    if name.startswith("SQLITE_IOERR"):
        steps = ("See whether the disk is full or fails, then resume.",)
        return DiskFailed(f"The disk failed, for {unharmed}", next_steps=steps)
    steps = ("See whether its folder can be written, and whether there is space on the disk.",)
    return StrettoError(f"Cannot work with {unharmed}", next_steps=steps)


def is_damage(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Whether an error says that the file is not what was written.

    So does one in a statement of ours: the tables in the file are others then. The file may end too early, too; and
    Python's own errors, for what it cannot decode, have no name.
    """
    if isinstance(error, sqlite3.InterfaceError | sqlite3.ProgrammingError):
        return False
    name: str = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_CORRUPTFS", "SQLITE_IOERR_DATA")):
        return True
    failing = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")
    return not name.startswith((*failing, "SQLITE_PERM", "SQLITE_NOMEM", "SQLITE_PROTOCOL", "SQLITE_INTERRUPT"))
