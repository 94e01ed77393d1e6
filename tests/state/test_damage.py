"""What is not as we left it is found and named, and never touched."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from stretto.state.errors import StoreDamaged
from stretto.state.lease import acquire
from stretto.state.log import Log
from stretto.state.schema import VERSION

W = "shop_001"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with Log.open(tmp_path / "store", durability="process") as log:
        with log.write() as tx:
            tx.create_workflow(W, kind="feature", description="Add a shop", spec={"a": 1}, runner="r")
            tx.start_attempt(W, "plan/T1", 1, "key-1", "plan", {})
            tx.record_outcome(W, "plan/T1", 1, {"status": "completed"}, "TASK_COMPLETED", "plan", {})
            tx.put_fact(W, "base", "abc")
            for i in range(5):
                tx.event("PHASE_PROGRESS", W, "plan", {"i": i})
        acquire(log, W)
        with log.write() as tx:
            tx.request(W, "drain")
    return tmp_path / "store"


def edit(store: Path, *statements: str) -> None:
    with closing(sqlite3.connect(store / "events.db", isolation_level=None)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount


READS: dict[str, tuple[str, Callable[[Log], object]]] = {
    "events": ("data = '{\"i\":99}' WHERE seq = 5", lambda log: list(log.events())),
    "workflows": ("status = 'COMPLETED'", lambda log: log.workflow(W)),
    "attempts": ("starts = 0", lambda log: log.attempts(W)),
    "outcomes": ("outcome = '{}'", lambda log: log.outcomes(W)),
    "facts": ("value = '{\"value\":1}' WHERE name = 'base'", lambda log: log.fact(W, "base")),
    "requests": ("data = '{\"a\":1}'", lambda log: log.requests(W)),
    "leases": ("token = 99", lambda log: log.lease(W)),
}


@pytest.mark.parametrize("table", READS)
@pytest.mark.parametrize("door", [Log.open, Log.find])
def test_an_edited_row_is_found_when_it_is_read(store: Path, table: str, door: Callable[[Path], Log]) -> None:
    change, read = READS[table]
    edit(store, f"UPDATE {table} SET {change}")

    with door(store) as log, pytest.raises(StoreDamaged, match=f"a row of '{table}'") as found:
        read(log)

    assert found.value.details["table"] == table
    assert found.value.exit_code == 4


@pytest.mark.parametrize("change", ["value = x'80049500'", "value = '[1'", "value = 7", "crc = 0", "crc = 'x'"])
def test_a_planted_value_of_any_kind_is_found(store: Path, change: str) -> None:
    edit(store, f"UPDATE facts SET {change} WHERE name = 'base'")

    with Log.open(store) as log, pytest.raises(StoreDamaged):
        log.fact(W, "base")


def test_text_that_is_not_utf8_is_found(store: Path) -> None:
    edit(store, "UPDATE facts SET value = CAST(x'ff' AS TEXT) WHERE name = 'base'")

    with Log.open(store) as log, pytest.raises(StoreDamaged):
        log.fact(W, "base")


@pytest.mark.parametrize(
    ("statements", "what"),
    [
        (("DELETE FROM events WHERE seq = 4",), "event 4 is missing"),
        (("DELETE FROM events WHERE seq = 4", "UPDATE events SET seq = seq - 1 WHERE seq > 4"), "does not match"),
    ],
)
def test_a_removed_event_is_found(store: Path, statements: tuple[str, ...], what: str) -> None:
    edit(store, *statements)

    with Log.open(store) as log, pytest.raises(StoreDamaged, match=what):
        log.verify()


def test_an_edited_event_with_a_fitting_checksum_still_breaks_the_chain(store: Path, tmp_path: Path) -> None:
    with Log.open(tmp_path / "other", durability="process", clock=lambda: 0.0) as other, other.write() as tx:
        for i in range(5):
            tx.event("PHASE_PROGRESS", W, "plan", {"i": -i})
    edit(store, "DELETE FROM events WHERE seq = 5")
    with closing(sqlite3.connect(store / "events.db", isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS other", (str(tmp_path / "other" / "events.db"),))
        connection.execute("INSERT INTO events SELECT * FROM other.events WHERE seq = 5")

    with Log.open(store) as log:
        assert len(list(log.events())) == 8
        with pytest.raises(StoreDamaged, match=f"event 5 breaks the hash chain of '{W}'"):
            log.verify()


@pytest.mark.parametrize("door", [Log.open, Log.find])
def test_a_newer_schema_is_refused_and_the_file_untouched(store: Path, door: Callable[[Path], Log]) -> None:
    with closing(sqlite3.connect(store / "events.db", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = (store / "events.db").read_bytes()

    with pytest.raises(StoreDamaged, match=f"newer Stretto: its schema is {VERSION + 1}, this one knows {VERSION}"):
        door(store)

    assert (store / "events.db").read_bytes() == before


@pytest.mark.parametrize("door", [Log.open, Log.find])
@pytest.mark.parametrize("kind", ["database", "text", "empty"])
def test_a_foreign_file_is_refused_and_untouched(tmp_path: Path, door: Callable[[Path], Log], kind: str) -> None:
    path = tmp_path / "events.db"
    if kind == "database":
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("CREATE TABLE events (a)")
    else:
        path.write_bytes(b"" if kind == "empty" else b"not a database at all, " * 100)
    before = path.read_bytes()

    with pytest.raises(StoreDamaged, match="is damaged"):
        door(tmp_path)

    assert path.read_bytes() == before


def test_a_damaged_page_is_an_error_and_no_wrong_answer(store: Path) -> None:
    path = store / "events.db"
    bytes_ = bytearray(path.read_bytes())
    for page in range(4096, len(bytes_), 4096):
        bytes_[page : page + 64] = b"\xa5" * 64
    path.write_bytes(bytes_)

    with pytest.raises(StoreDamaged), Log.open(store) as log:
        list(log.events())


def test_what_a_dead_maker_left_half_made_is_made_anew(tmp_path: Path) -> None:
    for name in ("events.new", "events.new-wal", "events.new-shm", "events.new-journal"):
        (tmp_path / name).write_bytes(b"half")

    with Log.open(tmp_path) as log, log.write() as tx:
        tx.event("SYSTEM_STARTUP", "system", "setup", {})

    assert sorted(p.name for p in tmp_path.iterdir()) == ["events.db", "events.lock", "events.tide", "mark"]
    assert (tmp_path / "events.db").stat().st_mode & 0o777 == 0o600
