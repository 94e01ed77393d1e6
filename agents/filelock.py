"""A lock between processes, and between the tasks of one process, that its holder's death releases.

Git commands that the holder started inherit it (`held`): where a killed holder leaves one running, which goes on
writing to a checkout or a worktree, the lock is free when that one has ended, too.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from pathlib import Path

from stretto.state.errors import StateConflict

_FIRST_WAIT = 0.002
_LONGEST_WAIT = 0.1
_held: ContextVar[tuple[int, ...]] = ContextVar("held", default=())


def held() -> tuple[int, ...]:
    """The descriptors of the locks that this task holds, itself or through whoever began it."""
    return _held.get()


@asynccontextmanager
async def file_lock(path: Path, *, seconds: float | None = None) -> AsyncGenerator[None]:
    """Hold the lock named by the file `path` inside the block; wait for it as long as it takes, or `seconds`.

    The kernel drops it with the process and its git commands, so a killed holder blocks nobody for long. The file
    stays: were it removed, two processes could hold locks on two files of one name.

    Raises:
        StateConflict: Somebody held it all that time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _take_within(handle, path, seconds)
        before = _held.set((*_held.get(), handle))
        try:
            yield
        finally:
            _held.reset(before)
    finally:
        os.close(handle)


def drive_lock(store: Path, workflow_id: str) -> AbstractAsyncContextManager[None]:
    """What a driver holds beside its lease. The lease is free when it dies; this, when its git commands have ended too.

    Raises:
        StateConflict: They have not within a minute.
    """
    return file_lock(store / "locks" / f"drive-{workflow_id}", seconds=60)


async def _take_within(handle: int, path: Path, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await _take(handle)
    except TimeoutError as error:
        raise StateConflict(
            f"A process that holds {str(path)!r} has not let go of it within {seconds:g} s: a git command that a killed"
            " driver left running, most likely. Nothing was changed.",
            next_steps=("Let it finish or end it (ps ax | grep git), then try again.",),
        ) from error


async def _take(handle: int) -> None:
    """Try and sleep: a blocking call would hold a thread of the pool, perhaps the one that the holder waits for."""
    wait = _FIRST_WAIT
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
