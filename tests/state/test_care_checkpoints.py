"""The checkpoints of a store, damaged or of another format: what a check says, and what a repair keeps."""

from pathlib import Path
from typing import Any

import pytest

from stretto.state.blobs import FORMAT
from stretto.state.care_check import check
from stretto.state.care_migrate import migrate
from stretto.state.care_repair import repair
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import StoreDamaged
from tests.snapshot import snapshot
from tests.state.carestore import connect, copied, fill, make

FORMATS = Path(__file__).parents[1] / "data" / "checkpoints"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make(tmp_path / "store", checkpoints=3)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store whose checkpoints, of the threads `done` and `waiting`, are of format 1."""
    made = make(tmp_path / "store")
    (made / "checkpoints").mkdir(mode=0o700)
    with connect(made / "checkpoints" / "cache.db") as connection:
        connection.executescript((FORMATS / "1.sql").read_text("utf-8"))
    return made


def sql(store: Path, statement: str, *values: object) -> list[Any]:
    with connect(store / "checkpoints" / "cache.db") as connection:
        return connection.execute(statement, values).fetchall()


def held(store: Path) -> dict[str, int]:
    """How many checkpoints each thread has, all of them verified."""
    with DiskCacheSaver(store / "checkpoints", durability="process") as saver:
        return {thread: saver.verify(thread) for thread in saver.threads()}


def content(store: Path) -> list[Any]:
    return sql(store, "SELECT key, value FROM Cache ORDER BY key")


def test_checkpoints_of_an_older_format_are_sound_and_stay_as_they_are_until_they_are_brought_up(old: Path) -> None:
    before = snapshot(old)

    report = check(old, deep=True)

    assert (report.findings, report.checkpoints) == ((), 5)
    assert repair(old, dry_run=False).actions == ()
    assert snapshot(old) == before
    assert migrate(old).formats == (1, FORMAT)
    assert held(old) == {"done": 3, "waiting": 2}
    assert migrate(old).formats == (FORMAT, FORMAT)


def test_of_an_older_format_a_thread_with_damage_is_left_out_and_the_others_are_brought_up(old: Path) -> None:
    sql(old, "UPDATE Cache SET value = x'0100' WHERE rowid = (SELECT min(rowid) FROM Cache WHERE key > x'77646F6E65')")

    (found,) = check(old, deep=False).damage
    done = repair(old, dry_run=False)

    assert (found.kind, found.where, found.key) == ("thread", "checkpoints", "done")
    assert any(line.startswith("done has no checkpoint left, and begins anew") for line in done.actions)
    assert held(old) == {"waiting": 2}
    assert sql(old, "PRAGMA user_version") == [(FORMAT,)]
    assert check(old, deep=True).damage == ()


def test_of_an_older_format_with_a_planted_row_all_threads_are_brought_up(old: Path) -> None:
    sql(old, "INSERT INTO Cache (key, raw, mode, value) VALUES ('evil', 0, 4, x'80049500')")

    (found,) = check(old, deep=True).damage
    repair(old, dry_run=False)

    assert found.kind == "planted"
    assert held(old) == {"done": 3, "waiting": 2}
    assert check(old, deep=True).damage == ()


@pytest.mark.parametrize("number", range(FORMAT))
def test_a_wrong_number_of_the_format_costs_no_checkpoint(store: Path, number: int) -> None:
    before = content(store)
    sql(store, f"PRAGMA user_version = {number}")

    (found,) = check(store, deep=False).damage
    repair(store, dry_run=False)

    assert found.key == "user_version"
    assert content(store) == before
    assert check(store, deep=True).damage == ()


def test_checkpoints_of_a_newer_stretto_are_neither_judged_nor_touched(store: Path) -> None:
    sql(store, f"PRAGMA user_version = {FORMAT + 1}")
    before = snapshot(store)

    for deed in (lambda: check(store, deep=True), lambda: repair(store, dry_run=False)):
        with pytest.raises(StoreDamaged, match="newer Stretto") as refused:
            deed()
        assert "Upgrade Stretto" in refused.value.next_steps[0]

    assert snapshot(store) == before


def test_a_planted_trigger_is_not_run_and_costs_no_checkpoint(store: Path) -> None:
    before = content(store)
    sql(store, "CREATE TRIGGER planted AFTER INSERT ON Cache BEGIN DELETE FROM Cache; END")

    assert [f.kind for f in check(store, deep=False).damage] == ["page"]
    repair(store, dry_run=False)

    assert content(store) == before
    assert sql(store, "SELECT count(*) FROM sqlite_master WHERE name = 'planted'") == [(0,)]
    assert check(store, deep=True).damage == ()


@pytest.mark.parametrize("key", [b"z is no kind", b"c\xff\0\0\0", b"cone part\0"])
def test_a_row_under_a_key_that_is_none_of_ours_is_named_and_left_out(store: Path, key: bytes) -> None:
    before = content(store)
    sql(store, "INSERT INTO Cache (key, raw, mode, value) VALUES (?, 1, 1, x'00')", key)

    assert [f.kind for f in check(store, deep=False).damage] == ["planted"]
    repair(store, dry_run=False)

    assert content(store) == before


def test_a_newest_checkpoint_that_is_whole_stays_though_the_one_before_it_is_damaged(store: Path) -> None:
    ids = fill(store, "other_001", 3)
    sql(
        store,
        "UPDATE Cache SET value = CAST(value || x'00' AS BLOB) WHERE instr(key, CAST(? AS BLOB)) > 0"
        " AND substr(key, 1, 1) = x'63'",
        ids[1],
    )

    told = {f.key: f.cure for f in check(store, deep=True).damage}
    done = repair(store, dry_run=False)

    assert "keeps it" in told[f"other_001 {ids[2]}"]
    assert "leaves this one out" in told[f"other_001 {ids[1]}"]
    assert f"other_001 goes on from checkpoint {ids[2]}" in done.actions
    assert held(store)["other_001"] == 2
    assert check(store, deep=True).damage == ()


def test_any_damaged_page_costs_what_lies_on_it_and_changes_nothing_else(store: Path, tmp_path: Path) -> None:
    fill(store, "other_001", 12)
    with connect(store / "checkpoints" / "cache.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    before, whole = dict(content(store)), sum(held(store).values())
    data = (store / "checkpoints" / "cache.db").read_bytes()
    left: list[int] = []
    for page in range(1, len(data) // 4096):
        other = copied(store, tmp_path / str(page))
        spoilt = bytearray(data)
        spoilt[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
        (other / "checkpoints" / "cache.db").write_bytes(spoilt)
        assert check(other, deep=True).damage

        repair(other, dry_run=False)

        assert check(other, deep=True).damage == ()
        left.append(sum(held(other).values()))
        assert all(before[key] == value for key, value in content(other) if not key.startswith(b"x"))
    assert whole in left  # a page of an index alone
    assert sorted(left)[len(left) // 2] >= whole // 2
