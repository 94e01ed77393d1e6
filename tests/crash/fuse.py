"""A fuse: a driver that kills itself with SIGKILL at its n-th durable step.

A durable step is one that another process can see: a transaction of the event log or of the checkpoints, a git command,
a program that was started. The driver dies after it, before the next line of code runs, so that counting up `n` visits
every state that a crash can leave.
"""

import functools
import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from stretto.agents import process
from stretto.agents.git import Git, Ran
from stretto.state.blobs import BlobStore
from stretto.state.database import Database


class Fuse:
    """Counts down."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def burn(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def light(steps: int) -> None:
    """Die after so many durable steps of this process."""
    fuse = Fuse(steps)
    _wrap(Database, "end", _after_commit, fuse)
    _wrap(BlobStore, "transaction", _after_transaction, fuse)
    _wrap(Git, "call", _after_call, fuse)
    _wrap(process, "_spawn", _after_start, fuse)


def _wrap(owner: object, name: str, around: Callable[[Any, Fuse], Any], fuse: Fuse) -> None:
    setattr(owner, name, around(getattr(owner, name), fuse))


def _after_commit(end: Any, fuse: Fuse) -> Any:
    @functools.wraps(end)
    def burning(self: Any, *, commit: bool) -> None:
        end(self, commit=commit)
        if commit:
            fuse.burn()

    return burning


def _after_transaction(transaction: Any, fuse: Fuse) -> Any:
    @contextmanager
    def burning(self: Any) -> Generator[None]:
        with transaction(self):
            yield
        fuse.burn()

    return burning


def _after_call(call: Any, fuse: Fuse) -> Any:
    @functools.wraps(call)
    async def burning(*args: Any, **options: Any) -> Ran:
        ran: Ran = await call(*args, **options)
        fuse.burn()
        return ran

    return burning


def _after_start(start: Any, fuse: Fuse) -> Any:
    @functools.wraps(start)
    def burning(*args: Any) -> Any:
        started = start(*args)
        fuse.burn()
        return started

    return burning
