"""A repair puts right what can be, says every change, keeps what it replaces, and is safe to kill and to repeat."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stretto.state.care_check import check
from stretto.state.care_finding import Finding
from stretto.state.care_repair import repair
from stretto.state.chain import link
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import StoreDamaged, StrettoError, WorkflowDriven
from stretto.state.lease import acquire
from stretto.state.log import Log
from stretto.state.ours import is_ours
from stretto.state.reader import seal
from tests.snapshot import snapshot
from tests.state import carestore
from tests.state.carestore import DONE, RUNS, WAITS, columns, connect, copied, edit, flips, make, rows

QUICK = {"seq", "data", "prev", "crc", "spec", "status", "state"}
"""Columns whose damage is tried in the quick set, too."""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("pristine") / "store")


@pytest.fixture
def store(tmp_path: Path, pristine: Path) -> Path:
    return copied(pristine, tmp_path / "store")


def sound(store: Path) -> bool:
    return not check(store, deep=True).damage


def without_repair(found: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """All rows but the event that tells of the repair, and the count of commits, in which it is one more."""
    events = [row for row in found["events"] if row[3] != "system"]
    return {**found, "events": events, "facts": [row for row in found["facts"] if row[:2] != ("", "commits")]}


def maintenance(store: Path) -> dict[str, Any]:
    with Log.open(store) as log:
        assert log.verify()
        (event,) = (e for e in log.events("system") if e.data["operation_type"] == "store_repair")
    return event.data


def test_a_sound_store_is_left_as_it_is(store: Path) -> None:
    before = snapshot(store)

    assert repair(store, dry_run=False).actions == ()

    assert snapshot(store) == before


@pytest.mark.parametrize(
    ("table", "column"),
    [pytest.param(t, c, marks=[] if c in QUICK else [pytest.mark.slow]) for t, c in columns()],
)
def test_a_flipped_bit_in_any_column_of_any_table_is_put_right(
    tmp_path: Path, pristine: Path, table: str, column: str
) -> None:
    before = rows(pristine)
    with connect(pristine / "events.db") as connection:
        found = connection.execute(f"SELECT * FROM {table}").fetchall()
        names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall()]
    row = found[len(found) // 2]
    place = names.index(column)
    for number, flipped in enumerate(flips(row[place])):
        store = tmp_path / str(number)
        copied(pristine, store)
        value = f"CAST(x'{flipped.hex()}' AS TEXT)" if isinstance(flipped, bytes) else str(flipped)
        with connect(store / "events.db") as connection:
            where = " AND ".join(f"{name} IS ?" for name in names)
            change = f"UPDATE OR IGNORE {table} SET {column} = {value} WHERE {where}"
            if not connection.execute(change, row).rowcount:
                continue  # another row has that key

        done = repair(store, dry_run=False)

        assert done.actions
        assert without_repair(rows(store)) == without_repair(before), done.actions
        assert sound(store)
        assert maintenance(store)["actions"] == list(done.actions)


def test_swapped_events_are_put_back_in_order(store: Path) -> None:
    before = rows(store)
    edit(
        store,
        "UPDATE events SET seq = 1000 WHERE seq = 4",
        "UPDATE events SET seq = 4 WHERE seq = 5",
        "UPDATE events SET seq = 5 WHERE seq = 1000",
    )
    assert not sound(store)

    repair(store, dry_run=False)

    assert without_repair(rows(store)) == without_repair(before)


def test_a_lost_event_leaves_a_note_and_the_status_is_told_again(store: Path) -> None:
    with connect(store / "events.db") as connection:
        ((last,),) = connection.execute("SELECT seq FROM events WHERE type = 'WORKFLOW_COMPLETED'").fetchall()
    edit(store, f"DELETE FROM events WHERE seq = {last}")

    done = repair(store, dry_run=False)

    assert any(line.startswith(f"event {last} is lost") for line in done.actions)
    assert sound(store)
    with Log.open(store) as log:
        row = log.workflow(DONE)
        assert row
        assert row.status == "COMPLETED"
        note = next(e for e in log.events() if e.seq == last)
        assert (note.type, note.data["operation_type"]) == ("SYSTEM_MAINTENANCE", "event_lost")
        assert DONE in note.data["may_concern"]
        told = [e for e in log.events(DONE) if e.type == "WORKFLOW_STATE_UPDATED"]
        assert [e.data["to"] for e in told] == ["COMPLETED"]
        assert log.outcomes(DONE)["plan/T1"].outcome["status"] == "completed"
    assert repair(store, dry_run=False).actions == ()


def test_an_event_in_the_middle_is_lost_alone(store: Path) -> None:
    with connect(store / "events.db") as connection:
        ((lost,),) = connection.execute(
            "SELECT seq FROM events WHERE workflow_id = ? AND type = 'PHASE_STARTED'", (RUNS,)
        ).fetchall()
    before = [e for e in carestore.rows(store)["events"] if e[0] != lost]
    edit(store, f"UPDATE events SET data = 'gone altogether' WHERE seq = {lost}")

    repair(store, dry_run=False)

    assert sound(store)
    with Log.open(store) as log:
        (note,) = (e for e in log.events(RUNS) if e.seq == lost)
        assert note.data["may_concern"] == [RUNS]
        now = {e.seq: (e.event_id, e.type, e.workflow_id) for e in log.events()}
    assert all(now[e[0]] == (e[1], e[2], e[3]) for e in before)


def test_an_event_changed_with_checksum_and_hash_is_noted_and_the_chain_linked_anew(store: Path) -> None:
    with connect(store / "events.db") as connection:
        (row,) = connection.execute("SELECT * FROM events WHERE seq = 3").fetchall()
        values = (*row[:8], '{"forged":true}', row[9])
        forged = (*values, row[10], link(row[10], values))
        connection.execute("DELETE FROM events WHERE seq = 3")
        connection.execute(f"INSERT INTO events VALUES ({', '.join('?' * 13)})", (*forged, seal(forged)))
    assert {f.kind for f in check(store, deep=False).damage} == {"chain"}

    done = repair(store, dry_run=False)

    assert any("linked anew" in line for line in done.actions)
    assert sound(store)


@pytest.mark.parametrize("column", ["status", "phase", "state_version", "description", "updated"])
def test_what_the_log_tells_of_a_workflow_is_taken_from_it_however_it_was_damaged(store: Path, column: str) -> None:
    before = rows(store)
    edit(store, f"UPDATE workflows SET {column} = 'something else entirely' WHERE id = '{RUNS}'")

    repair(store, dry_run=False)

    assert without_repair(rows(store)) == without_repair(before)


def test_a_forged_status_is_set_to_what_the_log_tells(store: Path) -> None:
    before = rows(store)
    with connect(store / "events.db") as connection:
        (row,) = connection.execute("SELECT * FROM workflows WHERE id = ?", (RUNS,)).fetchall()
        forged = (*row[:3], "COMPLETED", *row[4:-1])
        connection.execute("UPDATE workflows SET status = 'COMPLETED', crc = ? WHERE id = ?", (seal(forged), RUNS))

    repair(store, dry_run=False)

    assert without_repair(rows(store)) == without_repair(before)


def test_an_outcome_is_taken_from_its_attempt_and_an_attempt_from_its_outcome(store: Path) -> None:
    before = rows(store)
    edit(store, "UPDATE outcomes SET outcome = 'something else entirely'")
    repair(store, dry_run=False)
    assert without_repair(rows(store)) == without_repair(before)

    edit(store, f"UPDATE attempts SET outcome = 'something else entirely' WHERE workflow_id = '{DONE}'")
    repair(store, dry_run=False)
    assert without_repair(rows(store)) == without_repair(before)


def test_a_workflow_whose_spec_is_lost_is_ended_and_keeps_its_history(store: Path) -> None:
    edit(store, f"UPDATE workflows SET spec = 'something else entirely' WHERE id = '{RUNS}'")

    done = repair(store, dry_run=False)

    assert any(f"{RUNS} was ended: its spec is lost" in line for line in done.actions)
    with Log.open(store) as log:
        row = log.workflow(RUNS)
        assert row
        assert (row.status, row.description, row.runner) == ("CANCELLED", f"Add {RUNS}", "command:r")
        assert [a.attempt for a in log.attempts(RUNS)] == [1, 2]
    assert sound(store)


@pytest.mark.parametrize("table", ["facts", "leases", "requests", "orders", "subscriptions", "dead_letters"])
def test_what_nothing_can_restore_is_taken_away_and_said_so(store: Path, table: str) -> None:
    with connect(store / "events.db") as connection:
        last = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall()][-2]
    edit(store, f"UPDATE {table} SET {last} = 'something else entirely'")

    done = repair(store, dry_run=False)

    assert any(line.startswith(table) and "taken away" in line for line in done.actions)
    assert sound(store)
    assert without_repair(rows(store))[table] == []


def test_what_is_replaced_is_kept_byte_for_byte(store: Path) -> None:
    edit(store, "UPDATE facts SET value = 'x'")
    damaged = (store / "events.db").read_bytes()

    done = repair(store, dry_run=False)

    (kept,) = maintenance(store)["quarantine"]
    assert (store / kept / "events.db").read_bytes() == damaged
    assert done.quarantine == store / "quarantine"


def test_a_repair_enters_no_store_in_the_books_of_the_user(store: Path) -> None:
    books = Path(os.environ["XDG_STATE_HOME"], "stretto", "stores")
    known = sorted(books.iterdir())
    edit(store, "UPDATE facts SET value = 'x'")

    repair(store, dry_run=False)

    assert sorted(books.iterdir()) == known
    assert is_ours(str(store))


def test_a_dry_run_says_the_same_and_changes_nothing(store: Path) -> None:
    carestore.fill(store, RUNS, 3)
    edit(store, "UPDATE facts SET value = 'x'", "DELETE FROM events WHERE seq = 3")
    store.chmod(0o755)
    before = snapshot(store)

    would = repair(store, dry_run=True)

    assert snapshot(store) == before
    assert repair(store, dry_run=False).actions == would.actions


def pages(path: Path) -> Iterator[int]:
    return iter(range(4096, path.stat().st_size, 4096))


def test_any_damaged_page_of_the_log_costs_what_lies_on_it_and_nothing_else(tmp_path: Path, pristine: Path) -> None:
    before = rows(pristine)
    tried = 0
    refused: list[tuple[str, bool]] = []
    for number, page in enumerate(pages(pristine / "events.db")):
        store = tmp_path / f"s{number}"
        copied(pristine, store)
        data = bytearray((store / "events.db").read_bytes())
        data[page : page + 4096] = b"\xa5" * 4096
        (store / "events.db").write_bytes(data)
        try:
            if sound(store):
                continue  # a page of which nothing is used
            repair(store, dry_run=False)
        except StrettoError as error:
            refused.append((error.message, (store / "events.db").read_bytes() == bytes(data)))
            continue

        tried += 1
        assert sound(store), page
        now = rows(store)
        with Log.open(store) as log:
            log.verify()
        lost = {table: set(some) - set(now[table]) for table, some in without_repair(before).items()}
        assert sum(bool(some) for some in lost.values()) <= 2, lost
    assert tried >= 8
    assert len(refused) <= 3  # the table of tables: without it nothing can be told apart
    assert all("not touched" in message and same for message, same in refused)


def test_random_damage_is_always_found_or_harmless_and_never_silent(tmp_path: Path, pristine: Path) -> None:
    before = rows(pristine)
    chance = random.Random(4)
    refused: list[str] = []
    for number in range(60):
        store = tmp_path / f"s{number}"
        copied(pristine, store)
        data = bytearray((store / "events.db").read_bytes())
        place = chance.randrange(100, len(data))
        data[place] ^= 1 << chance.randrange(8)
        (store / "events.db").write_bytes(data)
        try:
            found = check(store, deep=False).damage
        except StrettoError:
            continue
        if not found:
            assert rows(store) == before
            continue
        try:
            done = repair(store, dry_run=False)
        except StrettoError as error:
            refused.append(error.message)
            continue
        assert done.actions
        assert sound(store)
    assert all("not touched" in message for message in refused)
    assert len(refused) < 10


def test_a_repair_refuses_while_a_driver_lives(store: Path) -> None:
    with Log.open(store) as log:
        acquire(log, RUNS)
    edit(store, "UPDATE facts SET value = 'x'")
    before = (store / "events.db").read_bytes()

    with pytest.raises(WorkflowDriven, match=RUNS):
        repair(store, dry_run=False)

    assert (store / "events.db").read_bytes() == before
    assert not (store / "quarantine").exists()


def test_a_repair_refuses_while_somebody_else_has_the_log_open(store: Path) -> None:
    edit(store, "UPDATE facts SET value = 'x'")
    reader = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM facts').fetchall();"
            "print('open', flush=True); sys.stdin.read()",
            str(store / "events.db"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with reader:
        assert reader.stdout
        assert reader.stdout.readline() == "open\n"

        with pytest.raises(StrettoError, match="it would go on with the old file"):
            repair(store, dry_run=False)

        assert reader.stdin
        reader.stdin.close()
    assert repair(store, dry_run=False).actions
    assert sound(store)


def test_writes_in_the_wal_of_a_dead_writer_are_kept(tmp_path: Path) -> None:
    store = tmp_path / "store"
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys; from pathlib import Path; from tests.state import carestore;"
            "from stretto.state.log import Log\n"
            "store = carestore.make(Path(sys.argv[1]))\n"
            "log = Log.open(store)\n"
            "with log.write() as tx: tx.put_fact('done_001', 'late', 'but stored')\n"
            "os.kill(os.getpid(), 9)",
            str(store),
        ],
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (store / "events.db-wal").stat().st_size
    assert [f.kind for f in check(store, deep=False).findings] == ["wal"]
    (store / "events.db").chmod(0o644)

    repair(store, dry_run=False)

    with Log.open(store) as log:
        assert log.fact("done_001", "late") == "but stored"
    assert sound(store)


def broken(store: Path, checkpoint: str) -> None:
    with connect(store / "checkpoints" / "cache.db") as connection:
        assert connection.execute(
            "UPDATE Cache SET value = CAST(x'00' || value AS BLOB) WHERE instr(key, CAST(? AS BLOB)) > 0"
            " AND substr(key, 1, 1) = x'63'",
            (checkpoint,),
        ).rowcount


def values(store: Path, thread: str) -> list[Any]:
    with DiskCacheSaver(store / "checkpoints", durability="process") as saver:
        found = saver.list({"configurable": {"thread_id": thread, "checkpoint_ns": ""}})
        return [each.checkpoint["channel_values"]["n"] for each in found]


def test_a_thread_falls_back_to_its_newest_whole_checkpoint(store: Path) -> None:
    ids = carestore.fill(store, RUNS, 5)
    carestore.fill(store, DONE, 2)
    broken(store, ids[4])

    done = repair(store, dry_run=False)

    assert f"{RUNS} goes on from checkpoint {ids[3]}" in done.actions
    assert any(line.startswith(f"checkpoint {ids[4]} of {RUNS} was left out") for line in done.actions)
    assert sound(store)
    assert values(store, RUNS) == [3, 2, 1, 0]
    assert values(store, DONE) == [1, 0]
    with DiskCacheSaver(store / "checkpoints") as saver:
        newest = saver.get_tuple({"configurable": {"thread_id": RUNS, "checkpoint_ns": ""}})
    assert newest
    assert newest.pending_writes == [("task-3", "n", 4)]
    assert newest.metadata.get("step") == 3
    assert repair(store, dry_run=False).actions == ()


def test_a_damaged_checkpoint_in_the_middle_takes_none_of_the_newer_ones_with_it(store: Path) -> None:
    ids = carestore.fill(store, RUNS, 5)
    broken(store, ids[1])

    repair(store, dry_run=False)

    assert sound(store)
    assert values(store, RUNS)[0] == 4
    assert 1 not in values(store, RUNS)


def test_planted_rows_are_left_out_and_kept_in_quarantine(store: Path) -> None:
    carestore.fill(store, RUNS, 3)
    with connect(store / "checkpoints" / "cache.db") as connection:
        connection.execute(
            "INSERT INTO Cache (key, raw, store_time, mode, value) VALUES ('evil', 0, 0, 4, x'80049500')"
        )

    done = repair(store, dry_run=False)

    assert any("was left out: it is no row such as the saver writes" in line for line in done.actions)
    assert sound(store)
    assert values(store, RUNS) == [2, 1, 0]
    assert len(maintenance(store)["quarantine"]) == 2


def test_checkpoints_of_which_nothing_can_be_read_are_set_aside(store: Path) -> None:
    carestore.fill(store, RUNS, 3)
    (store / "checkpoints" / "cache.db").write_bytes(b"nothing of ours " * 4096)

    done = repair(store, dry_run=False)

    assert any(line.startswith("all checkpoints were set aside") for line in done.actions)
    assert sound(store)
    assert values(store, RUNS) == []


def test_leftovers_are_moved_and_modes_set(store: Path) -> None:
    store.chmod(0o755)
    for place in ("work/gone_001/T1.1", "logs/gone_001"):
        (store / place).mkdir(parents=True)
        (store / place / "kept.txt").write_text("kept")

    done = repair(store, dry_run=False)

    assert len(done.actions) == 3
    assert store.stat().st_mode & 0o777 == 0o700
    assert (store / "quarantine/work/gone_001/T1.1/kept.txt").read_text() == "kept"
    assert check(store, deep=False).findings == ()
    assert maintenance(store)["actions"] == list(done.actions)


@pytest.mark.slow
def test_a_repair_that_is_killed_at_any_moment_is_finished_by_the_next(tmp_path: Path) -> None:
    pristine = make(tmp_path / "pristine", checkpoints=4)
    ids = carestore.fill(pristine, WAITS, 3)
    broken(pristine, ids[2])
    edit(pristine, "UPDATE facts SET value = 'x'", "DELETE FROM events WHERE seq = 4")
    (pristine / "logs" / "gone_001").mkdir(parents=True)
    whole = copied(pristine, tmp_path / "whole")
    repair(whole, dry_run=False)
    wanted = {**without_repair(rows(whole)), "events": []}

    killed = 0
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(copied(pristine, tmp_path / "warm"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as killer:
        assert killer.stdin
        assert killer.stdout
        for number in range(1, 2_000, 5):
            store = copied(pristine, tmp_path / f"killed{number}")
            print(store, number, file=killer.stdin, flush=True)
            ended = killer.stdout.readline()
            repair(store, dry_run=False)
            assert sound(store), number
            assert {**without_repair(rows(store)), "events": []} == wanted, number
            assert values(store, WAITS) == [1, 0]
            assert not (store / "repair.part").exists()
            with Log.open(store) as log:
                told = [e.data for e in log.events("system") if e.data["operation_type"] == "store_repair"]
            assert any("event 4 is lost" in line for data in told for line in data["actions"])
            shutil.rmtree(store)
            if ended != f"{-signal.SIGKILL}\n":
                assert ended == "0\n"
                break
            killed += 1
        killer.stdin.close()
    assert killed >= 15


_KILLED = """
import os, signal, sys
from pathlib import Path
from stretto.state.care_repair import repair
repair(Path(sys.argv[1]), dry_run=False)  # once, so that no later one is killed in the middle of an import
for line in sys.stdin:
    store, number = line.split()
    pid = os.fork()
    if not pid:
        left = int(number)
        def count(event, args):
            global left
            if event in ("open", "sqlite3.connect") or (event.startswith(("os.", "shutil.")) and event != "os.kill"):
                left -= 1
                if left <= 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count)
        repair(Path(store), dry_run=False)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def test_what_was_done_is_json_in_the_event(store: Path) -> None:
    edit(store, "UPDATE facts SET value = CAST(x'ff00' AS TEXT)")

    repair(store, dry_run=False)

    assert json.loads(json.dumps(maintenance(store)))["operation_type"] == "store_repair"


