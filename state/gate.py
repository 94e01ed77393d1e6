"""A file that one process at a time may hold: the kernel lets go of it when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager

from stretto.state.errors import StrettoError

PATIENCE_SECONDS = 30.0


def open_gate(path: str) -> int:
    """A descriptor of the lock file, for `held`; agents that we start do not inherit it. Raises OSError."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def held(gate: int, path: str) -> Generator[None]:
    """Hold the lock. `path` is what it protects, for the message.

    Raises:
        StrettoError: Somebody else held it for 30 s: a stopped process, most likely.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    pause = 0.0005
    while not _try(gate):
        if time.monotonic() > deadline:
            raise StrettoError(
                f"Another process has been writing to {path!r} for {PATIENCE_SECONDS:g} s; nothing was written.",
                next_steps=("See whether a stretto process is stopped (Ctrl-Z), let it go on or end it, then retry.",),
            )
        time.sleep(pause)
        pause = min(pause * 2, 0.01)
    try:
        yield
    finally:
        fcntl.flock(gate, fcntl.LOCK_UN)


@contextmanager
def held_now(gate: int) -> Generator[bool]:
    """Hold the lock if nobody else does at this moment; say whether it is held."""
    got = _try(gate)
    try:
        yield got
    finally:
        if got:
            fcntl.flock(gate, fcntl.LOCK_UN)


def _try(gate: int) -> bool:
    try:
        fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
