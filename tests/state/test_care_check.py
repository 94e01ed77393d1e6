"""A check reads everything, names everything that is damaged, and changes nothing."""

from pathlib import Path

import pytest

from stretto.state.care_check import check
from stretto.state.care_finding import Finding
from stretto.state.errors import StoreDamaged
from stretto.state.log import Log
from tests.snapshot import snapshot
from tests.state import carestore
from tests.state.carestore import DONE, RUNS, columns, connect, copied, edit, make


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("pristine") / "store", checkpoints=5)


@pytest.fixture
def store(tmp_path: Path, pristine: Path) -> Path:
    return copied(pristine, tmp_path / "store")


def damage(store: Path, *, deep: bool = False) -> tuple[Finding, ...]:
    return check(store, deep=deep).damage


def test_a_store_as_we_left_it_is_sound_and_all_of_it_was_read(store: Path) -> None:
    report = check(store, deep=True)

    assert report.findings == ()
    assert report.rows == {table: len(rows) for table, rows in carestore.rows(store).items()}
    assert report.checkpoints == 7


def test_a_check_changes_nothing_whatever_it_finds(store: Path) -> None:
    edit(store, "UPDATE facts SET value = 'x'", "DELETE FROM events WHERE seq = 4")
    (store / "checkpoints" / "cache.db-wal").unlink(missing_ok=True)
    before = snapshot(store)
    times = {path: path.stat().st_mtime_ns for path in store.rglob("*")}

    assert check(store, deep=True).damage

    assert snapshot(store) == before
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == times


@pytest.mark.parametrize(("table", "column"), columns())
def test_a_change_in_any_column_of_any_table_is_found_and_named(store: Path, table: str, column: str) -> None:
    with connect(store / "events.db") as connection:
        names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall()]
        row = connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()
        value = row[names.index(column)]
        new = value + 1000 if isinstance(value, int) else f"{value}~"
        where = " AND ".join(f"{name} IS ?" for name in names)
        assert connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (new, *row)).rowcount == 1

    found = damage(store)

    assert found
    assert table in {f.where for f in found}
    assert all(f.why and f.cure for f in found)


def test_a_removed_event_leaves_a_gap_with_a_number(store: Path) -> None:
    edit(store, "DELETE FROM events WHERE seq = 4")

    (gap,) = (f for f in damage(store) if f.kind == "gap")

    assert (gap.where, gap.key) == ("events", "seq=4")


def test_a_row_with_a_fitting_checksum_is_held_against_the_log(store: Path) -> None:
    from stretto.state.reader import seal

    with connect(store / "events.db") as connection:
        (row,) = connection.execute("SELECT * FROM workflows WHERE id = ?", (RUNS,)).fetchall()
        planted = (*row[:3], "COMPLETED", *row[4:-1])
        connection.execute("UPDATE workflows SET status = 'COMPLETED', crc = ? WHERE id = ?", (seal(planted), RUNS))

    (found,) = damage(store)

    assert (found.kind, found.where, found.key) == ("fold", "workflows", f"id={RUNS}")
    assert "status is 'COMPLETED' where the log tells 'RUNNING'" in found.why


@pytest.mark.parametrize("table", ["workflows", "attempts", "outcomes"])
def test_a_row_that_is_gone_is_missed(store: Path, table: str) -> None:
    edit(store, f"DELETE FROM {table} WHERE {'id' if table == 'workflows' else 'workflow_id'} = '{DONE}'")

    (found,) = damage(store)

    assert (found.kind, found.where) == ("fold", table)
    assert DONE in found.key


def test_a_damaged_newest_checkpoint_is_found_and_the_one_before_it_named(store: Path) -> None:
    older, newest = carestore.fill(store, "other_001", 2)
    with connect(store / "checkpoints" / "cache.db") as connection:
        changed = connection.execute(
            "UPDATE Cache SET value = CAST(value || x'00' AS BLOB) WHERE instr(key, CAST(? AS BLOB)) > 0"
            " AND substr(key, 1, 1) = x'63'",
            (newest,),
        ).rowcount
    assert changed

    (found,) = damage(store)

    assert (found.kind, found.where) == ("checkpoint", "checkpoints")
    assert newest in found.key
    assert older in found.cure


def test_a_damaged_older_checkpoint_is_found_when_all_are_read(store: Path) -> None:
    ids = carestore.fill(store, "other_001", 4)
    with connect(store / "checkpoints" / "cache.db") as connection:
        connection.execute(
            "UPDATE Cache SET value = x'00' WHERE instr(key, CAST(? AS BLOB)) > 0 AND substr(key, 1, 1) = x'63'",
            (ids[0],),
        )

    assert damage(store) == ()
    assert any(ids[0] in f.key for f in damage(store, deep=True))


