"""A lock between processes, and between the tasks of one process, that its holder's death releases."""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

_FIRST_WAIT = 0.002
_LONGEST_WAIT = 0.1


@asynccontextmanager
async def file_lock(path: Path) -> AsyncGenerator[None]:
    """Hold the lock named by the file `path` inside the block; wait for it as long as it takes.

    The kernel drops it with the process, so a killed holder blocks nobody. The file stays: were it removed, two
    processes could hold locks on two files of one name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        await _take(handle)
        yield
    finally:
        os.close(handle)


async def _take(handle: int) -> None:
    """Try and sleep: a blocking call would hold a thread of the pool, perhaps the one that the holder waits for."""
    wait = _FIRST_WAIT
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
