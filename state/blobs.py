"""BlobStore: sealed bytes under bytes keys, for any number of threads and processes."""

import fcntl
import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar
from weakref import WeakSet

from stretto.state import folders
from stretto.state.disk import DURABILITIES, Durability, Table, TakenKey
from stretto.state.errors import BadInput, DiskFailed, DiskFull, StoreDamaged, StrettoError
from stretto.state.examining import wrong_format
from stretto.state.gate import TOKEN_SIZE, hold_again, let_go, open_gate
from stretto.state.keys import Range
from stretto.state.reader import FAULTS, explain, is_damage, stopped
from stretto.state.sealing import Row, seal, unseal
from stretto.state.together import Together

FORMAT = 2
"""Written to each file. 1 had another layout of rows, and no number in the file."""
_REFUSED = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
)
_LOCK, _GATE = "open.lock", "write.lock"
"""Held by who opens, and by who writes: SQLite alone would have writers sleep in turns, the unlucky ones for long."""
_REMEMBERED, _WORTH_REMEMBERING = 4096, 4096

P = ParamSpec("P")
T = TypeVar("T")

Migrate = Callable[["BlobStore"], None]
"""Rewrites the rows of format 1, within a transaction."""


class _Transaction:
    """What happens between two calls, the second of which is told what went wrong: a generator would take longer."""

    def __init__(self, begin: Callable[[], None], end: Callable[[BaseException | None], None]) -> None:
        self._begin = begin
        self._end = end

    def __enter__(self) -> None:
        self._begin()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._end(error)


