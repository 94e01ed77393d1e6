"""Something is raised inside a transaction, at any step of it, with values of a byte to five megabytes."""

import json
import random
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint

from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import StrettoError
from stretto.state.log import Log
from stretto.state.transaction import Transaction
from tests.faults.stores import at
from tests.faults.tally import Ledger, Tally, times

SIZES = (1, 300, 40_000, 5_000_000)
LARGE = pytest.param(SIZES[-1], marks=pytest.mark.slow)
W = "shop_001"
OLD, NEW = "old", "new"
PROMISE = "what was there is there, byte for byte, and nothing beside it; the next write goes through"


class Mishap(Exception):
    """Not one that anybody expects."""


def rows(path: Path) -> list[tuple[Any, ...]]:
    """Everything in a database, seen by somebody else."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(table, *row) for table in sorted(tables) for row in connection.execute(f"SELECT * FROM {table}")]


@contextmanager
def cut_off(connection: sqlite3.Connection, after: int) -> Generator[list[int]]:
    """SQLite gives up once, after so many steps of its own; what is yielded counts them."""
    taken = [0]

    def step() -> bool:
        taken[0] += 1
        return taken[0] == after + 1

    connection.set_progress_handler(step, 1)
    try:
        yield taken
    finally:
        connection.set_progress_handler(None, 0)


def steps(connection: sqlite3.Connection, path: Path, write: Callable[[], object]) -> tuple[int, int]:
    """How many it takes, and by how much the count of commits rises."""
    before = commits(rows(path))
    with cut_off(connection, 1 << 60) as taken:
        write()
    return taken[0], commits(rows(path)) - before


def commits(found: list[tuple[Any, ...]]) -> int:
    """How many the database says that it has seen; of checkpoints, the rows that were inserted count."""
    (count,) = (row[-1 if row[0] == "Settings" else 3] for row in found if "hits" in row or "commits" in row)
    inserted = max((row[1] for row in found if row[0] == "Cache"), default=0)
    return inserted + (count if isinstance(count, int) else int(json.loads(count)["value"]))


def how_many(size: int) -> int:
    """Megabytes take their time, and stay."""
    return times(2, 8) if size == SIZES[-1] else times(6, 40) if size == SIZES[-2] else times(6, 120)


def at_each_step(
    tally: Tally, connection: sqlite3.Connection, path: Path, write: Callable[[], object], wanted: int
) -> None:
    """Cut the write off at some of its steps, or all. Whenever it is done, it changes something."""
    chance = random.Random(3)
    many, rise = steps(connection, path, write)
    for after in sorted(chance.sample(range(many), min(many, wanted))):
        once(tally, connection, path, write, after, rise)


def once(
    tally: Tally, connection: sqlite3.Connection, path: Path, write: Callable[[], object], after: int, rise: int
) -> None:
    before = rows(path)
    with cut_off(connection, after) as taken:
        try:
            write()
        except StrettoError:
            pass
        else:
            assert taken[0] <= after, "an error was swallowed"
            return  # it took fewer steps than the first one
    with tally.injection():
        after_it = rows(path)
        assert after_it == before or commits(after_it) == commits(before) + rise, (
            "half of a write"
        )  # COMMIT's own last step
        write()
        more = commits(rows(path)) - commits(after_it)
        assert more == rise if after_it == before else more > 0, "what is there already need not be stored again"


def log_write(log: Log, text: str) -> Callable[[], None]:
    def write() -> None:
        with log.write() as tx:
            number = (log.fact(W, "number") or 0) + 1
            for step in log_steps(tx, f"{number} {text}", number):
                step()

    return write


def log_steps(tx: Transaction, text: str, number: int) -> list[Callable[[], object]]:
    return [
        lambda: tx.put_fact(W, "text", text),
        lambda: tx.start_attempt(W, f"plan/T{number}", 1, f"key {number}", "plan", {"agent_id": text[:20]}),
        lambda: tx.record_outcome(W, f"plan/T{number}", 1, {"text": text}, "TASK_COMPLETED", "plan", {}),
        lambda: tx.event("PHASE_PROGRESS", W, "plan", {"text": text}),
        lambda: tx.put_fact(W, "number", number),
    ]


@pytest.fixture
def log(tmp_path: Path) -> Generator[Log]:
    with Log.open(tmp_path / "store", durability="process") as opened:
        with opened.write() as tx:
            tx.create_workflow(W, kind="feature", description="d", spec={}, runner="r")
        yield opened


@pytest.mark.parametrize("size", [*SIZES[:-1], LARGE])
def test_a_write_of_the_log_that_is_cut_off_leaves_what_was_there(log: Log, ledger: Ledger, size: int) -> None:
    tally = ledger.tally("SQLite gives up at a step of a write, values of 1 B to 5 MB", PROMISE)
    connection: sqlite3.Connection = log._database._connection  # pyright: ignore[reportPrivateUsage]
    at_each_step(tally, connection, log.directory / "events.db", log_write(log, "x" * size), how_many(size))
    assert log.verify() == log.last_seq()


ERRORS = (Mishap, KeyboardInterrupt, MemoryError)


@pytest.mark.parametrize(
    ("size", "error"),
    [
        *((size, error) for size in SIZES[:-1] for error in ERRORS),
        pytest.param(SIZES[-1], Mishap, marks=pytest.mark.slow),
    ],
)
def test_an_exception_in_a_transaction_leaves_what_was_there(
    log: Log, ledger: Ledger, size: int, error: type[BaseException]
) -> None:
    tally = ledger.tally("an exception between two steps of a transaction of the log, 1 B to 5 MB", PROMISE)
    log_write(log, OLD * size)()
    before = rows(log.directory / "events.db")
    for after in range(6) if size < SIZES[-1] else (0, 4):
        with tally.injection():
            with pytest.raises(error):
                write_until(log, NEW * size, after, error)
            assert rows(log.directory / "events.db") == before
            assert log.fact(W, "text") == f"1 {OLD * size}"
    log_write(log, NEW * size)()
    assert log.fact(W, "text") == f"2 {NEW * size}"
    assert log.verify() == log.last_seq()


def write_until(log: Log, text: str, after: int, error: type[BaseException]) -> None:
    with log.write() as tx:
        for step in log_steps(tx, text, 2)[:after]:
            step()
        raise error


class Turns:
    """Checkpoints of one thread, and writes to them, each with a new value of so many bytes and an old part in it."""

    def __init__(self, saver: DiskCacheSaver, size: int) -> None:
        self.saver = saver
        self.size = size
        self.number = 0
        self.config: Any = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
        self.chance = random.Random(1)
        self.kept = b""

    def value(self, number: int) -> bytes:
        return random.Random(number).randbytes(self.size)

    def put(self) -> None:
        made = empty_checkpoint()
        number = self.number + 1
        made["id"] = f"{number:04d}"
        made["channel_values"] = {"x": self.value(number), "same": b"s" * self.size}
        made["channel_versions"] = {"x": number, "same": 1}
        self.config = self.saver.put(self.config, made, {}, {"x": number, **({} if self.number else {"same": 1})})
        self.number = number

    def put_writes(self) -> None:
        self.saver.put_writes(self.config, [("x", self.value(self.number)), ("y", 1)], f"task {self.number}")
        self.put()

    def right(self, folder: Path) -> None:
        with DiskCacheSaver(folder, durability="process") as fresh:
            found = fresh.get_tuple(at("t"))
            assert found is not None
            assert found.checkpoint["channel_values"] == {"x": self.value(self.number), "same": b"s" * self.size}
            assert fresh.verify("t") == self.number


@pytest.mark.parametrize("method", ["put", "put_writes"])
@pytest.mark.parametrize("size", [*SIZES[:-1], LARGE])
def test_a_write_of_the_saver_that_is_cut_off_leaves_what_was_there(
    tmp_path: Path, ledger: Ledger, size: int, method: str
) -> None:
    tally = ledger.tally("SQLite gives up at a step of put or put_writes, values of 1 B to 5 MB", PROMISE)
    folder = tmp_path / "checkpoints"
    with DiskCacheSaver(folder, durability="process") as saver:
        turns = Turns(saver, size)
        turns.put()
        connection = saver._store._table._con  # pyright: ignore[reportPrivateUsage]
        if method == "put":
            at_each_step(tally, connection, folder / "cache.db", turns.put, how_many(size))
        else:
            each_write_cut_off(tally, connection, folder / "cache.db", turns)
        turns.right(folder)
        saver.prune(["t"])
        live = rows(folder / "cache.db")
        saver.delete_thread("t")
        left = [row for row in rows(folder / "cache.db") if row[0] == "Cache"]
        assert live
        assert left == [], "segments of nobody stay behind"


def each_write_cut_off(tally: Tally, connection: sqlite3.Connection, path: Path, turns: Turns) -> None:
    def write() -> None:
        turns.saver.put_writes(turns.config, [("x", turns.value(turns.number)), ("y", 1)], f"task {turns.number}")

    many, rise = steps(connection, path, write)
    for after in sorted(random.Random(4).sample(range(many), min(many, how_many(turns.size)))):
        turns.put()
        once(tally, connection, path, write, after, rise)
