"""A backup is whole, of one moment, and checked; stats are counted."""

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from stretto.state.care_backup import backup
from stretto.state.care_check import check
from stretto.state.care_stats import stats
from stretto.state.errors import BadInput
from stretto.state.log import Log
from stretto.state.ours import is_ours
from tests.snapshot import snapshot
from tests.state.carestore import DONE, RUNS, edit, make, rows


@pytest.fixture
def store(tmp_path: Path) -> Path:
    made = make(tmp_path / "store", checkpoints=3)
    (made / "logs" / RUNS).mkdir(parents=True)
    (made / "logs" / RUNS / "plan.T1.1.jsonl").write_text("{}\n")
    (made / "work" / RUNS / "T1.2").mkdir(parents=True)
    return made


def test_a_backup_is_a_store_with_the_same_rows_and_leaves_no_trace_in_the_first(store: Path, tmp_path: Path) -> None:
    before = snapshot(store)

    done = backup(store, tmp_path / "copies" / "one")

    assert done.report.damage == ()
    assert done.report.checkpoints == 5
    assert rows(done.path) == rows(store)
    assert sorted(p.name for p in done.path.iterdir()) == ["checkpoints", "events.db", "logs", "mark"]
    assert is_ours(str(done.path))
    assert done.path.stat().st_mode & 0o777 == 0o700
    assert snapshot(store) == before
    with Log.open(done.path) as log:
        assert log.verify()


@pytest.mark.parametrize("name", ["one.tar", "one.tar.gz", "one.tgz"])
def test_a_backup_in_an_archive_unpacks_to_a_store(store: Path, tmp_path: Path, name: str) -> None:
    done = backup(store, tmp_path / name)

    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    with tarfile.open(done.path) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    assert check(tmp_path / "unpacked" / "store", deep=True).damage == ()
    assert [p.name for p in tmp_path.iterdir() if "backup" in p.name] == []


def test_a_backup_overwrites_nothing_and_does_not_lie_in_the_store(store: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").touch()
    before = snapshot(tmp_path)

    for target in (tmp_path / "there", tmp_path / "there" / "mine", store / "copy"):
        with pytest.raises(BadInput):
            backup(store, target)
    with pytest.raises(BadInput):
        backup(tmp_path / "none", tmp_path / "new")

    assert snapshot(tmp_path) == before


def test_a_backup_of_a_damaged_store_says_so(store: Path, tmp_path: Path) -> None:
    edit(store, "UPDATE facts SET value = 'x' WHERE workflow_id <> ''")

    assert [f.where for f in backup(store, tmp_path / "one").report.damage] == ["facts"]


@pytest.mark.slow
def test_a_backup_while_others_write_is_of_one_moment(store: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from stretto.state.log import Log; from tests.state import carestore\n"
        "store = Path(sys.argv[1]); log = Log.open(store, durability='process')\n"
        "print('go', flush=True)\n"
        "while True:\n"
        "    for i in range(50):\n"
        "        with log.write() as tx: tx.event('PHASE_PROGRESS', 'runs_001', 'plan', {'i': i})\n"
        "    carestore.fill(store, 'runs_001', 2)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program, str(store)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    with writer:
        try:
            assert writer.stdout
            assert writer.stdout.readline() == b"go\n"
            sizes: list[int] = []
            for number in range(5):
                report = backup(store, tmp_path / f"copy{number}").report
                assert report.findings == ()
                sizes.append(report.rows["events"])
            assert check(store, deep=False).damage == ()
        finally:
            writer.kill()
    assert sizes == sorted(sizes)
    assert sizes[-1] > sizes[0]


def test_stats_are_what_is_there_and_change_nothing(store: Path) -> None:
    before = snapshot(store)

    found = stats(store)

    assert snapshot(store) == before
    assert found["rows"] == {table: len(some) for table, some in rows(store).items()}
    assert (found["workflows"], found["threads"], found["checkpoints"]) == (3, 2, 5)
    assert found["statuses"] == {"COMPLETED": 1, "RUNNING": 2}
    assert found["bytes"] == sum(found["parts"].values())
    assert found["parts"]["events.db"] == (store / "events.db").stat().st_blocks * 512
    by_name = {one["workflow_id"]: one for one in found["largest"]}
    assert by_name[RUNS]["checkpoints"] == 3
    assert by_name[RUNS]["log_bytes"] > 0
    assert by_name[DONE]["events"] == len([e for e in rows(store)["events"] if e[3] == DONE])


def test_stats_of_no_store_are_empty(tmp_path: Path) -> None:
    assert stats(tmp_path / "none")["parts"] == {}
