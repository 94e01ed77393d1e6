"""A store with everything in it, and ways to damage it."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import empty_checkpoint

from stretto.state import orders
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.lease import acquire, release
from stretto.state.log import Log
from stretto.state.reader import seal
from stretto.state.rows import Taker
from stretto.state.schema import SELECT

DONE, RUNS, WAITS = "done_001", "runs_001", "waits_001"


def make(store: Path, *, checkpoints: int = 0) -> Path:
    """Three workflows: one that is over, one that a driver has left, one whose order is taken."""
    with Log.open(store, durability="process") as log:
        for name in (DONE, RUNS, WAITS):
            _begin(log, name)
        with log.write() as tx:
            outcome = {"status": "completed", "summary": "ünique\n"}
            tx.start_attempt(DONE, "plan/T1", 1, f"{DONE}/plan/T1#1", "plan", {"agent_id": "planner"})
            tx.record_outcome(DONE, "plan/T1", 1, outcome, "TASK_COMPLETED", "plan", {"agent_id": "planner"})
            tx.put_fact(DONE, "base", "abc")
            tx.set_status(DONE, "COMPLETED", {"success": True})
        with log.write() as tx:
            tx.start_attempt(RUNS, "plan/T1", 1, f"{RUNS}/plan/T1#1", "plan", {})
            tx.update_attempt(RUNS, "plan/T1", 1, state="failed", outcome={"status": "failed", "error": "no"})
            tx.event("TASK_FAILED", RUNS, "plan", {"task_id": "plan/T1", "retry_count": 1, "final": False})
            tx.start_attempt(RUNS, "plan/T1", 2, f"{RUNS}/plan/T1#2", "plan", {})
            tx.request(RUNS, "drain")
            work = {"phase": "plan", "started": {"agent_id": "x"}, "workspace": {}, "seconds": 60}
            orders.make(tx, f"{WAITS}/plan/T1#1", work, {"agent_id": "x"})
        with log.write() as tx:
            orders.take(tx, f"{WAITS}/plan/T1#1", Taker("s", "a", 0, "", "", ""))
    _fill_empty(store)
    if checkpoints:
        fill(store, RUNS, checkpoints)
        fill(store, DONE, 2)
    return store


def _fill_empty(store: Path) -> None:
    """Give every table that has no row one of its own, so that there is no table whose damage is not tried."""
    with connect(store / "events.db") as connection:
        for table in SELECT:
            told = connection.execute("SELECT name, type FROM pragma_table_info(?) ORDER BY cid", (table,)).fetchall()
            if not connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall():
                values = [5 if kind == "INTEGER" else f"some {name}" for name, kind in told[:-1]]
                connection.execute(
                    f"INSERT INTO {table} VALUES ({', '.join('?' * len(told))})", (*values, seal(values))
                )


def _begin(log: Log, name: str) -> None:
    with log.write() as tx:
        tx.create_workflow(name, kind="feature", description=f"Add {name}", spec={"a": [1, 2]}, runner="command:r")
        tx.set_status(name, "SCHEDULED")
    fence = acquire(log, name)
    with log.write(fence) as tx:
        tx.set_status(name, "RUNNING", {"runner": "command:r"})
        tx.set_phase(name, "plan")
    release(log, fence)


def fill(store: Path, thread: str, count: int) -> list[str]:
    """Give a thread some checkpoints, each the child of the one before it; return their ids, oldest first."""
    ids: list[str] = []
    with DiskCacheSaver(store / "checkpoints", durability="process") as saver:
        config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        for number in range(count):
            body = empty_checkpoint()
            body["channel_values"] = {"n": number, "text": f"value {number} " * 40}
            body["channel_versions"] = {"n": number + 1, "text": number + 1}
            config = saver.put(config, body, {"step": number, "source": "loop"}, {"n": number + 1, "text": number + 1})
            saver.put_writes(config, [("n", number + 1)], f"task-{number}")
            ids.append(body["id"])
    return ids


def copied(store: Path, to: Path) -> Path:
    """A copy of a store, quicker than making one."""
    return Path(shutil.copytree(store, to))


def connect(path: Path) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(path, isolation_level=None))


def edit(store: Path, *statements: str) -> None:
    """Change the log behind our back."""
    with connect(store / "events.db") as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount, statement


def columns() -> list[tuple[str, str]]:
    """Every column of every table."""
    with connect(Path(":memory:")) as connection:
        from stretto.state.schema import DDL

        for statement in DDL:
            connection.execute(statement)
        return [
            (table, name)
            for table in SELECT
            for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
        ]


def rows(store: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the log."""
    with connect(store / "events.db") as connection:
        return {table: sorted(connection.execute(select).fetchall(), key=repr) for table, select in SELECT.items()}


def flips(value: object) -> Iterator[object]:
    """The value with one bit flipped, a few different ones."""
    if isinstance(value, int):
        yield from (value ^ 1, value ^ 64)
        return
    data = str(value).encode()
    for bit, place in ((0, 0), (3, len(data) // 2), (7, len(data) - 1)) if data else ():
        flipped = bytearray(data)
        flipped[place] ^= 1 << bit
        yield bytes(flipped)
