"""Table: what is done to diskcache's file so that a commit writes less, and is synced sooner."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from stretto.state.blobs import BlobStore
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.disk import Durability
from stretto.state.errors import StoreDamaged
from stretto.state.keys import below
from stretto.state.tide import Tide, mark

ALL = "CREATE INDEX Cache_expire_time ON Cache (expire_time)"


def test_a_store_from_before_gets_the_index_of_what_expires_and_keeps_its_rows(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, "process")
    with store.transaction():
        store.set(b"a", b"stays")
        store.set(b"b", b"expires", 5.0)
    store.close()
    with closing(sqlite3.connect(tmp_path / "cache.db")) as own:
        own.executescript(f"DROP INDEX Cache_expire_time; {ALL}")

    store = BlobStore(tmp_path, "process")
    with store.transaction():
        store.erase_expired(5.0)
    left = [key for key in (b"a", b"b") if store.has(key)]
    store.close()

    assert left == [b"a"]
    with closing(sqlite3.connect(tmp_path / "cache.db")) as own:
        plan = own.execute("EXPLAIN QUERY PLAN DELETE FROM Cache WHERE expire_time <= 5").fetchall()
        (made,) = own.execute("SELECT sql FROM sqlite_master WHERE name = 'Cache_expire_time'").fetchone()
    assert made.endswith("WHERE expire_time IS NOT NULL")
    assert "Cache_expire_time" in str(plan)


@pytest.mark.parametrize(("durability", "least"), [("power", 2 << 20), ("process", 0)])
def test_where_commits_wait_for_the_disk_the_log_has_its_size_and_the_store_nothing_more(
    tmp_path: Path, durability: Durability, least: int
) -> None:
    with DiskCacheSaver(tmp_path, durability=durability) as saver:
        assert least <= (tmp_path / "cache.db-wal").stat().st_size < least + (1 << 17)
        assert list(saver.list(None)) == []

    assert (tmp_path / "cache.db").stat().st_size < 1 << 16


def test_every_commit_raises_the_mark_whatever_it_did_and_whoever_made_it(tmp_path: Path) -> None:
    one, other = BlobStore(tmp_path, "process"), BlobStore(tmp_path, "process")
    marks: list[int] = []

    def commit(store: BlobStore, *works: Callable[[BlobStore], object]) -> None:
        with store.transaction():
            for work in works:
                work(store)
        marks.append(mark(str(tmp_path / "cache.db")))

    for store in (one, other, one):
        commit(store, lambda own: [own.add(b"k%d" % number, b"v") for number in range(9)])
        commit(store, lambda own: own.set(b"k8", b"another"))
        commit(store, lambda own: own.erase(below(b"k")))
        commit(
            store, lambda own: own.erase(below(b"k")), lambda own: own.add(b"k1", b"v"), lambda own: own.delete(b"k1")
        )
        commit(store, lambda own: own.add(b"k1", b"v"), lambda own: own.erase(below(b"x")))
        commit(store, lambda own: own.delete(b"k1"))
        with pytest.raises(ZeroDivisionError):
            commit(store, lambda own: own.add(b"k", b"v"), lambda _: 1 // 0)
    one.close()
    other.close()

    assert marks == sorted(set(marks))
    assert len(marks) == 18
    BlobStore(tmp_path, "process").close()


def test_a_commit_that_changed_nothing_leaves_the_mark(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, "process")
    with store.transaction():
        store.add(b"k", b"v")
    before = mark(str(tmp_path / "cache.db"))
    with store.transaction():
        store.erase(below(b"x"))
    store.close()

    assert before == mark(str(tmp_path / "cache.db")) > 0


def test_a_store_that_counted_its_commits_one_by_one_goes_on_from_there(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, "process")
    with store.transaction():
        store.add(b"k", b"v")
    store.close()
    with closing(sqlite3.connect(tmp_path / "cache.db")) as own, own:
        own.execute("UPDATE Settings SET value = 70 WHERE key = 'hits'")
    Tide(str(tmp_path / "cache.db"), synced=True).rise(70)

    store = BlobStore(tmp_path, "process")
    with store.transaction():
        store.add(b"l", b"v")
    store.close()

    assert mark(str(tmp_path / "cache.db")) > 70
    BlobStore(tmp_path, "process").close()
    with closing(sqlite3.connect(tmp_path / "cache.db")) as own, own:
        own.execute("DELETE FROM Cache WHERE key = x'6c'")
    with pytest.raises(StoreDamaged, match="has lost what was written to it last"):
        BlobStore(tmp_path, "process")


def test_a_store_whose_rows_diskcache_counted_goes_on_without_that(tmp_path: Path) -> None:
    store = BlobStore(tmp_path, "process")
    with store.transaction():
        store.set(b"a", b"stays")
    store.close()
    with closing(sqlite3.connect(tmp_path / "cache.db")) as own:
        for name, sign in (("insert", "+"), ("delete", "-")):
            own.executescript(
                f"DROP TRIGGER Settings_count_{name};"
                f" CREATE TRIGGER Settings_count_{name} AFTER {name.upper()} ON Cache"
                f" FOR EACH ROW BEGIN UPDATE Settings SET value = value {sign} 1 WHERE key = 'count'; END;"
                " UPDATE Settings SET value = 1 WHERE key = 'count'"
            )

    store = BlobStore(tmp_path, "process")
    with store.transaction():
        store.set(b"b", b"comes")
        store.delete(b"a")
    left = store.keys(below(b""))
    store.close()

    assert left == [b"b"]
    with closing(sqlite3.connect(tmp_path / "cache.db")) as own:
        assert own.execute("SELECT value FROM Settings WHERE key = 'count'").fetchone() == (0,)


def test_a_row_that_is_there_already_is_found_however_the_transaction_began(tmp_path: Path) -> None:
    store, other = BlobStore(tmp_path, "process"), BlobStore(tmp_path, "process")
    tries: list[bool] = []

    def theirs() -> None:
        other.set(b"a", b"theirs")

    def ours() -> None:
        tries.append(store.add(b"a", b"ours") is None)
        store.add(b"b", b"ours")

    def twice() -> None:
        store.add(b"c", b"ours")
        store.set(b"c", b"again")

    other.write(theirs)
    store.write(ours)
    store.write(twice)
    found = {key: row.value for key, row in other.rows(below(b""))}
    store.close()
    other.close()

    assert found == {b"a": b"theirs", b"b": b"ours", b"c": b"again"}
    assert tries == [False, True]


@pytest.mark.parametrize("count", [0, 1, 8, 9, 40])
def test_so_many_new_rows_are_all_there_and_the_mark_is_theirs(tmp_path: Path, count: int) -> None:
    store = BlobStore(tmp_path, "process")
    before = mark(str(tmp_path / "cache.db"))

    def work() -> None:
        for number in range(count):
            store.add(b"%d" % number, b"x" * number)

    store.write(work)
    store.close()

    assert mark(str(tmp_path / "cache.db")) - before == count
    again = BlobStore(tmp_path, "process")
    assert {key: len(row.value) for key, row in again.rows(below(b""))} == {b"%d" % n: n for n in range(count)}
    again.close()
