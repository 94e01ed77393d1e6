"""Folders and small files that a power cut does not take away: a synced file is lost with a folder that is not."""

from __future__ import annotations

import os

from stretto.state.errors import DiskFull, StrettoError
from stretto.state.light import suppress


def anchor(path: str) -> None:
    """Make durable that a folder, and each above it, is there: whoever made them may have been killed before.

    Raises:
        OSError: A sync failed.
    """
    below = os.path.abspath(path)
    while (above := os.path.dirname(below)) != below:
        with suppress(PermissionError):  # one that we may not even look into is none that we made
            sync(above)
        below = above


def write(path: str, text: str, through: str = "") -> None:
    """Write a small file: all of it is there, or none.

    It is another file's name first, which is `through` or one beside it, so that a link that lies at `path` is not
    followed.

    Raises:
        OSError: It cannot be written.
    """
    new = f"{through or path}.{os.getpid()}"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    sync(os.path.dirname(path))


def rewrite(path: str) -> None:
    """Write the bytes of a file once more, and sync it; nobody else may write to it meanwhile.

    After a failed sync the kernel shows what was written but has given up to write it, and the next sync succeeds
    without it. What is written on top of that is lost with it.

    Raises:
        OSError: It cannot be written.
    """
    file, place = os.open(path, os.O_RDWR | os.O_CLOEXEC), 0
    try:
        while some := os.pread(file, 1 << 20, place):
            place += os.pwrite(file, some, place)
        if place:
            os.fsync(file)
    finally:
        os.close(file)


def sync(path: str) -> None:
    """Make durable which names there are in a folder."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def refusal(error: OSError, what: str, step: str) -> StrettoError:
    """The error for a place that cannot be written: `what` cannot, and `step` helps unless the disk is full."""
    import errno  # here: the quick doors do without

    message = f"{what}: {error.strerror or error}. Nothing was written."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(message, next_steps=("Free some space, then try again.",))
    return StrettoError(message, next_steps=(step,))
