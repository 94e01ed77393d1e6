"""Folders and small files that a power cut does not take away: a synced file is lost with a folder that is not."""

from __future__ import annotations

import os


def make(path: str, mode: int = 0o777) -> None:
    """Make a folder with all above it that are missing (those with the default mode), and sync each into its parent.

    Raises:
        OSError: It cannot be made.
    """
    missing: list[str] = []
    above = os.path.abspath(path)
    while not os.path.isdir(above):
        missing.append(above)
        above = os.path.dirname(above)
    for each in reversed(missing):
        os.makedirs(each, mode if each == missing[0] else 0o777, exist_ok=True)
        sync(os.path.dirname(each))


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


def sync(path: str) -> None:
    """Make durable which names there are in a folder."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
