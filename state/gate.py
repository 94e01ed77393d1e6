"""A file that one process at a time may hold: the kernel lets go of it when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time

from stretto.state.errors import DiskFailed, DiskFull, StrettoError
from stretto.state.folders import refusal

PATIENCE_SECONDS = 30.0
TOKEN_SIZE = 16


def open_gate(path: str) -> int:
    """A descriptor of the lock file, for `held`; agents that we start do not inherit it. Raises OSError."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def hold(gate: int, path: str) -> None:
    """Take the lock. `path` is what it protects, for the message.

    Raises:
        StrettoError: Somebody else held it for 30 s: a stopped process, most likely.
    """
    try:
        fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _wait(gate, path)


def _wait(gate: int, path: str) -> None:
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


def hold_again(gate: int, path: str, token: bytes) -> bool:
    """Take the lock; whether nobody else did since somebody with this token. It stays for who asks next.

    It is left before anything is written: who dies in the middle of that was here nevertheless.

    Raises:
        StrettoError: As of `hold`; or the disk is full. The lock is free then.
        DiskFailed: The lock file cannot be read or written, and the lock is free.
    """
    try:
        fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _wait(gate, path)
    try:
        if os.pread(gate, TOKEN_SIZE, 0) == token:
            return True
        os.pwrite(gate, token, 0)
    except OSError as error:
        let_go(gate)
        refused = refusal(error, f"The lock of {path!r} cannot be written", "See whether the disk fails, then resume.")
        if isinstance(refused, DiskFull):
            raise refused from error
        raise DiskFailed(refused.message, next_steps=refused.next_steps) from error
    return False


def let_go(gate: int) -> None:
    """Let others have the lock."""
    fcntl.flock(gate, fcntl.LOCK_UN)


class held:  # noqa: N801 - a function for whoever uses it
    """Hold the lock for a while: see `hold`. A class, since `contextlib` would be a tenth of a hook's time."""

    def __init__(self, gate: int, path: str) -> None:
        self._gate = gate
        self._path = path

    def __enter__(self) -> None:
        hold(self._gate, self._path)

    def __exit__(self, *_: object) -> None:
        let_go(self._gate)


class held_now:  # noqa: N801 - the same
    """Hold the lock if nobody else does at this moment; say whether it is held."""

    def __init__(self, gate: int) -> None:
        self._gate = gate
        self._got = False

    def __enter__(self) -> bool:
        self._got = _try(self._gate)
        return self._got

    def __exit__(self, *_: object) -> None:
        if self._got:
            let_go(self._gate)


def _try(gate: int) -> bool:
    try:
        fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
