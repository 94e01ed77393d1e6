"""Reading for those in a hurry: what is seen, beside whom, and that nothing is left behind."""

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from stretto.state import standing
from stretto.state.errors import StoreDamaged, StrettoError
from stretto.state.log import Log
from stretto.state.reader import Reader
from stretto.state.schema import VERSION

W = "shop_001"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with Log.open(tmp_path / "store", durability="process") as log, log.write() as tx:
        tx.create_workflow(W, kind="feature", description="Add a shop", spec={}, runner="r")
        tx.set_status(W, "SCHEDULED")
        tx.set_status(W, "RUNNING")
    return tmp_path / "store"


def seen(store: Path) -> list[tuple[str, str]]:
    with standing.look(str(store)) as reader:
        return standing.begun(reader)


def files(store: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in store.iterdir() if p.is_file()}


def test_a_resting_log_is_read_and_nothing_about_it_changes(store: Path) -> None:
    before = files(store)

    with standing.look(str(store)) as reader:
        assert standing.begun(reader) == [(W, "RUNNING")]
        assert files(store) == before

    assert files(store) == before


def test_what_a_living_writer_has_committed_is_seen(store: Path) -> None:
    with Log.open(store) as log:
        with log.write() as tx:
            tx.set_status(W, "PAUSED")

        assert seen(store) == [(W, "PAUSED")]


def test_what_a_dead_writer_has_committed_is_seen_and_kept(store: Path, tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    with Log.open(store) as log:
        with log.write() as tx:
            tx.set_status(W, "PAUSED")
        shutil.copytree(store, dead)
    before = (dead / "events.db-wal").read_bytes()

    assert seen(dead) == [(W, "PAUSED")]
    assert (dead / "events.db-wal").read_bytes() == before != b""


@pytest.mark.parametrize("leftover", ["events.db-wal", "events.db-shm"])
def test_an_empty_file_that_somebody_left_is_in_nobodys_way(store: Path, leftover: str) -> None:
    (store / leftover).touch()

    assert seen(store) == [(W, "RUNNING")]
    assert not (store / "events.db-wal").exists()


def test_a_log_whose_lock_file_is_gone_can_be_read(store: Path) -> None:
    (store / "events.lock").unlink()

    assert seen(store) == [(W, "RUNNING")]


def test_a_writer_waits_until_a_resting_log_is_read(store: Path) -> None:
    done = threading.Event()

    def write() -> None:
        with Log.open(store) as log, log.write() as tx:
            tx.set_status(W, "PAUSED")
        done.set()

    writer = threading.Thread(target=write)
    with standing.look(str(store)) as reader:
        writer.start()
        assert not done.wait(0.3)
        assert standing.begun(reader) == [(W, "RUNNING")]
    writer.join(20)

    assert done.is_set()
    assert seen(store) == [(W, "PAUSED")]


def test_many_read_a_resting_log_at_once(store: Path) -> None:
    before = files(store)

    with standing.look(str(store)) as one, standing.look(str(store)) as other:
        assert standing.begun(one) == standing.begun(other) == [(W, "RUNNING")]

    assert files(store) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE workflows SET status = 'PAUSED'", "a row of 'workflows'"),
        ("PRAGMA application_id = 7", "not an event log of Stretto's"),
        (f"PRAGMA user_version = {VERSION + 1}", "newer Stretto"),
        ("PRAGMA user_version = 0", "never was"),
        ("DROP TABLE workflows", "no such table"),
    ],
)
def test_what_is_not_as_we_left_it_is_said(store: Path, change: str, told: str) -> None:
    with closing(sqlite3.connect(store / "events.db", isolation_level=None)) as connection:
        connection.execute(change)

    with pytest.raises(StoreDamaged, match=told):
        seen(store)


def test_a_file_that_is_no_database_and_one_that_is_not_there_are_said(store: Path, tmp_path: Path) -> None:
    (store / "events.db").write_bytes(b"nothing of SQLite's" * 100)

    with pytest.raises(StoreDamaged):
        seen(store)
    with pytest.raises(StrettoError, match="Cannot work with"):
        Reader.open(str(tmp_path / "none.db"))
    assert not (tmp_path / "none.db").exists()


def test_a_log_of_before_there_were_orders_has_none(store: Path) -> None:
    with closing(sqlite3.connect(store / "events.db", isolation_level=None)) as connection:
        connection.execute("DROP TABLE orders")
        connection.execute("PRAGMA user_version = 1")

    with standing.look(str(store)) as reader:
        assert standing.orders(reader) == []
