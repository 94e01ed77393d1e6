"""The board: where the tasks of one invocation wait for each other.

Each task has a future that its node fulfils. It lives in memory only; what was finished before comes from the ledger.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from stretto.agents.executor import Drained, Pending
from stretto.agents.task import Outcome


class Board:
    """Outcomes of tasks, awaited by those that depend on them. A task that is done or has failed has one."""

    def __init__(self, finished: Mapping[str, Outcome]) -> None:
        self._finished = dict(finished)
        self._futures: dict[str, asyncio.Future[Outcome]] = {}
        self._draining = asyncio.Event()
        self.put_off_some = False
        """Whether a task waits for somebody outside."""

    def finished(self, task_id: str) -> Outcome | None:
        """The outcome of a task that has ended, now or before the last crash."""
        return self._finished.get(task_id)

    def post(self, task_id: str, outcome: Outcome) -> None:
        """Tell everybody who waits."""
        self._finished[task_id] = outcome
        future = self._future(task_id)
        if not future.done():
            future.set_result(outcome)

    def put_off(self, task_id: str) -> None:
        """Tell everybody who waits that there will be no outcome before a report has come from outside."""
        self.put_off_some = True
        future = self._future(task_id)
        if not future.done():
            future.set_exception(Pending)
            future.exception()  # nobody need wait for it

    async def outcome(self, task_id: str) -> Outcome:
        """Wait for a task.

        Raises:
            Drained: The workflow stops before that task ended.
            Pending: The task waits for somebody outside.
        """
        if done := self.finished(task_id):
            return done
        waiting = self._future(task_id)
        drain = asyncio.ensure_future(self._draining.wait())
        try:
            both: set[asyncio.Future[Any]] = {waiting, drain}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
            raise Drained
        finally:
            drain.cancel()

    def drain(self) -> None:
        """From now on nothing new starts; what runs may finish."""
        self._draining.set()

    @property
    def draining(self) -> bool:
        """Whether the order to drain was given."""
        return self._draining.is_set()

    def _future(self, task_id: str) -> asyncio.Future[Outcome]:
        if task_id not in self._futures:
            self._futures[task_id] = asyncio.get_running_loop().create_future()
        return self._futures[task_id]
