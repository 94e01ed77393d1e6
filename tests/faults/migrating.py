"""A store of the first release, what brings it up to today's, and what it must hold then."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.disk import Durability
from stretto.state.log import Log
from tests.faults import life
from tests.faults.life import Acknowledge, store_in

DATA = Path(__file__).parents[1] / "data"


def first_release(project: Path) -> None:
    """The log of schema 1, whose rows have stayed the same, and the checkpoints of format 1."""
    store = store_in(project)
    (store / "checkpoints").mkdir(parents=True)
    life.live(project / "today", "process", life.nobody)
    with closing(sqlite3.connect(store / "events.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript((DATA / "schemas" / "v1.sql").read_text("utf-8"))
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        connection.execute("ATTACH ? AS today", (str(store_in(project / "today") / "events.db"),))
        for table in tables:
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM today.{table}")
        connection.commit()
    shutil.rmtree(project / "today")
    with closing(sqlite3.connect(store / "checkpoints" / "cache.db")) as connection:
        connection.executescript((DATA / "checkpoints" / "1.sql").read_text("utf-8"))


def migrate(project: Path, durability: Durability, say: Acknowledge) -> None:
    store = store_in(project)
    with Log.open(store, durability=durability):
        say("log", 1)
    with DiskCacheSaver(store / "checkpoints", durability=durability):
        say("saver", 1)


def look(project: Path) -> tuple[Any, ...]:
    """All that is in it, verified; it is migrated by looking, if it was not before."""
    store = store_in(project)
    with Log.open(store) as log:
        events = [*log.events()]
        assert log.verify() == len(events) > 0
        row, lease, facts = log.workflow(life.W), log.lease(life.W), log.facts(life.W)
    with DiskCacheSaver(store / "checkpoints") as saver:
        threads = [*saver.threads()]
        assert all(saver.verify(thread) for thread in threads)
        kept = [repr((each.config, each.checkpoint, each.metadata, each.pending_writes)) for each in saver.list(None)]
    with closing(sqlite3.connect(store / "events.db")) as log, closing(_cache(store)) as cache:
        versions = [*log.execute("PRAGMA user_version"), *cache.execute("PRAGMA user_version")]
    return row, lease, facts, events, threads, kept, versions


def _cache(store: Path) -> sqlite3.Connection:
    return sqlite3.connect(store / "checkpoints" / "cache.db")