@pytest.mark.parametrize("planted", ["mode = 4", "raw = 0", "filename = 'x.val'", "value = 'text'"])
def test_a_planted_row_among_the_checkpoints_is_named_and_not_loaded(store: Path, planted: str) -> None:
    with connect(store / "checkpoints" / "cache.db") as connection:
        connection.execute(f"UPDATE Cache SET {planted} WHERE rowid = 1")

    assert "planted" in {f.kind for f in damage(store)}


def test_what_is_untidy_is_said_and_is_no_damage(store: Path) -> None:
    store.chmod(0o755)
    for place in ("work/gone_001/T1.1", "logs/gone_001", "undo/gone_001", f"work/{DONE}"):
        (store / place).mkdir(parents=True)
    (store / "locks").mkdir()
    (store / "locks" / "drive-gone_001").touch()
    (store / "locks" / f"drive-{DONE}").touch()

    report = check(store, deep=False)

    assert report.damage == ()
    assert {(f.kind, f.where, f.key) for f in report.findings} == {
        ("permission", ".", ""),
        ("leftover", "work", "gone_001"),
        ("leftover", "logs", "gone_001"),
        ("leftover", "undo", "gone_001"),
        ("leftover", "locks", "drive-gone_001"),
        ("leftover", "work", DONE),
    }


def test_a_log_that_is_older_than_the_rest_of_the_store_is_damage(store: Path) -> None:
    (store / "logs" / RUNS).mkdir(parents=True)
    (store / "logs" / RUNS / "plan.T1.2.jsonl").touch()
    assert damage(store) == ()
    (store / "logs" / RUNS / "plan.T1.3.jsonl").touch()

    (found,) = damage(store)

    assert (found.kind, found.key) == ("older", "plan.T1.3.jsonl")


def test_a_log_cut_short_is_damaged_and_what_can_be_read_is_still_counted(store: Path) -> None:
    path = store / "events.db"
    path.write_bytes(path.read_bytes()[: -4096 * 3])

    report = check(store, deep=False)

    assert "page" in {f.kind for f in report.damage}


def test_a_file_that_is_no_log_at_all_is_an_error_and_untouched(store: Path) -> None:
    (store / "events.db").write_bytes(b"nothing of ours " * 1000)

    with pytest.raises(StoreDamaged, match="not touched"):
        check(store, deep=False)

    assert (store / "events.db").read_bytes() == b"nothing of ours " * 1000


def test_a_store_of_a_newer_stretto_is_refused(store: Path) -> None:
    with connect(store / "events.db") as connection:
        connection.execute("PRAGMA user_version = 99")

    with pytest.raises(StoreDamaged, match="newer"):
        check(store, deep=False)


def test_no_store_is_sound_and_stays_none(tmp_path: Path) -> None:
    report = check(tmp_path / "none", deep=True)

    assert (report.findings, report.rows) == ((), {})
    assert [*tmp_path.iterdir()] == []


def test_what_belongs_to_a_workflow_whose_first_event_is_lost_is_not_called_nobodys(store: Path) -> None:
    with connect(store / "events.db") as connection:
        ((first,),) = connection.execute(
            "SELECT seq FROM events WHERE type = 'WORKFLOW_CREATED' AND workflow_id = ?", (RUNS,)
        ).fetchall()
    edit(store, f"DELETE FROM events WHERE workflow_id = '{RUNS}' AND seq > {first} AND type = 'TASK_STARTED'")
    edit(store, f"DELETE FROM events WHERE seq = {first}")
    for place in (f"logs/{RUNS}", f"work/{RUNS}/T1.1", f"undo/{RUNS}"):
        (store / place).mkdir(parents=True)
    (store / "logs" / RUNS / "plan.T1.2.jsonl").touch()
    (store / "locks").mkdir()
    (store / "locks" / f"drive-{RUNS}").touch()

    found = check(store, deep=False).findings

    assert {f.kind for f in found} == {"gap"}


def test_rows_are_not_held_against_what_other_programs_tell(store: Path) -> None:
    with Log.open(store) as log, log.write() as tx:
        tx.event("WORKFLOW_FAILED", RUNS, "plan", {"failure_reason": "says who"}, source="another")
        tx.event("PHASE_STARTED", RUNS, "elsewhere", {}, source="another")

    assert damage(store) == ()


def test_a_workflow_whose_spec_was_changed_with_its_priority_is_sound(store: Path) -> None:
    with Log.open(store) as log, log.write() as tx:
        tx.respecify(RUNS, {"a": 2})
        tx.event("WORKFLOW_STATE_UPDATED", RUNS, "plan", {"priority": "high", "before": "low"})
        tx.event("WORKFLOW_STATE_UPDATED", RUNS, "plan", {"gate_opened": "review"})

    assert damage(store) == ()
