"""Bytes under sorted bytes keys, in a diskcache cache that neither evicts nor unpickles.

diskcache's defaults lose data: it evicts the oldest rows above a size, keeps large values in files that no transaction
covers, and unpickles whatever a row says is a pickle. Here every value lies in SQLite, nothing is evicted, and a row
that is not plain bytes is an error. One connection serves all threads, because LangGraph starts new threads for every
run and diskcache would open (and leave open) one for each.
"""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import diskcache

from stretto.state.errors import StoreDamaged, StrettoError
from stretto.state.keys import Range

Durability = Literal["power", "process"]
"""`power` survives the loss of power, `process` only the death of the process, and is faster."""

_SYNCHRONOUS: dict[Durability, int] = {"power": 2, "process": 1}
_UNBOUNDED = 2**62
_RAW = 1
_TIMEOUT = 30.0
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


class Table(diskcache.Cache):
    """All that touches diskcache's privates: one connection for every thread, and scans over a range of keys."""

    def __init__(self, directory: str, durability: Durability) -> None:
        self._one: sqlite3.Connection | None = None
        self._synchronous = _SYNCHRONOUS[durability]
        try:
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
                sqlite_synchronous=self._synchronous,
            )
        except BaseException:
            self.close()
            raise

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

    def value(self, key: bytes) -> bytes | None:
        """The value under `key`, or None."""
        found = self.get(key)
        return None if found is None else _plain_value(_RAW, None, found)

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
        except diskcache.Timeout as error:
            raise StrettoError(
                f"The store in {self._directory!r} could not be written for {_TIMEOUT:.0f} s. Nothing of this write was"
                " stored; what was stored before is safe.",
                next_steps=("See whether another process keeps it locked, or the disk is read-only.",),
            ) from error
        except BaseException:
            self._con.rollback()
            raise