def older_copy(store: Path, name: str) -> None:
    """Put a copy from before some commits back."""
    path = store / name
    data = path.read_bytes()
    with Log.open(store) as log, log.write() as tx:
        tx.put_fact(RUNS, "late", "lost")
    carestore.fill(store, "late_001", 2)
    path.write_bytes(data)


def told(store: Path) -> list[Finding]:
    return [f for f in check(store, deep=False).damage if f.kind == "lost"]


@pytest.mark.parametrize("name", ["events.db", "checkpoints/cache.db"])
def test_an_older_copy_is_said_to_be_one_and_goes_on_with_what_it_holds(store: Path, name: str) -> None:
    carestore.fill(store, RUNS, 3)
    older_copy(store, name)
    assert told(store)[0].where == name
    before = without_repair(rows(store))

    done = repair(store, dry_run=False)

    assert any(line.startswith(f"{name}: what is there was kept, and it has lost") for line in done.actions)
    assert sound(store)
    assert without_repair(rows(store)) == before
    assert values(store, RUNS) == [2, 1, 0]
    assert repair(store, dry_run=False).actions == ()
    with Log.open(store) as log, log.write() as tx:
        tx.put_fact(RUNS, "late", "again")
    assert sound(store)


def test_checkpoints_that_are_gone_are_missed_and_a_repair_begins_anew(store: Path) -> None:
    carestore.fill(store, RUNS, 3)
    (store / "checkpoints" / "cache.db").unlink()
    assert [f.where for f in told(store)] == ["checkpoints/cache.db"]

    done = repair(store, dry_run=False)

    assert any("checkpoints are gone" in line for line in done.actions)
    assert sound(store)
    assert values(store, RUNS) == []


def test_a_log_that_is_gone_is_missed_and_not_made_anew(store: Path) -> None:
    (store / "events.db").unlink()

    assert [f.where for f in told(store)] == ["events.db"]
    with pytest.raises(StoreDamaged, match="has lost"):
        repair(store, dry_run=False)

    assert not (store / "events.db").exists()


def test_the_count_of_commits_is_told_by_the_tide_mark_where_it_is_damaged(store: Path) -> None:
    before = without_repair(rows(store))
    edit(store, "UPDATE facts SET value = 'something else' WHERE workflow_id = ''")
    (found,) = check(store, deep=False).damage
    assert "the tide mark tells it" in found.cure

    repair(store, dry_run=False)

    assert sound(store)
    assert without_repair(rows(store)) == before
