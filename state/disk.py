"""Bytes under sorted bytes keys, in a diskcache cache that neither evicts nor unpickles.

diskcache's defaults lose data: it evicts the oldest rows above a size, keeps large values in files that no transaction
covers, and unpickles whatever a row says is a pickle. Here every value lies in SQLite, nothing is evicted, and a row
that is not plain bytes is an error. One connection serves all threads, because LangGraph starts new threads for every
run and diskcache would open (and leave open) one for each. Rows are written by one INSERT, where diskcache looks first:
they are its rows all the same, and `prove` has diskcache read and write some before a store is used.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Literal

import diskcache

from stretto.state import folders
from stretto.state.cache_tables import AHEAD, COLUMNS, LIGHTER, NEWEST, NUMBERS, OBJECTS, SETTINGS
from stretto.state.errors import StoreDamaged, StrettoError
from stretto.state.keys import Range
from stretto.state.tide import Tide, check_tide, mark

Durability = Literal["power", "process"]
"""`power` survives the loss of power, `process` only the death of the process, and is faster."""

_SYNCHRONOUS: dict[Durability, int] = {"power": 2, "process": 1}
_UNBOUNDED = 2**62
_FILE = "cache.db"
_LARGE = 32 << 20
"""Bytes up to which a file's pages are gone through when it is opened: 5 ms for each MB."""
_RAW = 1
_TIMEOUT = 30.0


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


_INSERT = (  # FAIL: an INSERT that fires triggers would else keep what it needs to undo itself, and there is one row
    "INSERT OR FAIL INTO Cache (key, raw, store_time, expire_time, access_time, access_count, size, mode, value)"
    " VALUES (?, 1, ?, ?, NULL, 0, 0, 1, ?)"
)
_REPLACE = "UPDATE Cache SET store_time = ?, expire_time = ?, value = ? WHERE key = ? AND raw = 1"
_VALUES = "SELECT key, expire_time, raw, mode, filename, value FROM Cache"
_KEYS = "SELECT key, raw FROM Cache WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"
_KEYS_DESCENDING = "SELECT key, raw FROM Cache WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?"
_MOST_AT_ONCE = 500
_LOG = 2 << 20
_PAGES_IN_LOG = 4000
"""How many pages the write-ahead log may hold, where no commit waits for the disk: to bring them home does."""


def wrong_format(directory: str, found: int, known: int) -> StoreDamaged:
    """The error for a store of another version of Stretto."""
    return StoreDamaged(
        f"The store in {directory!r} is of format {found}, and this version of Stretto reads format {known}. Nothing"
        " was read from it or written to it.",
        next_steps=("Use the version of Stretto that wrote it, or name another directory.",),
    )


def _examine(path: str, newest: int, marked: int) -> None:
    """Look at a file before diskcache opens it, which writes to it and does what its settings say.

    Raises:
        StoreDamaged: It is of a format after the `newest` that is known, its pages do not fit together, it has settings
            that diskcache does not make, or it is not as new as its mark.
    """
    if not Path(path).exists():
        check_tide(path, marked, 0)
        return
    half_made = Path(f"{path}-journal").exists()  # to read is to roll back; of a file that has its WAL there is none
    uri = f"{Path(path).as_uri()}?mode={'rw' if half_made else 'ro'}"
    with closing(sqlite3.connect(uri, timeout=_TIMEOUT, uri=True)) as connection:
        made = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "Settings" not in made:
            check_tide(path, marked, 0)
            return
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > newest:
            raise wrong_format(str(Path(path).parent), version, newest)
        settings = dict(connection.execute("SELECT key, value FROM Settings").fetchall())
        (pages,), (size,) = (connection.execute(f"PRAGMA page_{of}").fetchone() for of in ("count", "size"))
        said = connection.execute("PRAGMA integrity_check(1)").fetchone() if pages * size <= _LARGE else ("ok",)
        (rowid,) = connection.execute(NEWEST).fetchone() if "Cache" in made else (0,)
    strange = sorted(str(name) for name in settings if name not in SETTINGS)
    strange += [name for name in sorted(NUMBERS) if type(settings.get(name, 0)) is not int]
    if strange or said[0] != "ok":
        why = (
            f"its settings are others: {', '.join(strange)}" if strange else f"its pages do not fit together: {said[0]}"
        )
        raise StoreDamaged(
            f"The store in {str(Path(path).parent)!r} is damaged: {why}. Nothing was read from it or written to it.",
            next_steps=("Restore the folder from a backup, or move it away to begin anew.",),
        )
    check_tide(path, marked, settings.get(AHEAD, 0) + rowid)


