"""Still pictures of SQLite files: copies to read, mend and throw away, taken without a change to what is copied.

Opening a database that rests, even for reading, makes files beside it, and after a crash writes to them. So care looks
at copies. A copy is of one moment: writers of `events.db` are kept out by its lock; of other files it is taken again
until nothing has moved meanwhile, and at last through SQLite itself.
"""

import fcntl
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from stretto.state.errors import StrettoError
from stretto.state.gate import PATIENCE_SECONDS
from stretto.state.reader import connect

_TRIES = 5
_SETTLED_NS = 50_000_000
_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_MOST_MISSING = 16


@contextmanager
def picture(path: Path, lock: Path | None = None) -> Generator[Path]:
    """A copy of the database at `path` with its WAL, in a folder of its own, for the time of the block.

    `lock` is the file that its writers hold, where they hold one.

    Raises:
        StrettoError: It cannot be copied, or a stopped process keeps its lock.
    """
    with tempfile.TemporaryDirectory(prefix="stretto-care-") as folder:
        copy = Path(folder, path.name)
        try:
            with _still(lock):
                _take(path, copy, guarded=lock is not None)
            _mend_header(copy)
        except OSError as error:
            raise StrettoError(
                f"Cannot copy {str(path)!r} to look at it: {error.strerror}. It is unchanged."
            ) from error
        yield copy


def open_picture(copy: Path) -> sqlite3.Connection:
    """A connection to a picture. Text that is no UTF-8 comes as bytes, so that it fits no checksum and can be shown."""
    connection = connect(str(copy), "rw", 1.0)
    connection.text_factory = _text
    return connection


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


@contextmanager
def _still(lock: Path | None) -> Generator[None]:
    """Keep writers out for a moment, where there is a lock to hold."""
    handle = None
    if lock is not None:
        with suppress(FileNotFoundError):
            handle = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    if handle is None:
        yield
        return
    try:
        _wait(handle, lock)
        yield
    finally:
        os.close(handle)


def _wait(handle: int, lock: Path | None) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StrettoError(
                    f"Another process has held {str(lock)!r} for {PATIENCE_SECONDS:g} s; nothing was looked at.",
                    next_steps=(
                        "See whether a stretto process is stopped (Ctrl-Z), let it go on or end it, then retry.",
                    ),
                ) from None
            time.sleep(0.005)


def _take(path: Path, copy: Path, *, guarded: bool) -> None:
    for _ in range(_TRIES):
        before = _marks(path)
        shutil.copyfile(path, copy)
        with suppress(FileNotFoundError):  # it may go at any moment, with whoever wrote last
            shutil.copyfile(f"{path}-wal", f"{copy}-wal")
        settled = all(time.time_ns() - mark[1] > _SETTLED_NS for mark in before if mark)
        if guarded or (settled and _marks(path) == before):
            return
        Path(f"{copy}-wal").unlink(missing_ok=True)
        time.sleep(0.06)
    _through_sqlite(path, copy)


def _marks(path: Path) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for end in ("", "-wal"):
        try:
            state = Path(f"{path}{end}").stat()
            found.append((state.st_size, state.st_mtime_ns))
        except FileNotFoundError:
            found.append(None)
    return found


def _through_sqlite(path: Path, copy: Path) -> None:
    """Somebody writes all the time: then the files beside it are there, and reading makes none."""
    copy.unlink(missing_ok=True)
    with closing(connect(str(path.absolute()), "ro", 10.0)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def _mend_header(copy: Path) -> None:
    """Put right, in the copy, what alone keeps the whole file from being opened.

    That is the words with which every such file begins, and pages missing at its end: they are made up, empty, so that
    whoever comes upon one is told that it is damaged.
    """
    with copy.open("r+b") as file:
        head = file.read(_HEADER_BYTES)
        if len(head) < _HEADER_BYTES:
            return
        if head[: len(_MAGIC)] != _MAGIC and _mostly(head):
            file.seek(0)
            file.write(_MAGIC)
        page, pages = int.from_bytes(head[16:18]), int.from_bytes(head[28:32])
        size = file.seek(0, os.SEEK_END)
        if size < page * pages <= size * _MOST_MISSING:
            file.truncate(page * pages)


def _mostly(head: bytes) -> bool:
    return sum(a == b for a, b in zip(head, _MAGIC, strict=False)) >= len(_MAGIC) // 2
