"""Bytes under sorted bytes keys, in a diskcache cache that neither evicts nor unpickles.

diskcache's defaults lose data: it evicts the oldest rows above a size, keeps large values in files that no transaction
covers, and unpickles whatever a row says is a pickle. Here every value lies in SQLite, nothing is evicted, and a row
that is not plain bytes is an error. One connection serves all threads, because LangGraph starts new threads for every
run and diskcache would open (and leave open) one for each. Rows are written by one INSERT, where diskcache looks first:
they are its rows all the same, and `prove` has diskcache read and write some before a store is used.
"""

import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import diskcache

from stretto.state import folders
from stretto.state.cache_tables import AHEAD, COLUMNS, LIGHTER, NEWEST, OBJECTS
from stretto.state.errors import StoreDamaged, StrettoError
from stretto.state.examining import examine
from stretto.state.keys import Range
from stretto.state.tide import Tide, mark

Durability = Literal["power", "process"]
"""`power` survives the loss of power, `process` only the death of the process, and is faster."""

_SYNCHRONOUS: dict[Durability, int] = {"power": 2, "process": 1}
DURABILITIES = tuple(_SYNCHRONOUS)
_UNBOUNDED = 2**62
_FILE = "cache.db"
_RAW = 1
_TIMEOUT = 30.0


class TakenKey(Exception):
    """A row whose key was thought to be new is there: what is being done has to be done again, in earnest."""


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


_COLUMNS = "(key, raw, store_time, expire_time, access_time, access_count, size, mode, value)"
_ROW = "(?, 1, ?, ?, NULL, 0, 0, 1, ?)"
_INSERT = f"INSERT OR FAIL INTO Cache {_COLUMNS} VALUES {_ROW}"  # noqa: S608 - of nothing but these
"""FAIL: an INSERT that fires triggers would else keep what it needs to undo itself, and there is one row."""
_FEW = 8
_INSERT_FEW = [f"INSERT INTO Cache {_COLUMNS} VALUES {', '.join([_ROW] * count)}" for count in range(_FEW + 1)]  # noqa: S608
"""By how many rows. Alone it is a transaction, which begins and ends without being told to."""
_REPLACE = "UPDATE Cache SET store_time = ?, expire_time = ?, value = ? WHERE key = ? AND raw = 1"
_VALUES = "SELECT key, expire_time, raw, mode, filename, value FROM Cache"
_KEYS = "SELECT key, raw FROM Cache WHERE key >= ? AND key < ? ORDER BY key LIMIT ?"
_KEYS_DESCENDING = "SELECT key, raw FROM Cache WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?"
_MOST_AT_ONCE = 500
_LOG = 2 << 20
_PAGES_IN_LOG = 4000
"""How many pages the write-ahead log may hold, where no commit waits for the disk: to bring them home does."""


class Table(diskcache.Cache):
    """All that touches diskcache's privates: one connection for every thread, and scans over a range of keys."""

    def __init__(self, directory: str, durability: Durability, newest: int, *, marked: bool) -> None:
        self._one: sqlite3.Connection | None = None
        self._ask: Callable[..., sqlite3.Cursor] = self._not_open
        """Of the one cursor that writes: to make one for each statement takes longer."""
        self._synchronous = _SYNCHRONOUS[durability]
        self.version = -1
        """Another number for a transaction before which somebody else may have written; -1 if the last one failed."""
        self._versions = itertools.count()
        self._ahead = self._inserted = self._changes = 0
        self._waiting: list[tuple[bytes, float, float | None, bytes]] | None = None
        """New rows of a transaction that is nothing else as yet."""
        self._before: int | None = None
        path = str(Path(directory, _FILE))
        log = Path(f"{path}-wal")
        self._found_log = log.exists() and log.stat().st_size > 0
        examine(path, newest, mark(path) if marked else 0, _TIMEOUT)
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
        if self._waiting is not None:
            self._in_earnest(self._waiting)
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
        if self._waiting is not None:
            self._waiting.append((key, time.time(), expires, value))
            return True
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

    def begin(self, *, lightly: bool = False, alone: bool = False) -> int:
        """From here to `finish`, writes are one transaction, in which diskcache's own methods take part.

        Begun `lightly`, new rows wait for its end, as long as nothing but those is written and nothing is read: then
        they are one statement. TakenKey is raised where one of them is not new. `alone` says that nobody else has
        written since the last transaction. Returned is a number that is the same for each transaction until somebody
        else has, or one fails.

        Raises:
            StrettoError: Another process kept the file locked.
        """
        if not lightly:
            self._begin_immediate()
        self._txn_id = threading.get_ident()  # so that diskcache begins none of its own
        self._inserted, self._before = 0, None
        if not alone or self.version < 0:
            (self._ahead,) = self._ask("SELECT value FROM Settings WHERE key = ?", (AHEAD,)).fetchone()
            self.version = next(self._versions)
        self._waiting = [] if lightly else None
        return self.version

    def _begin_immediate(self) -> None:
        try:
            self._ask("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise self._locked(error) from error

    def _locked(self, error: sqlite3.OperationalError) -> Exception:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            return error
        return StrettoError(
            f"The store in {self._directory!r} could not be written for {_TIMEOUT:.0f} s ({error}). Nothing of this"
            " write was stored; what was stored before is safe.",
            next_steps=("See whether another process keeps it locked.",),
        )

    def _in_earnest(self, waiting: list[tuple[bytes, float, float | None, bytes]]) -> None:
        """Something else than a new row is asked for: begin the transaction, with the rows that waited."""
        self._waiting = None
        self._begin_immediate()
        for row in waiting:
            try:
                self._inserted = self._ask(_INSERT, row).lastrowid or 0
            except sqlite3.IntegrityError as error:
                raise TakenKey from error

    def finish(self, error: BaseException | None) -> None:
        """Make what was written since `begin` durable if there is no error; else undo it, and raise the error."""
        if error is not None:
            self.end()
            raise error
        version, self.version = self.version, -1
        try:
            count = self._commit() if self._waiting is None or len(self._waiting) > _FEW else self._store_new()
            self.version, self._txn_id = version, None
            if count and self._tide:
                self._tide.rise(count)
        except BaseException:
            self.end()
            raise

    def _store_new(self) -> int:
        """Store the new rows, and nothing else, as a transaction of their own. The count of commits with it, or 0."""
        rows, self._waiting = self._waiting, None
        if not rows:
            return 0
        try:
            new = self._ask(_INSERT_FEW[len(rows)], tuple(itertools.chain.from_iterable(rows)))
        except sqlite3.IntegrityError as error:
            raise TakenKey from error
        except sqlite3.OperationalError as error:
            raise self._locked(error) from error
        return self._ahead + (new.lastrowid or 0)

    def _commit(self) -> int:
        """Commit what is written. The count of commits with this one; 0 if it changes nothing, or nobody counts."""
        if self._waiting:
            self._in_earnest(self._waiting)
        count = self._count() if self._tide else 0
        self._ask("COMMIT")
        return count

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
        self._txn_id = self._waiting = None
        if self._con.in_transaction:
            self.version = -1
            self._con.rollback()
