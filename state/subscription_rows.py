"""Subscriptions and dead letters as rows of the log: reading and writing them."""

from __future__ import annotations

import json

from stretto.state.database import Database
from stretto.state.filter import Filter
from stretto.state.light import NamedTuple
from stretto.state.wire import compact


class SubscriptionRow(NamedTuple):
    """Where a subscriber stands: everything up to event `cursor` was handed over, or was not wanted.

    `tries` is how often the next wanted event has failed, `error` how it did last, `since` when it subscribed.
    """

    name: str
    wanted: Filter
    cursor: int
    tries: int
    error: str
    since: str


class DeadLetter(NamedTuple):
    """An event that its subscriber could not handle, how often it was tried, and how it failed last."""

    subscription: str
    seq: int
    tries: int
    error: str
    at: str


def subscriptions(database: Database, name: str | None = None) -> list[SubscriptionRow]:
    """One subscription, or all; none in a file of before there were any."""
    if not _has(database, "subscriptions"):
        return []
    where, values = ("WHERE name = ?", (name,)) if name is not None else ("ORDER BY name", ())
    rows = database.read("subscriptions", where, values)
    return [SubscriptionRow(r[0], Filter.of(json.loads(r[1])), *r[2:]) for r in rows]


def put_subscription(database: Database, row: SubscriptionRow) -> None:
    """Store one; it replaces what was stored."""
    database.put("subscriptions", (row.name, compact(row.wanted.as_dict()), *row[2:]))


def dead_letters(database: Database, name: str | None = None) -> list[DeadLetter]:
    """The dead letters of one subscription, or of all, in the order of their events."""
    if not _has(database, "dead_letters"):
        return []
    where, values = ("WHERE subscription = ? ", (name,)) if name is not None else ("", ())
    rows = database.read("dead_letters", f"{where}ORDER BY subscription, seq", values)
    return [DeadLetter._make(r) for r in rows]


def put_dead_letter(database: Database, letter: DeadLetter) -> None:
    """Keep one; it replaces the one of before of the same event."""
    database.put("dead_letters", letter)


def drop_dead_letter(database: Database, letter: DeadLetter) -> None:
    """It was handled after all."""
    key = (letter.subscription, letter.seq)
    database.execute("DELETE FROM dead_letters WHERE subscription = ? AND seq = ?", key)


def drop_subscription(database: Database, name: str) -> None:
    """Forget a subscription and its dead letters."""
    database.execute("DELETE FROM subscriptions WHERE name = ?", (name,))
    database.execute("DELETE FROM dead_letters WHERE subscription = ?", (name,))


def _has(database: Database, table: str) -> bool:
    """A file that is open for reading only may be of an older version."""
    return bool(database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)))