class Table(diskcache.Cache):
    """All that touches diskcache's privates: one connection for every thread, and scans over a range of keys."""

    def __init__(self, directory: str, durability: Durability, newest: int, *, marked: bool) -> None:
        self._one: sqlite3.Connection | None = None
        self._ask: Callable[..., sqlite3.Cursor] = self._not_open
        """Of the one cursor that writes: to make one for each statement takes longer."""
        self._synchronous = _SYNCHRONOUS[durability]
        self.version = -1
        """What `changes_of_others` was when the last transaction began; -1 if that one failed."""
        self._ahead = self._inserted = self._changes = 0
        self._before: int | None = None
        path = str(Path(directory, _FILE))
        log = Path(f"{path}-wal")
        self._found_log = log.exists() and log.stat().st_size > 0
        _examine(path, newest, mark(path) if marked else 0)
        self._tide = Tide(path, synced=durability == "power") if marked else None
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
                disk_pickle_protocol=0,
                sqlite_auto_vacuum=1,
                sqlite_cache_size=2**13,
                sqlite_journal_mode="wal",
                sqlite_mmap_size=0,
                sqlite_synchronous=self._synchronous,
            )
            self._lighten()
        except BaseException:
            self.close()
            raise

    @property
    def _con(self) -> sqlite3.Connection:
        if self._one is None:
            path = Path(self._directory, _FILE)
            self._one = sqlite3.connect(path, timeout=_TIMEOUT, isolation_level=None, check_same_thread=False)
            for pragma in (f"synchronous = {self._synchronous}", "mmap_size = 0", "trusted_schema = 0"):
                self._one.execute(f"PRAGMA {pragma}")
            if self._synchronous < _SYNCHRONOUS["power"]:
                self._one.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_IN_LOG}")
            self._ask = self._one.cursor().execute
        return self._one

    def _not_open(self, *_: object) -> sqlite3.Cursor:
        raise sqlite3.ProgrammingError("the cache is not open")

    def _lighten(self) -> None:
        """Make some of diskcache's objects anew that cost every commit something and do nothing for our rows."""
        for kind, name, sql in LIGHTER:
            (made,) = self._con.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
            if made != sql:
                reset = "UPDATE Settings SET value = 0 WHERE key = 'count'"
                self._con.executescript(f"BEGIN IMMEDIATE; DROP {kind} {name}; {sql}; {reset}; COMMIT")

    def close(self) -> None:
        """Close the connection."""
        if self._one is not None:
            self._one.close()
            self._one, self._ask = None, self._not_open
        if self._tide:
            self._tide.close()

    def verify_schema(self) -> None:
        """StoreDamaged unless the tables are those that this module was written for, and nothing beside them."""
        objects: list[tuple[str, str]] = self._con.execute(
            "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'"
        ).fetchall()
        columns = tuple(row[1] for row in self._con.execute("PRAGMA table_info(Cache)").fetchall())
        unique = [row[2] for row in self._con.execute("PRAGMA index_info(Cache_key_raw)").fetchall()]
        if set(objects) ^ OBJECTS or columns != COLUMNS or unique != ["key", "raw"]:
            strange = sorted({name for _, name in set(objects) ^ OBJECTS}) or columns
            raise self._not_diskcache(f"its tables are others: {', '.join(strange)}")

    def prove(self) -> None:
        """StoreDamaged unless diskcache reads what this class writes and the other way round. Leaves nothing behind."""
        ours, theirs, value = b"\0ours", b"\0theirs", b"\0\xff"
        self.begin()
        try:
            self.insert(ours, value)
            self.set(theirs, value)
            found = [self.get(ours), self.value(theirs), *self.values([ours, theirs]).values()]
            before = self.counted()
            self.erase(Range(b"\0", b"\1"))
            if found != [value] * 4 or before - self.counted() != 2:
                raise self._not_diskcache("it reads or counts rows in another way")
        finally:
            self.end()

    def _not_diskcache(self, why: str) -> StoreDamaged:
        return StoreDamaged(
            f"The cache in {self._directory!r} is not one of diskcache 5.6.3: {why}. Nothing was read from it.",
            next_steps=("Install diskcache==5.6.3, or restore the folder from a backup.",),
        )

    def reserve_log(self) -> None:
        """Make room in the write-ahead log, where commits wait for the disk: to overwrite takes half of appending.

        Done by writing more than the cache holds, and taking it back. Without room on the disk, nothing is done.
        """
        log = Path(self._directory, "cache.db-wal")
        if self._synchronous < _SYNCHRONOUS["power"] or (log.exists() and log.stat().st_size >= _LOG):
            return
        (cached,) = self._con.execute("PRAGMA cache_size").fetchone()
        self._con.execute("PRAGMA cache_size = 10")
        self.begin()
        try:
            self._con.execute(_INSERT.replace("?)", "zeroblob(?))"), (b"\0", 0, None, _LOG))
        except sqlite3.OperationalError:
            pass
        finally:
            self.end()
            self._con.execute(f"PRAGMA cache_size = {cached:d}")

    def counted(self) -> int:
        """How many rows there are."""
        return int(self._con.execute("SELECT count(*) FROM Cache").fetchone()[0])

    def get_version(self) -> int:
        """The format of what lies here, as the file says; 0 if it does not."""
        return int(self._con.execute("PRAGMA user_version").fetchone()[0])

    def set_version(self, number: int) -> None:
        """Say in the file which format lies here."""
        self._con.execute(f"PRAGMA user_version = {number:d}")

    def settle(self) -> None:
        """Make what was found durable, also a commit whose sync failed. OSError if that fails."""
        if self._synchronous < _SYNCHRONOUS["power"]:
            return
        if self._found_log:
            self.begin()  # nobody else writes to it
            try:
                folders.rewrite(f"{self._directory}/{_FILE}-wal")
            finally:
                self.end()
        folders.sync(self._directory)  # the name of the WAL: when SQLite fails at it, it does not say

    def value(self, key: bytes) -> bytes | None:
        """The value under `key`, or None."""
        select = "SELECT raw, mode, filename, value FROM Cache WHERE key = ?"
        for raw, *value in self._con.execute(select, (key,)).fetchall():
            _plain_key(key, raw)
            return _plain_value(*value)
        return None

    def values(self, keys: Iterable[bytes], at: float = 0.0) -> dict[bytes, bytes]:
        """The values of those keys that are there, and that expire after `at` (seconds of the epoch) or never."""
        wanted = list(keys)
        found: dict[bytes, bytes] = {}
        for start in range(0, len(wanted), _MOST_AT_ONCE):
            some = wanted[start : start + _MOST_AT_ONCE]
            select = f"{_VALUES} WHERE key IN ({','.join('?' * len(some))})"  # nothing but question marks is put in
            for key, expires, raw, *value in self._con.execute(select, some):
                if not isinstance(expires, int | float | None):
                    raise StoreDamaged("a row expires at no time: it was not written by Stretto, and was not loaded")
                if expires is None or not at or expires > at:
                    found[_plain_key(key, raw)] = _plain_value(*value)
        return found

    def rows(self, span: Range) -> list[tuple[bytes, bytes]]:
        """Keys and values in the range, in order."""
        select = "SELECT key, raw, mode, filename, value FROM Cache WHERE key >= ? AND key < ? ORDER BY key"
        found = self._con.execute(select, span).fetchall()
        return [(_plain_key(key, raw), _plain_value(*value)) for key, raw, *value in found]

    def keys(self, span: Range, most: int = -1, descending: bool = False) -> list[bytes]:
        """Keys in the range, in order, without their values."""
        select = _KEYS_DESCENDING if descending else _KEYS
        return [_plain_key(*row) for row in self._con.execute(select, (*span, most)).fetchall()]

    def insert(self, key: bytes, value: bytes, expires: float | None = None) -> bool:
        """Store a row under a new key; whether it was new. `expires` is in seconds of the epoch."""
        try:
            self._inserted = self._ask(_INSERT, (key, time.time(), expires, value)).lastrowid or 0
        except sqlite3.IntegrityError:
            return False
        return True

    def replace(self, key: bytes, value: bytes, expires: float | None = None) -> None:
        """Store a row in place of the one that is there. StoreDamaged if that is not one of ours."""
        self.value(key)
        self._count_before()
        self._con.execute(_REPLACE, (time.time(), expires, value, key))

    def erase(self, span: Range) -> None:
        """Delete the rows in the range, whoever wrote them."""
        self._count_before()
        self._con.execute("DELETE FROM Cache WHERE key >= ? AND key < ?", span)

    def erase_expired(self, at: float) -> None:
        """Delete the rows that had expired at that time, in seconds of the epoch."""
        self._count_before()
        self._con.execute("DELETE FROM Cache WHERE expire_time <= ?", (at,))

    def changes_of_others(self) -> int:
        """A number that is another one once somebody else has committed to the file."""
        return int(self._con.execute("PRAGMA data_version").fetchone()[0])

    def must_be_free(self) -> None:
        """RuntimeError if a transaction is open: they do not nest."""
        if self._con.in_transaction:
            raise RuntimeError("a transaction of this store is open in this thread already")

    def stranger(self, kinds: str) -> object:
        """The first key that begins with none of these letters; None if there is none."""
        starts = ("", *sorted(kinds), "\x7f")
        for low, high in zip((bytes((ord(end) + 1,)) if end else b"" for end in starts), starts[1:], strict=False):
            select = "SELECT key FROM Cache WHERE key >= ? AND key < ? LIMIT 1"
            for (key,) in self._con.execute(select, (low, high.encode())):
                return key
        for (key,) in self._con.execute("SELECT key FROM Cache WHERE key IS NULL OR key < x'' OR key >= x'7F' LIMIT 1"):
            return repr(key)
        return None

    def begin_reading(self) -> None:
        """From here to `end_reading`, reads see the table as the first of them finds it."""
        self._con.execute("BEGIN")

    def end_reading(self) -> None:
        """Let go of what `begin_reading` held on to. Nothing was written, so `version` stays what it is."""
        if self._con.in_transaction:
            self._con.rollback()

    def begin(self) -> None:
        """From here to `commit`, writes are one transaction, in which diskcache's own methods take part.

        Raises:
            StrettoError: Another process kept the file locked.
        """
        ask = self._ask
        try:
            ask("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise StrettoError(
                f"The store in {self._directory!r} could not be written for {_TIMEOUT:.0f} s ({error}). Nothing of this"
                " write was stored; what was stored before is safe.",
                next_steps=("See whether another process keeps it locked.",),
            ) from error
        self._txn_id = threading.get_ident()  # so that diskcache begins none of its own
        self._inserted, self._before = 0, None
        (version,) = ask("PRAGMA data_version").fetchone()
        if version != self.version:
            (self._ahead,) = ask("SELECT value FROM Settings WHERE key = ?", (AHEAD,)).fetchone()
            self.version = version

    def commit(self) -> None:
        """Make what was written since `begin` durable."""
        count = self._count() if self._tide else 0
        version, self.version = self.version, -1
        self._ask("COMMIT")
        self.version, self._txn_id = version, None
        if count and self._tide:
            self._tide.rise(count)

    def finish(self, error: BaseException | None) -> None:
        """Commit if there is no error; else undo what was written since `begin`, and raise it."""
        if error is not None:
            self.end()
            raise error
        try:
            self.commit()
        except BaseException:
            self.end()
            raise

    def _count(self) -> int:
        """The count of commits with the one that is about to be made; 0 if it changes nothing."""
        if self._before is None or self._con.total_changes == self._changes:
            return self._inserted and self._ahead + self._inserted
        newest = self._newest()
        self._ahead = max(self._ahead, self._before + 1 - newest)
        self._con.execute("UPDATE Settings SET value = ? WHERE key = ?", (self._ahead, AHEAD))
        return self._ahead + newest

    def _count_before(self) -> None:
        """To be called before rows are deleted or replaced: the commit that does it has to be counted by itself."""
        if self._before is None:
            self._before = self._ahead + self._newest()
            self._changes = self._con.total_changes

    def _newest(self) -> int:
        return int(self._con.execute(NEWEST).fetchone()[0])

    def end(self) -> None:
        """Undo what was not committed: all since `begin`, also where the commit itself failed."""
        self._txn_id = None
        if self._con.in_transaction:
            self.version = -1
            self._con.rollback()
