"""The event log of a store: the one door to `events.db`.

    with Log.open(directory) as log:
        with log.write(fence) as tx:
            tx.set_status("shop_001", "RUNNING", {"start_time": "immediate"})
        for event in log.events("shop_001"):
            ...

What `write` has left is durable. From asyncio, call it in a function given to `asyncio.to_thread`, never across an
`await`: the whole log waits for an open write.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence

from stretto.state import opening, queries
from stretto.state.database import Database
from stretto.state.errors import Fenced
from stretto.state.places import EVENTS
from stretto.state.rows import AttemptRow, Fence, LeaseRow, Order, Recorded, Request, WorkflowRow
from stretto.state.wire import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, Self

    from stretto.state.allocation import Allocation
    from stretto.state.chosen import Chosen
    from stretto.state.pool import Agent
    from stretto.state.subscription_rows import DeadLetter, SubscriptionRow
    from stretto.state.transaction import Transaction

PAGE = 500
WORKFLOW_PAGE = 50


class _Write:
    """A write that is to be open. Whoever waits for events is woken when it is stored."""

    def __init__(self, database: Database, clock: Callable[[], float], fence: Fence | None, *, strict: bool) -> None:
        self._database = database
        self._clock = clock
        self._fence = fence
        self._strict = strict

    def __enter__(self) -> Transaction:
        # Here: who only reads does without. And first: once something is stored, no import may fail any more.
        from stretto.state.moments import stamp
        from stretto.state.transaction import Transaction
        from stretto.state.wake import ring

        self._ring = ring
        self._database.begin()
        try:
            if self._fence is not None:
                _check(self._database, self._fence)
            self._tx = Transaction(self._database, stamp(self._clock()), self._fence, strict=self._strict)
        except BaseException:
            self._database.end(commit=False)
            raise
        return self._tx

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._database.end(commit=kind is None)
        if kind is None and self._tx.ids:
            self._ring(os.path.dirname(self._database.path))


def _check(database: Database, fence: Fence) -> None:
    now = queries.lease(database, fence.workflow_id)
    if now and now.token == fence.token and not now.released:
        return
    who = f"process {now.pid} on {now.host!r} holds it since {now.since}" if now and not now.released else "it ended"
    raise Fenced(
        f"The lease of workflow {fence.workflow_id!r} is no longer ours: {who}. This write was refused and nothing"
        " of it was stored.",
        next_steps=(f"stretto workflow-status {fence.workflow_id}",),
    )


class Log:
    """An open event log. Threads may share it."""

    def __init__(self, database: Database, clock: Callable[[], float], *, strict: bool = False) -> None:
        self._database = database
        self._clock = clock
        self._strict = strict

    @classmethod
    def open(
        cls,
        directory: Path | str,
        *,
        durability: str = "power",
        clock: Callable[[], float] = time.time,
        strict: bool | None = None,
    ) -> Self:
        """Open the log for writing; make it, and the store, when there is none.

        Args:
            directory: The store.
            durability: What a write survives: `power` the loss of power, `process` only the end of the process.
            clock: Where timestamps come from, in seconds since the epoch.
            strict: Refuse events that the registry does not know or that leave out what it requires, where otherwise
                they are kept and marked. None: as the settings say, if the store lies in a project's `.stretto/`.

        Raises:
            StoreDamaged: The file is damaged, another program's, or a newer Stretto's; it was not touched.
            StrettoError: The store cannot be written.
            BadInput: An unknown durability, or settings that cannot be read.
        """
        from stretto.state import store

        if strict is None:
            strict = store.is_strict(directory)
        store.create(directory)
        return cls(opening.writer(f"{directory}/{EVENTS}", durability=durability), clock, strict=strict)

    @classmethod
    def find(cls, directory: Path | str) -> Self | None:
        """Open the log for reading, beside a living writer or not; None, and nothing made, where there is none.

        Raises:
            StoreDamaged: As for `open`.
            StrettoError: It cannot be read.
        """
        database = opening.reader(f"{directory}/{EVENTS}")
        return cls(database, time.time) if database else None

    @property
    def database(self) -> Database:
        """The open file, for what reads rows that the log has no word of its own for."""
        return self._database

    @property
    def directory(self) -> Path:
        """The store that it belongs to."""
        from pathlib import Path  # here: readers do without

        return Path(self._database.path).parent

    def close(self) -> None:
        """Let go of the file. What was written is safe without it."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, fence: Fence | None = None) -> _Write:
        """A transaction: all that is done with it is stored at the end, or nothing of it after an exception.

        Raises:
            Fenced: The lease behind `fence` was taken over or released.
            StrettoError: The log is open for reading only, the disk is full, or another process blocks it.
        """
        return _Write(self._database, self._clock, fence, strict=self._strict)

    def glance(self) -> Transaction:
        """For functions that only read through a transaction. Nothing may be written with it."""
        from stretto.state.moments import stamp
        from stretto.state.transaction import Transaction

        return Transaction(self._database, stamp(self._clock()), None)

    def events(self, workflow: str | None = None, *, after: int = 0, limit: int | None = None) -> Iterator[Event]:
        """The events after number `after`, in order, of one workflow or of all; at most `limit`.

        They are read a page at a time, so that an iterator left open holds no lock.

        Raises:
            StoreDamaged: An event does not match its checksum.
        """
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = queries.event_page(self._database, workflow, after, size)
            yield from page
            if len(page) < size:
                return
            after = page[-1].seq
            left = None if left is None else left - len(page)

    def now(self) -> float:
        """The time by which it stamps what is written, in seconds since the epoch."""
        return self._clock()

    def last_seq(self) -> int:
        """The number of the newest event; 0 in an empty log."""
        return queries.last_seq(self._database)

    def check(self) -> None:
        """See that every row is there and what was written, in a file of up to 64 MB.

        In one of up to 0.5 MB, every reader does that for what it reads.

        Raises:
            StoreDamaged: A row is not, or nothing leads to it.
        """
        self._database.check()

    def verify(self) -> int:
        """Check every event, its number and its hash chain; return how many there are. Raises StoreDamaged."""
        from stretto.state import chain

        return chain.verify(self._database)

    def workflow(self, workflow_id: str) -> WorkflowRow | None:
        """One workflow."""
        return queries.workflow_row(self._database, workflow_id)

    def workflows(self) -> list[WorkflowRow]:
        """All workflows, oldest first."""
        return queries.workflows(self._database)

    def each_workflow(self) -> Iterator[WorkflowRow]:
        """All workflows, oldest first, read a page at a time: their specs may be large."""
        after = ("", "")
        while page := queries.workflow_page(self._database, after, WORKFLOW_PAGE):
            yield from page
            after = (page[-1].created, page[-1].id)

    def newest_workflows(self, limit: int, statuses: Sequence[str] = ()) -> list[WorkflowRow]:
        """The newest workflows, newest first; only those of certain statuses if any are named."""
        return queries.newest_workflows(self._database, limit, statuses)

    def workflow_ids(self) -> list[str]:
        """The ids of all workflows, oldest first."""
        return queries.workflow_ids(self._database)

    def count_workflows(self) -> dict[str, int]:
        """How many workflows there are, by status; one that no workflow has is not named."""
        return queries.count_workflows(self._database)

    def attempts(self, workflow_id: str) -> list[AttemptRow]:
        """All attempts of a workflow, by task and number."""
        return queries.attempts(self._database, workflow_id)

    def attempt(self, workflow_id: str, task_id: str, attempt: int) -> AttemptRow | None:
        """One attempt."""
        return queries.attempt_row(self._database, workflow_id, task_id, attempt)

    def outcomes(self, workflow_id: str) -> dict[str, Recorded]:
        """The outcomes of the tasks that have ended, by task id."""
        return queries.outcomes(self._database, workflow_id)

    def forgiven(self, workflow_id: str, task_id: str) -> int:
        """The last attempt of a task before its failure was forgotten (`Transaction.forget_failures`); 0 for none."""
        return queries.forgiven(self._database, workflow_id, task_id)

    def fact(self, workflow_id: str, name: str) -> Any:
        """One fact of a workflow; None where it is not known."""
        return queries.fact(self._database, workflow_id, name)

    def facts(self, workflow_id: str) -> dict[str, Any]:
        """All facts of a workflow, by name."""
        return queries.facts(self._database, workflow_id)

    def requests(self, workflow_id: str) -> list[Request]:
        """What was asked of the driver and not taken yet, oldest first."""
        return queries.requests(self._database, workflow_id)

    def lease(self, workflow_id: str) -> LeaseRow | None:
        """Who drives a workflow, or drove it last. `stretto.state.lease.holder` tells whether they live."""
        return queries.lease(self._database, workflow_id)

    def order(self, workflow_id: str, task_id: str, attempt: int) -> Order | None:
        """One work order, standing or not."""
        from stretto.state import order_rows

        return order_rows.order_row(self._database, workflow_id, task_id, attempt)

    def standing_orders(self, workflow_id: str | None = None) -> list[Order]:
        """The work orders that still matter, of one workflow or of all."""
        from stretto.state import order_rows

        return order_rows.standing_orders(self._database, workflow_id)

    def subscriptions(self) -> list[SubscriptionRow]:
        """Who subscribed, and how far each has come. `stretto.state.subscription` serves them."""
        from stretto.state.subscription_rows import subscriptions

        return subscriptions(self._database)

    def dead_letters(self, subscription: str | None = None) -> list[DeadLetter]:
        """The events that a subscriber could not handle, of one or of all."""
        from stretto.state.subscription_rows import dead_letters

        return dead_letters(self._database, subscription)

    def allocations(self, workflow_id: str | None = None, *, live: bool = False) -> list[Allocation]:
        """What was asked for and given, of one workflow or of all; only what holds something or waits if `live`."""
        from stretto.state import allocation

        read = allocation.live_allocations if live else allocation.allocations
        return read(self._database, workflow_id)

    def agents(self) -> list[Agent]:
        """The agents of the pool, by id."""
        from stretto.state import pool

        return pool.agents(self._database)

    def chosen(self, name: str) -> Chosen:
        """What was chosen last under a name; version 0 where nothing was."""
        from stretto.state import chosen

        return chosen.chosen(self._database, name)

    def all_chosen(self) -> list[Chosen]:
        """Everything that was chosen, by name."""
        from stretto.state import chosen

        return chosen.all_chosen(self._database)
