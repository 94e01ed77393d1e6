"""A store of every earlier schema is read, brought up, and never half brought up."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stretto.state.care_check import check
from stretto.state.care_migrate import migrate
from stretto.state.errors import NotFound, StoreDamaged, WorkflowDriven
from stretto.state.lease import acquire
from stretto.state.log import Log
from stretto.state.schema import SELECT, VERSION
from tests.snapshot import snapshot
from tests.state.carestore import connect, edit, make, rows

DATA = Path(__file__).parents[1] / "data" / "schemas"
EVER = sorted(int(p.stem.removeprefix("v")) for p in DATA.glob("v*.sql"))


def older(version: int, tmp_path: Path) -> Path:
    """A store as the Stretto of that schema wrote it: its own statements, and the rows that it knew."""
    now = make(tmp_path / "now")
    store = tmp_path / "store"
    store.mkdir(mode=0o700)
    with connect(store / "events.db") as connection:
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.executescript((DATA / f"v{version}.sql").read_text("utf-8"))
        connection.execute("ATTACH ? AS now", (str(now / "events.db"),))
        for (table,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall():
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM now.{table}")
    (store / "events.db").chmod(0o600)
    return store


def test_there_is_a_fixture_of_every_schema_there_was() -> None:
    assert [*range(1, VERSION + 1)] == EVER


def test_todays_schema_is_the_newest_of_them(tmp_path: Path) -> None:
    made, kept = tmp_path / "made" / "events.db", tmp_path / "kept.db"
    Log.open(made.parent).close()
    with connect(kept) as connection:
        connection.executescript((DATA / f"v{VERSION}.sql").read_text("utf-8"))

    assert objects(made) == objects(kept)


def objects(path: Path) -> list[list[str]]:
    with connect(path) as connection:
        return [sql.split() for (sql,) in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")]


@pytest.mark.parametrize("version", EVER)
def test_a_store_of_any_schema_is_checked_as_it_is_and_brought_up(version: int, tmp_path: Path) -> None:
    store = older(version, tmp_path)
    wanted = rows(tmp_path / "now")
    with connect(store / "events.db") as connection:
        known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    before = snapshot(store)
    assert check(store, deep=True).damage == ()
    assert snapshot(store) == before

    done = migrate(store)

    assert (done.before, done.after, done.events) == (version, VERSION, len(wanted["events"]))
    found = rows(store)
    assert found.keys() == SELECT.keys()
    assert all(found[table] == (wanted[table] if table in known else []) for table in found)
    assert check(store, deep=True).damage == ()
    again = migrate(store)
    assert (again.before, again.after) == (VERSION, VERSION)
    with Log.open(store) as log, log.write() as tx:
        tx.event("SYSTEM_STARTUP", "system", "setup", {})


@pytest.mark.parametrize("version", [v for v in EVER if v < VERSION])
def test_a_migration_that_is_killed_at_any_statement_leaves_a_whole_version(version: int, tmp_path: Path) -> None:
    killed = 0
    for count in range(1, 30):
        folder = tmp_path / str(count)
        folder.mkdir()
        store = older(version, folder)
        ended = subprocess.run(
            [sys.executable, "-c", _KILLED, str(store), str(count)], check=False, cwd=Path(__file__).parents[2]
        )

        with Log.find(store) or pytest.fail("it is gone") as log:
            assert log.verify()
        migrate(store)
        assert check(store, deep=True).damage == ()
        if ended.returncode != -signal.SIGKILL:
            break
        killed += 1
    assert killed >= 2


_KILLED = """
import os, sys
from pathlib import Path
from stretto.state import opening, schema
class Steps(tuple):
    pass
left = int(sys.argv[2])
def step(statement):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), 9)
connect = opening.connect
def watched(path, mode, patience):
    connection = connect(path, mode, patience)
    if mode == "rw":
        connection.set_trace_callback(step)
    return connection
opening.connect = watched
from stretto.state.care_migrate import migrate
migrate(Path(sys.argv[1]))
"""


def test_a_migration_refuses_a_driven_store_a_damaged_one_and_none(tmp_path: Path) -> None:
    store = make(tmp_path / "store")
    with pytest.raises(NotFound):
        migrate(tmp_path / "none")
    with Log.open(store) as log:
        acquire(log, "runs_001")
    with pytest.raises(WorkflowDriven):
        migrate(store)
    with connect(store / "events.db") as connection:
        connection.execute("DELETE FROM leases")
    edit(store, "DELETE FROM events WHERE seq = 4")
    with pytest.raises(StoreDamaged):
        migrate(store)
    assert not (tmp_path / "none").exists()
