"""Table: what is done to diskcache's file so that a commit writes less, and is synced sooner."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from stretto.state.blobs import BlobStore
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.disk import Durability

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
