"""Folders that a power cut does not take away: a file that is synced is lost with a folder that is not."""

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


def sync(path: str) -> None:
    """Make durable which names there are in a folder."""
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
