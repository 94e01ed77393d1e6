"""Stores of earlier versions, of later ones, and one that stopped half-way."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import StoreDamaged
from stretto.state.log import Log
from stretto.state.node_cache import DiskNodeCache
from stretto.state.schema import MIGRATIONS, VERSION
from stretto.state.standing import begun, look, orders
from stretto.state.subscription import Subscription
from stretto.state.wire import Event
from tests.faults.stores import CHECKPOINTS, files, make, sql
from tests.faults.tally import Ledger, times

DATA = Path(__file__).parents[1] / "data"
PARTS = ("schemas", "rows")
OLDER = range(1, VERSION)
W = "shop_001"


def older(store: Path, version: int) -> Path:
    """A store as the last release of that schema left it."""
    store.mkdir()
    with closing(sqlite3.connect(store / "events.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for part in PARTS:
            connection.executescript((DATA / part / f"v{version}.sql").read_text("utf-8"))
    return store


def objects(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("SELECT type, name FROM sqlite_master"))


def told(log: Log) -> tuple[object, ...]:
    row = log.workflow(W)
    assert row is not None
    assert (row.status, row.phase, row.description) == ("RUNNING", "plan", "Add a shop")
    return (
        [*log.events()],
        row,
        log.attempts(W),
        log.outcomes(W),
        log.facts(W),
        log.requests(W),
        log.lease(W),
        log.standing_orders(),
        log.subscriptions(),
        log.dead_letters(),
    )


@pytest.mark.parametrize("version", OLDER)
def test_an_older_store_is_read_as_it_is_and_brought_up_by_its_next_writer(
    tmp_path: Path, ledger: Ledger, version: int
) -> None:
    tally = ledger.tally("a store of each earlier schema", "read untouched; brought up with every row; used on")
    Log.open(tmp_path / "new").close()
    for number in range(times(1, 5)):
        store = older(tmp_path / str(number), version)
        before = (store / "events.db").read_bytes()
        with tally.injection():
            reader = Log.find(store)
            assert reader is not None
            with reader:
                read = told(reader)
            with look(str(store)) as hook:
                assert begun(hook) == [(W, "RUNNING")]
                assert len(orders(hook)) == (version >= 2)
            assert (store / "events.db").read_bytes() == before
            with Log.open(store) as log:
                assert told(log) == read
                assert log.verify() == log.last_seq() >= 7
                heard: list[Event] = []
                with Subscription.open(store, "another", after=0) as sub:
                    sub.catch_up(heard.extend)
                assert heard == read[0]
                log.check()
            assert objects(store / "events.db") == objects(tmp_path / "new" / "events.db")


def test_every_earlier_schema_has_its_fixture() -> None:
    assert [*OLDER] == [*MIGRATIONS]
    assert all((DATA / part / f"v{version}.sql").exists() for version in OLDER for part in PARTS)


NEWER: dict[str, tuple[str, Callable[[Path], object]]] = {
    "read": ("events.db", Log.find),
    "write": ("events.db", Log.open),
    "hook": ("events.db", lambda store: look(str(store))),
    "subscribe": ("events.db", lambda store: Subscription.open(store, "keeper")),
    "saver": (f"{CHECKPOINTS}/cache.db", lambda store: DiskCacheSaver(store / CHECKPOINTS)),
    "cache": ("cache/cache.db", lambda store: DiskNodeCache(store / "cache")),
}


@pytest.mark.parametrize("door", NEWER)
def test_a_newer_store_is_refused_and_not_a_byte_of_it_is_changed(tmp_path: Path, ledger: Ledger, door: str) -> None:
    tally = ledger.tally("a store of a later schema", "refused with exit 4; not a byte of any file is changed")
    file, opened = NEWER[door]
    make(tmp_path / "store", killed=False)
    chance = random.Random(door)
    for _ in range(times(2, 10)):
        sql(tmp_path / "store" / file, f"PRAGMA user_version = {VERSION + chance.randint(1, 1000)}")
        before = {name: (tmp_path / "store" / name).read_bytes() for name in files(tmp_path / "store")}
        with tally.injection():
            with pytest.raises(StoreDamaged, match=r"newer Stretto|of format \d+, and this version of Stretto reads"):
                opened(tmp_path / "store")
            after = {name: (tmp_path / "store" / name).read_bytes() for name in files(tmp_path / "store")}
            assert {name: after.get(name) for name in before} == before
            assert {name for name in after if name not in before and not name.endswith(("-shm", "-wal"))} == set()


@pytest.mark.parametrize("version", OLDER)
def test_a_store_that_was_brought_up_half_way_is_refused_as_it_is(tmp_path: Path, ledger: Ledger, version: int) -> None:
    """It cannot come from us: each step is one transaction. Somebody else tried."""
    tally = ledger.tally(
        "a store that was brought half-way to the next schema", "refused with exit 4; not a row is changed"
    )
    for number, statement in enumerate(MIGRATIONS[version]):
        store = older(tmp_path / str(number), version)
        sql(store / "events.db", statement) if number == 0 else sql(
            store / "events.db", *MIGRATIONS[version][: number + 1]
        )
        before = rows(store / "events.db")
        with tally.injection():
            with pytest.raises(StoreDamaged, match="already exists"):
                Log.open(store)
            assert rows(store / "events.db") == before


def rows(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [*connection.iterdump(), str(connection.execute("PRAGMA user_version").fetchone())]
