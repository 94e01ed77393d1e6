"""BlobStore: sealed bytes under bytes keys, for any number of threads and processes."""

import fcntl
import os
import sqlite3
import threading
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

from stretto.state.disk import Durability, Table
from stretto.state.errors import BadInput, StoreDamaged, StrettoError
from stretto.state.keys import Range

# Two bytes head every value: the version of the format, and how the rest is encoded.
_PLAIN, _DEFLATED = b"\x01\x00", b"\x01\x01"
_WORTH_DEFLATING = 200
_LOCK = "open.lock"


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
    """Bytes under bytes keys in one directory, safe for threads and processes; a fork must open it anew, or is refused.

    Args:
        directory: Made if missing, and closed to everyone but its owner.
        durability: What a committed write survives.

    Raises:
        BadInput: The directory cannot be used, or diskcache would take it for another one.
        StoreDamaged: It holds something that is not such a store.
        StrettoError: This process was forked from one that has the store open.
    """

    def __init__(self, directory: str | os.PathLike[str], durability: Durability) -> None:
        self.directory = _own_directory(directory)
        if any(store.inherited and store.directory == self.directory for store in list(_STORES)):
            raise _forked(self.directory)
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._closed = False
        with self._explained(), _alone_in(self.directory):
            self._table = Table(self.directory, durability)
        _STORES.add(self)
        try:
            self._table.verify_schema()
        except BaseException:
            self.close()
            raise

    def get(self, key: bytes) -> bytes | None:
        """The value under `key`, verified, or None. StoreDamaged if it is not what was written."""
        with self._held() as table:
            found = table.value(key)
        return None if found is None else unseal(key, found)

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
        if self.inherited:  # closing it here would meddle with the parent's
            return
        with self._lock:
            self._closed = True
            self._table.close()

    @contextmanager
    def _held(self) -> Generator[Table]:
        if self.inherited:
            raise _forked(self.directory)
        with self._lock, self._explained():
            if self._closed:
                raise StrettoError(f"The store in {self.directory!r} is closed.", next_steps=("Open it again.",))
            yield self._table

    @property
    def inherited(self) -> bool:
        """Whether this is the copy that a forked child got of its parent's open store."""
        return not self._closed and self._pid != os.getpid()

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
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


_STORES: WeakSet[BlobStore] = WeakSet()
"""Those of this process, and of the one it was forked from."""


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
    with Path(directory, _LOCK).open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
        raise BadInput(f"The directory {path!r} cannot hold a store: {error.strerror}.", field="directory") from error
    return path
