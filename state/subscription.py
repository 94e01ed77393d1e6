"""Subscriptions: a place in the log that has a name, from which a handler is given the events that it wants.

    with Subscription.open(directory, "mailer", Filter(patterns=("*.failed",))) as failures:
        failures.deliver(send_mail)

At least once, in order and without a gap, whichever process dies when: the place is kept in the log, and moves on when
the handler has returned, so that after a crash the last events may come once more. An event that fails three times,
with growing delays, becomes a dead letter, and the subscription goes on. Nobody who writes events waits for any of it.
"""

import math
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Self

from stretto.state import ids
from stretto.state.errors import BadInput, StateConflict
from stretto.state.filter import Filter
from stretto.state.folders import refusal
from stretto.state.gate import held_now, open_gate
from stretto.state.log import Log
from stretto.state.subscription_rows import (
    DeadLetter,
    SubscriptionRow,
    drop_dead_letter,
    drop_subscription,
    put_dead_letter,
    put_subscription,
    subscriptions,
)
from stretto.state.wake import LOOK_SECONDS, Bell
from stretto.state.wire import Event

FOLDER = "subscriptions"
DELAYS = (1.0, 2.0)
"""Seconds before the second and the third try."""
SETTLE_SECONDS = 0.05
"""How far back a crash may lead: the place is stored this often at most, so as not to disturb those who write."""
AHEAD = 500
_ERROR_LENGTH = 2000
Handler = Callable[[Sequence[Event]], object]
"""Is given the events of a batch, in order. Whatever it raises means that it did not handle them."""


class Pace(NamedTuple):
    """How events are gathered: a batch is full at `size`, and the first of it waits no longer than `seconds`.

    With 0 seconds whatever there is is handed over at once. An `adaptive` pace gathers only while events come faster
    than that: what comes after a pause as long is handed over at once.
    """

    size: int = 20
    seconds: float = 0.05
    adaptive: bool = False


DEFAULT_PACE = Pace()
AT_ONCE = Pace(500, 0)
DELIVERY = "delivery"
"""The choice that says how events are gathered for subscribers that do not say it themselves."""


NOTE = "BATCH_DELIVERED"
"""The event that tells of a batch, where somebody has chosen how events are gathered. No subscriber is handed any."""


