"""The tide mark: how many commits a database has seen, kept in a small file beside it.

SQLite drops what lies behind the first damaged page of a WAL, takes a missing WAL for an empty one, and cannot tell an
old copy of a file from the file. The newest commits are gone then, and every check of its own finds nothing wrong. So
each commit is counted in the database, and the count is left beside it afterwards: a database that counts fewer than
its mark has lost commits.

Nobody waits for the mark to reach the disk: it may lag behind, and never leads. Only a commit that was not synced can
be lost in a power cut with its mark left; it was promised to survive the process alone, so such a mark holds for the
boot in which it was made. Standard library only, and little of it, for the hooks.
"""

import os
from binascii import crc32

from stretto.state.errors import StoreDamaged, StrettoError
from stretto.state.process import boot_id

_SYNCED = "synced"
_LENGTH = 200
_WIDTH = 64
"""Every mark is of one length, so that nothing of a longer one before it is left behind it."""


class Tide:
    """The mark of one database, for whoever writes to it. `synced`: whether a commit survives the loss of power."""

    def __init__(self, database: str, *, synced: bool) -> None:
        self._path = path_of(database)
        self._synced = synced
        self._file: int | None = None
        self._boot = b""

    def rise(self, commits: int) -> None:
        """Leave the count of a commit that was just made.

        Raises:
            StrettoError: The mark cannot be written. What was committed is safe.
        """
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._boot = f"{_SYNCED if self._synced else boot_id():<{_WIDTH}}".encode()
            text = b"%020d %s" % (commits, self._boot)
            os.pwrite(self._file, b"%s %08x" % (text, crc32(text)), 0)
        except OSError as error:
            raise StrettoError(
                f"{self._path!r} cannot be written: {error.strerror}. What was written to the store before, and now, is"
                " safe.",
                next_steps=("Check the disk and its permissions.",),
            ) from error

    def close(self) -> None:
        """Let go of the file. A second time does nothing."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def path_of(database: str) -> str:
    """Where the mark of a database lies. To remove it is to go on with what the database holds."""
    return f"{os.path.splitext(database)[0]}.tide"


def mark(database: str) -> int:
    """How many commits the database must have seen; 0 if that is not known. To be read before the database is."""
    try:
        file = os.open(path_of(database), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        written = os.read(file, _LENGTH)
    finally:
        os.close(file)
    if written != _sealed(written[:-9]):
        return 0
    commits, _, boot = written[:-9].decode("ascii", "replace").partition(" ")
    return int(commits) if boot.rstrip() in (_SYNCED, boot_id()) else 0


def check_tide(database: str, marked: int, commits: int) -> None:
    """Hold the count of a database against its mark, which was read before.

    Raises:
        StoreDamaged: It has lost commits.
    """
    if commits >= marked:
        return
    raise StoreDamaged(
        f"{database!r} has lost what was written to it last: its count of writes is {commits}, and was"
        f" {marked}. Its -wal file was removed or damaged, or an older copy was put in its place. Nothing was read from"
        " it or written to it.",
        next_steps=(
            "Put the newer file back, together with the -wal file that belongs to it.",
            f"Or go on with what is there, and without the rest: remove {path_of(database)!r}.",
            "stretto store repair   (does that for a whole store, and says what is lost)",
        ),
        details={"lost_commits": marked - commits},
    )


def _sealed(text: bytes) -> bytes:
    return b"%s %08x" % (text, crc32(text))
