"""Slots: how many tasks run at once, and which ready task gets the next free one.

A task that is handed to somebody outside keeps its place when its node gives up. Once all places are kept so, whoever
still waits for one waits for a report.
"""

import asyncio
import heapq
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from stretto.agents.executor import Pending

_SETTLING_STEPS = 16
"""Steps of the event loop before a free place is given away: tasks that became ready in the same moment, at the start
of a phase or by the end of the task that left, are on their way to the queue; one of them may have the longest tail."""


class Slots:
    """A bounded number of places, given to the waiting task with the longest tail first.

    Longest-tail-first is the critical-path rule of list scheduling: a task from which the longest chain of work hangs
    must not wait for one from which none hangs. Equal tails go in the order of arrival.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            msg = f"at least one slot is needed, not {count}"
            raise ValueError(msg)
        self._places = self._free = count
        self._arrivals = 0
        self._settling = False
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def slot(self, tail: float) -> AsyncGenerator[None]:
        """Hold one place; `tail` is the length of the longest chain that hangs from the task, itself included.

        Raises:
            Pending: All places are kept for work outside.
        """
        await self._enter(tail)
        kept = False
        try:
            yield
        except Pending:
            kept = True
            raise
        finally:
            self._keep() if kept else self._leave()

    async def _enter(self, tail: float) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._waiting, (-tail, self._arrivals, mine))
        self._wake_soon()
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._leave()  # the place was handed over in the same moment: pass it on
            raise

    def _keep(self) -> None:
        self._places -= 1
        self._wake_soon()

    def _leave(self) -> None:
        self._free += 1
        self._wake_soon()

    def _wake_soon(self) -> None:
        if not self._settling:
            self._settling = True
            self._settle(_SETTLING_STEPS)

    def _settle(self, steps: int) -> None:
        if steps:
            asyncio.get_running_loop().call_soon(self._settle, steps - 1)
            return
        self._settling = False
        self._wake()

    def _wake(self) -> None:
        while self._free and self._waiting:
            _, _, waiter = heapq.heappop(self._waiting)
            if not waiter.done():
                self._free -= 1
                waiter.set_result(None)
        while not self._places and self._waiting:
            _, _, waiter = heapq.heappop(self._waiting)
            if not waiter.done():
                waiter.set_exception(Pending)