class BlobStore:
    """Bytes under bytes keys in one directory, safe for threads and processes; a fork must open it anew, or is refused.

    Args:
        directory: Made if missing, and closed to everyone but its owner.
        durability: What a committed write survives.
        migrate: For a store of format 1; without it, such a store is refused.
        kinds: Letters of which each key begins with one; without them, any key will do.
        marked: Whether the loss of commits is found, and refused, when it is opened again; see tide.py.

    Raises:
        BadInput: There is no such durability, the directory cannot be used, or diskcache would take it for another one.
        StoreDamaged: It holds something that is not such a store, or one of another format.
        StrettoError: This process was forked from one that has the store open.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        durability: Durability,
        migrate: Migrate | None = None,
        *,
        kinds: str = "",
        marked: bool = True,
    ) -> None:
        if durability not in DURABILITIES:
            raise BadInput(f"There is no durability {durability!r}.", field="durability", allowed=DURABILITIES)
        self.directory = _own_directory(directory)
        self.inherited = False
        """Whether this is the copy that a forked child got of its parent's open store."""
        if any(store.inherited and store.directory == self.directory for store in list(_STORES)):
            raise _forked(self.directory)
        self._lock = threading.RLock()
        self._gate = -1
        self._together = Together(self._lock, self._perform)
        self._verified: OrderedDict[bytes, tuple[bytes, Row]] = OrderedDict()
        self._closed = False
        self._failed = ""
        self._busy = False
        self._token = os.urandom(TOKEN_SIZE)
        self.version = -1
        """In a transaction, a number that is another one once another store has written since the last transaction of
        this one, and where that failed."""
        self.rolled_back: Callable[[], None] = lambda: None
        """Called when a transaction failed, with the lock held: to forget what was thought to be written."""
        with _alone_in(self.directory):
            try:
                self._table = Table(self.directory, durability, FORMAT, marked=marked)
            except FAULTS as error:
                raise self._translated(error) from error
            _STORES.add(self)
            try:
                self._anchored(self._make_gate)
                self._ask(Table.verify_schema)
                self._ask(Table.prove)
                self._settle(migrate)
                self._anchored(lambda: self._ask(Table.settle))
                if kinds:
                    self._hold_only(kinds)
                self._ask(Table.reserve_log)
            except BaseException:
                self.close()
                raise

    def _settle(self, migrate: Migrate | None) -> None:
        """Bring what is there to today's format, or refuse it."""
        version = self._ask(Table.get_version)
        if version == FORMAT:
            return
        if version or (self._ask(Table.counted) and not migrate):
            raise wrong_format(self.directory, version or 1, FORMAT)
        self._anchored(lambda: folders.anchor(self.directory))
        with self.transaction():
            if migrate:
                migrate(self)
            self._ask(Table.set_version, FORMAT)

    def _make_gate(self) -> None:
        self._gate = open_gate(str(Path(self.directory, _GATE)))

    def _anchored(self, sync: Callable[[], None]) -> None:
        try:
            sync()
        except OSError as error:
            raise _cannot_hold(self.directory, error) from error

    def _hold_only(self, kinds: str) -> None:
        """See that nobody else wrote a row, or moved one to another key."""
        if (key := self._ask(Table.stranger, kinds)) is not None:
            raise StoreDamaged(
                f"The store in {self.directory!r} has a row under the key {str(key)[:100]!r}, which is not one of"
                " Stretto's. Nothing was read from it or written to it.",
                next_steps=("Restore the folder from a backup, or move it away to begin anew.",),
            )

    def get(self, key: bytes) -> Row | None:
        """The row under `key`, verified, or None. StoreDamaged if it is not what was written."""
        found = self._ask(Table.value, key)
        return None if found is None else self._unsealed(key, found)

    def add(self, key: bytes, value: bytes, expires: float | None = None) -> bytes | None:
        """Store `value` under a key that has none yet; the row's digest.

        None, and nothing is stored, if the key has one. In a transaction.
        """
        sealed, digest = seal(key, value)
        return digest if self._table.insert(key, sealed, expires) else None

    def set(self, key: bytes, value: bytes, expires: float | None = None) -> bytes:
        """Store `value`, replacing what was there; the row's digest. In a transaction."""
        sealed, digest = seal(key, value)
        if not self._table.insert(key, sealed, expires):
            self._table.replace(key, sealed, expires)
        return digest

    def rows(self, span: Range) -> list[tuple[bytes, Row]]:
        """Keys and verified rows in the range, in order of their bytes."""
        return [(key, self._unsealed(key, value)) for key, value in self._ask(Table.rows, span)]

    def unexpired(self, keys: Iterable[bytes], at: float) -> dict[bytes, Row]:
        """The verified rows of those keys that are there, and expire after `at` (seconds of the epoch) or never."""
        return {key: unseal(key, value) for key, value in self._ask(Table.values, keys, at).items()}

    def add_bare(self, key: bytes, value: bytes) -> bool:
        """Store bytes that are not sealed, since their key says what they are; whether the key was new.

        In a transaction.
        """
        return self._table.insert(key, value)

    def bare(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """The bytes under those keys that are there. Nothing is verified: that is for the caller."""
        return self._ask(Table.values, keys)

    def bare_rows(self, span: Range) -> list[tuple[bytes, bytes]]:
        """Keys and bytes in the range. Nothing is verified."""
        return self._ask(Table.rows, span)

    def keys(self, span: Range, most: int = -1, *, descending: bool = False) -> list[bytes]:
        """Up to `most` keys in the range, in order of their bytes; values are not read."""
        return self._ask(Table.keys, span, most, descending)

    def has(self, key: bytes) -> bool:
        """Whether there is a row under `key`; its value is not read."""
        return bool(self.keys(Range(key, key + b"\0"), 1))

    def erase(self, span: Range) -> None:
        """Delete the rows in the range."""
        self._ask(Table.erase, span)

    def delete(self, key: bytes) -> None:
        """Delete one row, if it is there."""
        self.erase(Range(key, key + b"\0"))

    def erase_expired(self, at: float) -> None:
        """Delete the rows that had expired at that time, in seconds of the epoch."""
        self._ask(Table.erase_expired, at)

    def changes_of_others(self) -> int:
        """A number that is another one once another process has written to the store."""
        return self._ask(Table.changes_of_others)

    def _ask(self, question: Callable[Concatenate[Table, P], T], *args: P.args, **named: P.kwargs) -> T:
        """Have the table do something, one thread at a time."""
        with self._lock:
            table = self._open()
            try:
                return question(table, *args, **named)
            except FAULTS as error:
                raise self._translated(error) from error

    def _unsealed(self, key: bytes, sealed: bytes) -> Row:
        """Verified once and known again by its bytes: the store is read each time, and only the arithmetic is saved."""
        known = self._verified.get(key)
        if known is not None and known[0] == sealed:
            return known[1]
        row = unseal(key, sealed)
        if len(row.value) <= _WORTH_REMEMBERING:
            self._verified[key] = (sealed, row)
            if len(self._verified) > _REMEMBERED:
                self._verified.popitem(last=False)
        return row

    def write(self, work: Callable[[], None], patience: float = 0.0) -> None:
        """Do `work` in a transaction, together with what other threads have to write; return when it is durable.

        Args:
            work: May be done a second time, if something else in its transaction failed.
            patience: For up to so many seconds, wait for another write that it can go with.

        Raises:
            StrettoError: The disk refused, or another process kept the store locked; nothing of it was written.
        """
        self._together.write(work, patience)

    def _perform(self, works: Sequence[Callable[[], None]]) -> None:
        """Do them in one transaction, which is a light one if they store nothing but new rows."""
        for lightly in (True, False):
            try:
                self._begin(lightly=lightly)
                error: BaseException | None = None
                try:
                    for work in works:
                        work()
                except BaseException as raised:  # noqa: BLE001 - it is raised there
                    error = raised
                self._end(error)
            except BaseException as refused:
                self.rolled_back()
                if not lightly or not isinstance(refused, TakenKey):
                    raise
            else:
                return

    def transaction(self) -> "_Transaction":
        """All writes inside, or none; no other writer in between. Does not nest.

        Raises:
            DiskFailed: The disk failed now, or in an earlier transaction: then nothing is tried any more.
            StrettoError: Another process kept the store locked for 30 s, or the disk is full; nothing was written.
        """
        return _Transaction(self._begin, self._end)

    def _begin(self, *, lightly: bool = False) -> None:
        self._lock.acquire()
        try:
            if self._busy or self._failed or self._closed or self.inherited:
                self._refuse()
            alone = hold_again(self._gate, self.directory, self._token)
        except BaseException as error:
            self._failed = error.message if isinstance(error, DiskFailed) else self._failed
            self._lock.release()
            raise
        self._busy = True
        try:
            self.version = self._table.begin(lightly=lightly, alone=alone)
        except BaseException as error:  # noqa: BLE001 - it is raised there; the transaction may have begun nevertheless
            self._end(error)

    def _refuse(self) -> None:
        """Say why no transaction may begin."""
        if self._failed:
            raise stopped(self._failed)
        self._open()
        raise RuntimeError("a transaction of this store is open in this thread already")

    def _end(self, error: BaseException | None) -> None:
        """Commit if there is no error, which is raised otherwise; leave no transaction open."""
        try:
            try:
                self._busy = False
                self._table.finish(error)
            finally:
                let_go(self._gate)
        except DiskFailed as failed:
            self._failed = failed.message
            raise
        except FAULTS as fault:
            translated = self._translated(fault)
            self._failed = translated.message if isinstance(translated, DiskFailed) else ""
            raise translated from fault
        finally:
            self._lock.release()

    @contextmanager
    def snapshot(self) -> Generator[None]:
        """Reads inside belong to one moment, whatever other processes commit meanwhile. Does not nest."""
        with self._lock:
            table = self._open()
            if self._busy:
                raise RuntimeError("a transaction of this store is open in this thread already")
            self._busy = True
            try:
                try:
                    table.begin_reading()
                    yield
                finally:
                    self._busy = False
                    table.end_reading()
            except FAULTS as error:
                raise self._translated(error) from error

    def close(self) -> None:
        """Release the connection; later calls raise StrettoError. Closing twice does nothing."""
        if self.inherited:  # closing it here would meddle with the parent's
            return
        with self._lock:
            self._closed = True
            self._table.close()
            gate, self._gate = self._gate, -1
            if gate >= 0:
                os.close(gate)

    @property
    def is_open(self) -> bool:
        """Whether it can still be used."""
        return not self._closed

    def _open(self) -> Table:
        if self.inherited:
            raise _forked(self.directory)
        if self._closed:
            raise StrettoError(f"The store in {self.directory!r} is closed.", next_steps=("Open it again.",))
        return self._table

    def _translated(self, error: sqlite3.Error | UnicodeDecodeError) -> Exception:
        if is_damage(error):
            return StoreDamaged(
                f"The store in {self.directory!r} is damaged: {error}.",
                next_steps=("Restore the folder from a backup, or move it away to begin anew.",),
            )
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _REFUSED:
            return explain(error, self.directory)
        return StrettoError(
            f"The store in {self.directory!r} refused: {error}. Nothing of this write was stored; what was stored"
            " before is safe."
        )


_STORES: WeakSet[BlobStore] = WeakSet()
"""Those of this process, and of the one it was forked from."""


def _mark_inherited() -> None:
    for store in list(_STORES):
        store.inherited = store.inherited or store.is_open


os.register_at_fork(after_in_child=_mark_inherited)


def _forked(directory: str) -> StrettoError:
    """SQLite forgets its locks in a fork but believes to hold them: parent and child would corrupt the file."""
    return StrettoError(
        f"The store in {directory!r} was open when this process was forked, and cannot be used here. Nothing was read"
        " or written, and the parent can go on.",
        next_steps=("Start the process with 'spawn' or 'forkserver', or open the store only after the fork.",),
    )


@contextmanager
def _alone_in(directory: str) -> Generator[None]:
    """Openers wait for each other: making the tables takes many statements, and some of them do not wait for a lock."""
    try:
        lock = open_gate(str(Path(directory, _LOCK)))
    except OSError as error:
        raise _cannot_hold(directory, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _cannot_hold(directory: str, error: OSError) -> StrettoError:
    return folders.refusal(error, f"The directory {directory!r} cannot hold a store", "See whether the disk fails.")


def _own_directory(directory: str | os.PathLike[str]) -> str:
    """The absolute path, made if missing, with nothing in it for the group or others."""
    path = os.path.realpath(directory)
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
        refused = _cannot_hold(path, error)
        if isinstance(refused, DiskFull):
            raise refused from error
        raise BadInput(refused.message, field="directory") from error
    return path
