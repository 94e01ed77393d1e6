"""Slots: how many tasks run at once, and which ready task gets the next free one."""

import asyncio
import heapq
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Slots:
    """A bounded number of places, given to the waiting task with the longest tail first.

    Longest-tail-first is the critical-path rule of list scheduling: a task from which the longest chain of work hangs
    must not wait for one from which none hangs. Equal tails go in the order of arrival.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            msg = f"at least one slot is needed, not {count}"
            raise ValueError(msg)
        self._free = count
        self._arrivals = 0
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def slot(self, tail: float) -> AsyncGenerator[None]:
        """Hold one place; `tail` is the length of the longest chain that hangs from the task, itself included."""
        await self._enter(tail)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, tail: float) -> None:
        if self._free and not self._waiting:
            self._free -= 1
            return
        mine = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._waiting, (-tail, self._arrivals, mine))
        self._wake()
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._leave()  # the place was handed over in the same moment: pass it on
            raise

    def _leave(self) -> None:
        self._free += 1
        self._wake()

    def _wake(self) -> None:
        while self._free and self._waiting:
            _, _, waiter = heapq.heappop(self._waiting)
            if not waiter.done():
                self._free -= 1
                waiter.set_result(None)
