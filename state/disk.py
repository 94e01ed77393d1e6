"""Bytes under sorted bytes keys, in a diskcache cache that neither evicts nor unpickles.

diskcache's defaults lose data: it evicts the oldest rows above a size, keeps large values in files that no transaction
covers, and unpickles whatever a row says is a pickle. Here every value lies in SQLite, nothing is evicted, and a row
that is not plain bytes is an error. One connection serves all threads, because LangGraph starts new threads for every
run and diskcache would open (and leave open) one for each.
"""

import fcntl
import os
import sqlite3
import threading
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import diskcache

from stretto.state.errors import BadInput, StoreDamaged, StrettoError
from stretto.state.keys import Range

Durability = Literal["power", "process"]
"""`power` survives the loss of power, `process` only the death of the process, and is faster."""

_SYNCHRONOUS: dict[Durability, int] = {"power": 2, "process": 1}
_UNBOUNDED = 2**62
_RAW = 1
_TIMEOUT = 30.0
_LOCK = "open.lock"
_COLUMNS = (
    "rowid",
    "key",
    "raw",
    "store_time",
    "expire_time",
    "access_time",
    "access_count",
    "tag",
    "size",
    "mode",
    "filename",
    "value",
)
_OBJECTS = frozenset(
    {
        ("table", "Settings"),
        ("table", "Cache"),
        ("index", "Cache_key_raw"),
        ("index", "Cache_expire_time"),
        ("trigger", "Settings_count_insert"),
        ("trigger", "Settings_count_delete"),
        ("trigger", "Settings_size_insert"),
        ("trigger", "Settings_size_update"),
        ("trigger", "Settings_size_delete"),
    }
)

# Two bytes head every value: the version of the format, and how the rest is encoded.
_PLAIN, _DEFLATED = b"\x01\x00", b"\x01\x01"
_WORTH_DEFLATING = 200


def _plain_key(key: object, raw: object) -> bytes:
    if not raw or type(key) is not bytes:
        raise StoreDamaged("a row's key is not plain bytes: it was not written by Stretto, and was not loaded")
    return key


def _plain_value(mode: object, filename: object, value: object) -> bytes:
    if mode != _RAW or filename is not None or type(value) is not bytes:
        raise StoreDamaged("a row's value is not plain bytes: it was not written by Stretto, and was not loaded")
    return value


class BlobDisk(diskcache.Disk):
    """diskcache's gate to its rows, narrowed to bytes: anything else is refused in both directions."""

    def put(self, key: object) -> tuple[bytes, bool]:
        """The key as it lies in the table. TypeError if it is not bytes."""
        if type(key) is not bytes:
            raise TypeError(f"a key is bytes, not {type(key).__name__}")
        return key, True

    def get(self, key: object, raw: object) -> bytes:
        """The key of a row. StoreDamaged for a pickled one."""
        return _plain_key(key, raw)

    def store(self, value: object, read: bool, key: object = None) -> tuple[int, int, str | None, bytes]:
        """The value as it lies in the table, always inline. TypeError if it is not bytes."""
        del key
        if type(value) is not bytes or read:
            raise TypeError(f"a value is bytes, not {type(value).__name__}")
        return 0, _RAW, None, value

    def fetch(self, mode: object, filename: object, value: object, read: bool) -> bytes:
        """The value of a row. StoreDamaged for a pickle, a file or a text."""
        del read
        return _plain_value(mode, filename, value)

    def remove(self, file_path: str) -> None:
        """Refuse: diskcache asks for this when a replaced row named a file, and no row of ours does."""
        raise StoreDamaged(
            f"a row named the file {file_path!r}: it was not written by Stretto, and nothing was deleted"
        )