class Subscription:
    """One subscriber of a store; one process at a time serves it, one thread delivers."""

    def __init__(
        self,
        log: Log,
        row: SubscriptionRow,
        pace: Pace,
        delays: Sequence[float],
        held: ExitStack,
        *,
        notes: bool = False,
    ) -> None:
        self._log = log
        self._row = row
        self._wants = row.wanted.test()
        self._pace = pace
        self._delays = delays
        self._notes = notes
        self._held = held
        self._bell = Bell.hang(log.directory)
        held.callback(self._bell.close)
        self._stopping = False
        self._handed = -math.inf
        self._since = math.inf
        self._dirty_since = math.inf
        self._rewind()

    @classmethod
    def open(
        cls,
        directory: Path,
        name: str,
        wanted: Filter | None = None,
        *,
        after: int | None = None,
        pace: Pace | None = None,
        delays: Sequence[float] = DELAYS,
    ) -> Self:
        """Take a subscription up where it stands, or begin one.

        Args:
            directory: The store; made when there is none.
            name: What it is called in the store.
            wanted: Which events; None is those it wanted before, or all. A change holds for what was not handed over.
            after: The number of the event after which a new one begins; None is the newest, so that it gets what comes.
            pace: How events are gathered; None is what was chosen for the store, else `DEFAULT_PACE`.
            delays: Seconds before each further try of an event that failed; after these it is a dead letter.

        Raises:
            BadInput: The name is no id, or the filter or the pace is wrong.
            StateConflict: Another process serves it.
            StoreDamaged: As for `Log.open`.
        """
        ids.workflow_id(name, field="subscription")
        if pace and (pace.size < 1 or not 0 <= pace.seconds < math.inf):
            raise BadInput(f"A batch cannot be of {pace.size} events or {pace.seconds:g} s.", field="pace")
        with ExitStack() as held:
            log = held.enter_context(Log.open(directory, durability="process"))  # a lost cursor only repeats events
            chosen = log.chosen(DELIVERY)
            _serve_alone(directory, name, held)
            row = _begin(log, name, wanted, after)
            notes = pace is None and chosen.version > 0
            return cls(log, row, pace or Pace(**chosen.value), delays, held.pop_all(), notes=notes)

    def close(self) -> None:
        """Let go of it: another process may take it up."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def cursor(self) -> int:
        """The number of the event up to which it is stored that all was handed over."""
        return self._row.cursor

    def stop(self) -> None:
        """Let `deliver` return after the batch at hand, now or when it begins; for another thread, or the handler."""
        self._stopping = True
        self._bell.ring()

    def deliver(self, handler: Handler) -> None:
        """Hand over what there is and what comes, until `stop`."""
        self._rewind()
        while not self._stopping:
            if batch := self._gather():
                waited = time.monotonic() - self._since
                self._hand_over(batch, handler)
                self._note(batch, waited)
        self._settle()

    def catch_up(self, handler: Handler) -> int:
        """Hand over what there is, batch by batch, and return how many events that were, dead letters included."""
        self._rewind()
        count = 0
        while not self._stopping and (batch := self._look(self._pace.size)):
            count += len(batch)
            self._hand_over(batch, handler)
        self._settle()
        return count

    def dead_letters(self) -> list[DeadLetter]:
        """What could not be handled, in the order of the events."""
        return self._log.dead_letters(self._row.name)

    def redeliver(self, handler: Handler) -> int:
        """Hand the dead letters over once more, one by one; return how many were taken. The others stay."""
        taken = 0
        for letter in self.dead_letters():
            events = tuple(self._log.events(after=letter.seq - 1, limit=1))
            try:
                handler(events)
            except Exception as error:  # noqa: BLE001 - a handler is somebody else's
                with self._log.write() as tx:
                    again = letter._replace(tries=letter.tries + 1, error=_said(error), at=tx.now)
                    put_dead_letter(tx.database, again)
            else:
                with self._log.write() as tx:
                    drop_dead_letter(tx.database, letter)
                taken += 1
        return taken

    def remove(self) -> None:
        """End the subscription for good, with its dead letters, and close it."""
        with self._log.write() as tx:
            drop_subscription(tx.database, self._row.name)
        self.close()

    def _rewind(self) -> None:
        """Begin behind what was handed over."""
        self._done = self._seen = self._row.cursor
        self._ahead: deque[Event] = deque()

    def _gather(self) -> list[Event]:
        """The next batch; empty when it is time to stop."""
        batch: list[Event] = []
        due = self._since = math.inf
        while not self._stopping:
            batch += self._look(self._pace.size - len(batch))
            now = time.monotonic()
            if batch:
                self._since = min(self._since, now)
                due = min(due, now + self._patience(now))
            if len(batch) == self._pace.size or now >= due:
                return batch
            self._rest(min(due - now, LOOK_SECONDS))
        return []

    def _patience(self, now: float) -> float:
        """How long the first event of a batch may wait for others."""
        calm = self._pace.adaptive and now - self._handed >= self._pace.seconds
        return 0.0 if calm else self._pace.seconds

    def _look(self, room: int) -> list[Event]:
        """Up to `room` events that are wanted."""
        found: list[Event] = []
        clean = self._done == self._seen
        while len(found) < room and self._read_ahead():
            event = self._ahead.popleft()
            self._seen = event.seq
            if event.type != NOTE and self._wants(event):
                found.append(event)
        if clean and not found:  # nothing that stands before it is still to be handed over
            self._done = self._seen
        return found

    def _read_ahead(self) -> bool:
        if not self._ahead:
            workflow = self._row.wanted.workflow or None
            self._ahead.extend(self._log.events(workflow, after=self._seen, limit=AHEAD))
        return bool(self._ahead)

    def _rest(self, seconds: float) -> None:
        """Wait for events; store the place meanwhile when it is time to, or when much was passed over."""
        left = self._dirty_since + SETTLE_SECONDS - time.monotonic()
        if left <= 0 or self._done - self._row.cursor >= AHEAD:
            self._settle()
            left = math.inf
        self._bell.wait(min(seconds, left))

    def _hand_over(self, batch: list[Event], handler: Handler) -> None:
        """A batch that fails is gone through one by one, so that only what cannot be handled is left behind."""
        size = len(batch)
        while batch and not self._stopping:
            part = batch[:size]
            try:
                handler(tuple(part))
            except Exception as error:  # noqa: BLE001 - a handler is somebody else's
                if len(part) > 1:
                    size = 1
                    continue
                if not self._buried(part[0], error):
                    continue
            batch = batch[len(part) :]
            self._passed(part[-1].seq)

    def _note(self, batch: Sequence[Event], waited: float) -> None:
        """Tell the log of a batch, so that whoever reads it sees how events come to subscribers."""
        if not self._notes:
            return
        data = {"subscription": self._row.name, "events": len(batch), "seconds": round(waited, 3)}
        with self._log.write() as tx:
            tx.event(NOTE, "system", "delivery", {**data, "first": batch[0].seq, "last": batch[-1].seq})

    def _passed(self, seq: int) -> None:
        self._done = seq
        self._handed = now = time.monotonic()
        self._dirty_since = min(self._dirty_since, now)
        if self._row.tries or now >= self._dirty_since + SETTLE_SECONDS:
            self._settle()

    def _buried(self, event: Event, error: Exception) -> bool:
        """Count a failure, and wait before the next try; or give the event up."""
        tries, said = self._row.tries + 1, _said(error)
        with self._log.write() as tx:
            if tries > len(self._delays):
                put_dead_letter(tx.database, DeadLetter(self._row.name, event.seq, tries, said, tx.now))
                self._row = self._row._replace(cursor=event.seq, tries=0, error="")
            else:
                self._row = self._row._replace(cursor=self._done, tries=tries, error=said)
            put_subscription(tx.database, self._row)
        if tries > len(self._delays):
            return True
        due = time.monotonic() + self._delays[tries - 1]
        while not self._stopping and (left := due - time.monotonic()) > 0:
            self._bell.wait(left)
        return False

    def _settle(self) -> None:
        """Store the place."""
        self._dirty_since = math.inf
        if self._done == self._row.cursor:
            return
        self._row = self._row._replace(cursor=self._done, tries=0, error="")
        with self._log.write() as tx:
            put_subscription(tx.database, self._row)


def _serve_alone(directory: Path, name: str, held: ExitStack) -> None:
    folder = directory / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        gate = open_gate(str(folder / f"{name}.lock"))
    except OSError as error:
        raise refusal(error, f"{str(folder)!r} cannot be written", "See whether the disk fails.") from error
    held.callback(os.close, gate)
    if not held.enter_context(held_now(gate)):
        raise StateConflict(
            f"The subscription {name!r} is served by another process; nothing was changed.",
            next_steps=("End that process, or subscribe under another name.",),
        )


def _begin(log: Log, name: str, wanted: Filter | None, after: int | None) -> SubscriptionRow:
    with log.write() as tx:
        old = next(iter(subscriptions(tx.database, name)), None)
        if old and wanted in (None, old.wanted):
            return old
        new = wanted or Filter()
        new.test()
        cursor = log.last_seq() if after is None else after
        row = old or SubscriptionRow(name, new, cursor, 0, "", tx.now)
        row = row._replace(wanted=new, tries=0, error="")
        put_subscription(tx.database, row)
        return row


def _said(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"[:_ERROR_LENGTH]
    return text.encode("utf-8", "replace").decode("utf-8")