class _Table(diskcache.Cache):
    """All that touches diskcache's privates: one connection for every thread, and scans over a range of keys."""

    def __init__(self, directory: str, synchronous: int) -> None:
        self._one: sqlite3.Connection | None = None
        self._inherited: list[sqlite3.Connection] = []
        self._synchronous = synchronous
        super().__init__(
            directory,
            timeout=_TIMEOUT,
            disk=BlobDisk,
            eviction_policy="none",
            cull_limit=0,
            size_limit=_UNBOUNDED,
            statistics=0,
            tag_index=0,
            disk_min_file_size=_UNBOUNDED,
            sqlite_mmap_size=0,
            sqlite_synchronous=synchronous,
        )

    @property
    def _con(self) -> sqlite3.Connection:
        if self._one is None:
            path = Path(self._directory, "cache.db")
            self._one = sqlite3.connect(path, timeout=_TIMEOUT, isolation_level=None, check_same_thread=False)
            for pragma in (f"synchronous = {self._synchronous}", "mmap_size = 0", "trusted_schema = 0"):
                self._one.execute(f"PRAGMA {pragma}")
        return self._one

    def close(self) -> None:
        """Close the connection."""
        if self._one is not None:
            self._one.close()
            self._one = None

    def forget(self) -> None:
        """In a forked child: leave the parent's connection alone, unclosed, since closing it would disturb its log."""
        if self._one is not None:
            self._inherited.append(self._one)
        self._one, self._txn_id = None, None

    def verify_schema(self) -> None:
        """StoreDamaged unless the tables are those that this module was written for, and nothing beside them."""
        objects: list[tuple[str, str]] = self._con.execute(
            "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        ).fetchall()
        columns = tuple(row[1] for row in self._con.execute("PRAGMA table_info(Cache)").fetchall())
        unique = [row[2] for row in self._con.execute("PRAGMA index_info(Cache_key_raw)").fetchall()]
        if set(objects) ^ _OBJECTS or columns != _COLUMNS or unique != ["key", "raw"]:
            strange = sorted({name for _, name in set(objects) ^ _OBJECTS}) or columns
            raise StoreDamaged(
                f"The tables in {self._directory!r} are not those of diskcache 5.6.3: {', '.join(strange)}. Nothing was"
                " read from them.",
                next_steps=("Install diskcache==5.6.3, or restore the folder from a backup.",),
            )

    def rows(self, span: Range) -> list[tuple[bytes, bytes]]:
        """Keys and values in the range, in order."""
        select = "SELECT key, raw, mode, filename, value FROM Cache WHERE key >= ? AND key < ? ORDER BY key"
        found = self._con.execute(select, span).fetchall()
        return [(_plain_key(key, raw), _plain_value(*value)) for key, raw, *value in found]

    def keys(self, span: Range) -> list[bytes]:
        """Keys in the range, in order, without their values."""
        select = "SELECT key, raw FROM Cache WHERE key >= ? AND key < ? ORDER BY key"
        return [_plain_key(*row) for row in self._con.execute(select, span).fetchall()]

    def last(self, span: Range) -> bytes | None:
        """The greatest key in the range."""
        select = "SELECT key, raw FROM Cache WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT 1"
        row = self._con.execute(select, span).fetchone()
        return _plain_key(*row) if row else None

    def erase(self, span: Range) -> None:
        """Delete the rows in the range, whoever wrote them."""
        self._con.execute("DELETE FROM Cache WHERE key >= ? AND key < ?", span)

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """Reads inside all see the table as the first of them found it."""
        self._con.execute("BEGIN")
        try:
            yield
        finally:
            self._con.rollback()

    @contextmanager
    def transaction(self) -> Generator[None]:
        """From BEGIN IMMEDIATE to COMMIT. When the COMMIT itself fails, diskcache leaves it open: it ends here."""
        try:
            with self.transact():
                yield
        except BaseException:
            self._con.rollback()
            raise


def _checksum(key: bytes, head: bytes, body: bytes) -> bytes:
    return zlib.crc32(body, zlib.crc32(head, zlib.crc32(key))).to_bytes(4)


def seal(key: bytes, value: bytes) -> bytes:
    """`value` under a format version and a checksum that covers its key too, deflated when that pays."""
    head, body = _PLAIN, value
    if len(value) >= _WORTH_DEFLATING:
        small = zlib.compress(value, 1)
        head, body = (_DEFLATED, small) if len(small) < len(value) else (head, body)
    return head + _checksum(key, head, body) + body


def unseal(key: bytes, sealed: bytes) -> bytes:
    """What `seal` was given.

    Raises:
        StoreDamaged: Another format version, or bytes that are not what was written under this key.
    """
    head, checksum, body = sealed[:2], sealed[2:6], sealed[6:]
    if head not in (_PLAIN, _DEFLATED):
        raise StoreDamaged(f"a row is of format {head.hex()!r}, which this version of Stretto does not know")
    if checksum != _checksum(key, head, body):
        raise StoreDamaged("a row does not match its checksum")
    try:
        return zlib.decompress(body) if head == _DEFLATED else body
    except zlib.error as error:
        raise StoreDamaged(f"a row cannot be inflated: {error}") from error


class BlobStore:
    """Bytes under bytes keys in one directory, safe for threads, processes and forks.

    Args:
        directory: Made if missing, and closed to everyone but its owner.
        durability: What a committed write survives.

    Raises:
        BadInput: A directory that diskcache would take for another one.
        StoreDamaged: The directory holds something that is not such a store.
    """

    def __init__(self, directory: str | os.PathLike[str], durability: Durability) -> None:
        self.directory = _own_directory(directory)
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._closed = False
        with self._explained(), _alone_in(self.directory):
            self._table = _Table(self.directory, _SYNCHRONOUS[durability])
        try:
            self._table.verify_schema()
        except BaseException:
            self.close()
            raise

    def get(self, key: bytes) -> bytes | None:
        """The value under `key`, verified, or None. StoreDamaged if it is not what was written."""
        with self._held() as table:
            found = table.get(key)
        return None if found is None else unseal(key, _plain_value(_RAW, None, found))

    def set(self, key: bytes, value: bytes) -> None:
        """Store `value`, replacing what was there."""
        with self._held() as table:
            table.set(key, seal(key, value))

    def __contains__(self, key: bytes) -> bool:
        with self._held() as table:
            return key in table

    def rows(self, span: Range) -> list[tuple[bytes, bytes]]:
        """Keys and verified values in the range, in order of their bytes."""
        with self._held() as table:
            found = table.rows(span)
        return [(key, unseal(key, value)) for key, value in found]

    def keys(self, span: Range) -> list[bytes]:
        """Keys in the range, in order of their bytes."""
        with self._held() as table:
            return table.keys(span)

    def last(self, span: Range) -> bytes | None:
        """The greatest key in the range, or None."""
        with self._held() as table:
            return table.last(span)

    def erase(self, span: Range) -> None:
        """Delete the rows in the range."""
        with self._held() as table:
            table.erase(span)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """All writes inside, or none; no other writer in between. Does not nest.

        Raises:
            StrettoError: Another process kept the store locked for 30 s, or the disk refused; nothing was written.
        """
        with self._held() as table, table.transaction():
            yield

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """Reads inside belong to one moment, whatever other processes commit meanwhile. Does not nest."""
        with self._held() as table, table.snapshot():
            yield

    def close(self) -> None:
        """Release the connection; later calls raise StrettoError. Closing twice does nothing."""
        self._notice_fork()
        with self._lock:
            self._closed = True
            self._table.close()

    @contextmanager
    def _held(self) -> Generator[_Table]:
        self._notice_fork()
        with self._lock, self._explained():
            if self._closed:
                raise StrettoError(f"The store in {self.directory!r} is closed.", next_steps=("Open it again.",))
            yield self._table

    def _notice_fork(self) -> None:
        """In a child neither the parent's connection nor its lock, which another thread may have held, is of use."""
        if self._pid != os.getpid():
            self._pid, self._lock = os.getpid(), threading.RLock()
            self._table.forget()

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except diskcache.Timeout as error:
            raise StrettoError(
                f"The store in {self.directory!r} could not be written for {_TIMEOUT:.0f} s. Nothing of this write was"
                " stored; what was stored before is safe.",
                next_steps=("See whether another process keeps it locked, or the disk is read-only.",),
            ) from error
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: sqlite3.Error) -> StrettoError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return StoreDamaged(
                f"The store in {self.directory!r} is damaged: {error}.",
                next_steps=("Restore the folder from a backup, or move it away to begin anew.",),
            )
        return StrettoError(
            f"The store in {self.directory!r} refused: {error}. Nothing of this write was stored; what was stored"
            " before is safe."
        )


@contextmanager
def _alone_in(directory: str) -> Generator[None]:
    """Openers wait for each other: making the tables takes many statements, and some of them do not wait for a lock."""
    with Path(directory, _LOCK).open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _own_directory(directory: str | os.PathLike[str]) -> str:
    """The absolute path, made if missing, with nothing in it for the group or others."""
    path = os.path.abspath(directory)  # noqa: PTH100 - collapses `..`, which Path.absolute does not
    if os.path.expandvars(path) != path:
        raise BadInput(
            f"The directory {path!r} contains '$' and the name of a variable, which diskcache would replace.",
            field="directory",
        )
    try:
        Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)
        if Path(path).stat().st_mode & 0o077:
            Path(path).chmod(0o700)
        Path(path, _LOCK).touch(mode=0o600)
    except OSError as error:
        raise BadInput(f"The directory {path!r} cannot hold a store: {error.strerror}.", field="directory") from error
    return path
