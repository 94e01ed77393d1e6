"""Work orders in the log: who gets one, and a log of before there were any."""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.state import opening, orders, schema
from stretto.state.errors import BadInput, InvalidTransition, NotFound, OrderTaken, StrettoError
from stretto.state.log import Log
from stretto.state.process import this
from stretto.state.rows import Taker
from stretto.state.wire import Event

W = "shop_001"
T1 = f"{W}/code/T1#1"
FIRST = Path(__file__).parents[1] / "data" / "schemas" / "v1.sql"
WORK = {
    "phase": "code",
    "text": "do",
    "brief": {"role": "implementer"},
    "started": {"role": "implementer"},
    "seconds": 60,
}
FACTS = {"role": "implementer", "title": "One"}


def me(session: str = "s1", agent: str = "a1") -> Taker:
    process = this()
    return Taker(session, agent, process.pid, process.boot, process.started, process.host)


def dead(session: str = "s0") -> Taker:
    """A process that has ended."""
    with subprocess.Popen(["true"]) as process:
        pid = process.pid
    return Taker(session, "a0", pid, this().boot, "1", this().host)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "store", durability="process") as log:
        with log.write() as tx:
            tx.create_workflow(W, kind="implement", description="", spec={}, runner="host")
            tx.set_status(W, "SCHEDULED")
            tx.set_status(W, "RUNNING")
            orders.make(tx, T1, WORK, FACTS)
            tx.set_status(W, "PAUSED")
        yield log


def events(log: Log) -> list[Event]:
    return list(log.events(W))


def state(log: Log, order: str = T1) -> str:
    found = log.order(*orders.parse(order))
    return found.state if found else ""


# Who gets an order

RACER = """
import sys, time
sys.path[:] = sys.argv[1].split(":")
from pathlib import Path
from stretto.state import orders
from stretto.state.errors import OrderTaken
from stretto.state.log import Log
from stretto.state.process import this
from stretto.state.rows import Taker

log = Log.open(Path(sys.argv[2]), durability="process")
print("ready", flush=True)
for line in sys.stdin:
    order, at = line.split()
    time.sleep(max(0, float(at) - time.monotonic()))
    try:
        with log.write() as tx:
            me = this()
            orders.take(tx, order, Taker(sys.argv[3], "", me.pid, me.boot, me.started, me.host))
        print("mine", flush=True)
    except OrderTaken:
        print("taken", flush=True)
"""


@pytest.mark.slow
def test_of_sessions_that_race_for_an_order_exactly_one_gets_it(log: Log, tmp_path: Path) -> None:
    rounds = 200
    names = [f"{W}/code/R{n}#1" for n in range(rounds)]
    with log.write() as tx:
        for name in names:
            orders.make(tx, name, WORK, FACTS)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, ":".join(sys.path), str(tmp_path / "store"), f"s{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(3)
    ]
    said = race(racers, names)

    assert [sorted(answers) for answers in said] == [["mine", "taken", "taken"]] * rounds
    started = Counter(e.data["order"] for e in events(log) if e.type == "TASK_STARTED")
    assert started == dict.fromkeys(names, 1)
    takers = [o.taker.session for o in log.standing_orders(W) if o.taker]
    assert Counter(takers) == Counter(f"s{answers.index('mine')}" for answers in said)
    assert len(set(takers)) > 1  # it was a race


def race(racers: Sequence["subprocess.Popen[str]"], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Every racer goes for every order at the same moment; for each order what each of them was told."""
    assert [racer.stdout.readline() for racer in racers if racer.stdout] == ["ready\n"] * len(racers)
    begin = time.monotonic() + 0.1
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("".join(f"{name} {begin + n / 100}\n" for n, name in enumerate(names)))
        racer.stdin.flush()
    said = [racer.communicate()[0].split() for racer in racers]
    return list(zip(*said, strict=True))


def test_an_order_is_there_for_a_workflow_that_lives_only(log: Log) -> None:
    with log.write() as tx:
        tx.set_status(W, "FAILED")
    with pytest.raises(InvalidTransition), log.write() as tx:
        orders.take(tx, T1, me())

    assert state(log) == "open"


@pytest.mark.parametrize("status", ["COMPLETED", "CANCELLED"])
def test_the_end_of_a_workflow_voids_its_orders_and_those_of_no_other(log: Log, status: str) -> None:
    with log.write() as tx:
        tx.create_workflow("other_001", kind="implement", description="", spec={}, runner="host")
        orders.make(tx, "other_001/code/T1#1", WORK, FACTS)
        tx.set_status(W, "RUNNING")
        tx.set_status(W, status)

    assert (state(log), state(log, "other_001/code/T1#1")) == ("void", "open")
    assert [o.id for o in log.standing_orders()] == ["other_001/code/T1#1"]


def test_who_died_loses_an_order_and_the_next_is_told(log: Log) -> None:
    with log.write() as tx:
        orders.take(tx, T1, dead())
    with pytest.raises(OrderTaken, match="gone"), log.write() as tx:
        orders.take(tx, T1, me())
    with log.write() as tx:
        orders.note(tx, T1, "mind the zero")
        orders.make(tx, T1, WORK, FACTS)

    assert [e.type for e in events(log)][-2:] == ["TASK_STEERED", "TASK_REASSIGNED"]
    with log.write() as tx:
        found = orders.take(tx, T1, me())
        assert orders.unread(found) == ["mind the zero"]
    row = log.attempt(W, "code/T1", 1)
    assert row is not None
    assert (row.starts, row.state) == (2, "started")


def test_a_note_that_was_read_stays_read_after_an_order_is_handed_out_again(log: Log) -> None:
    with log.write() as tx:
        orders.note(tx, T1, "mind the zero")
        orders.take(tx, T1, dead())
        assert orders.read_notes(tx, T1) == ["mind the zero"]
        assert orders.read_notes(tx, T1) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "#",
        "#1",
        "a#1",
        "a/b#",
        "a/b#0",
        "a/b#01",
        "a/b#-1",
        "a/b#1.0",
        "a/b#10000",
        "a/b#\u0661",
        "../b#1",
        "a/../b#1",
        "a/b#1#",
        "a b/c#1",
        "a/b\n#1",
        "/etc#1",
        "a/b#1 ",
    ],
)
def test_what_is_no_order_is_none(wrong: str) -> None:
    assert not orders.is_id(wrong)
    with pytest.raises(BadInput):
        orders.parse(wrong)


@given(st.text())
def test_an_order_that_can_be_read_says_what_it_was_read_from(text: str) -> None:
    if orders.is_id(text):
        workflow, task, attempt = orders.parse(text)
        assert f"{workflow}/{task}#{attempt}" == text


DEEDS = ("make", "take", "take other", "take dead", "report", "close", "note", "void", "read")


@settings(max_examples=60)
@given(st.lists(st.sampled_from(DEEDS), max_size=12))
def test_whatever_is_done_to_an_order_leaves_it_whole(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[str]
) -> None:
    """A deed that is refused changes nothing; what is closed or void stays so until it is made again."""
    gone = dead()
    with Log.open(tmp_path_factory.mktemp("store"), durability="process") as log:
        with log.write() as tx:
            tx.create_workflow(W, kind="implement", description="", spec={}, runner="host")
            tx.set_status(W, "SCHEDULED")
            tx.set_status(W, "RUNNING")
        for deed in deeds:
            before, seq = log.order(*orders.parse(T1)), log.last_seq()
            try:
                with log.write() as tx:
                    do(deed, tx, gone)
            except StrettoError:
                assert (log.order(*orders.parse(T1)), log.last_seq()) == (before, seq)
                continue
            now = log.order(*orders.parse(T1))
            if before and now and deed not in ("make", "take", "take other", "take dead"):
                assert (before.state, now.state) in LEGAL
            assert log.verify() == log.last_seq()


LEGAL = {(a, a) for a in ("open", "taken", "reported", "closed", "void")} | {
    ("taken", "reported"),
    *((standing, over) for standing in orders.STANDING for over in ("closed", "void")),
}


def do(deed: str, tx: Any, gone: Taker, order: str = T1) -> None:
    takers = {"take": me(), "take other": me("s2"), "take dead": gone}
    match deed:
        case "make":
            orders.make(tx, order, WORK, FACTS)
        case "take" | "take other" | "take dead":
            orders.take(tx, order, takers[deed])
        case "report":
            orders.report(tx, order, {"text": "done"})
        case "close":
            orders.close(tx, order)
        case "note":
            orders.note(tx, order, "hello")
        case "void":
            tx.void_orders(W)
        case _:
            orders.read_notes(tx, order)


def test_a_row_that_was_changed_by_hand_is_damage(log: Log, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "store" / "events.db")) as connection, connection:
        connection.execute("UPDATE orders SET state = 'reported'")

    with pytest.raises(StrettoError, match="does not match"):
        log.standing_orders(W)


# A log of before there were any


def first_version(path: Path) -> None:
    """A log as version 1 made it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(FIRST.read_text("utf-8"))
    path.chmod(0o600)
    fill(path)


def fill(path: Path) -> None:
    """Rows as today's writer writes them, taken from a log of today: they have not changed."""
    with Log.open(path.parent / "donor", durability="process") as donor, donor.write() as tx:
        tx.create_workflow(W, kind="implement", description="Old", spec={"a": 1}, runner="command:x")
        tx.set_status(W, "SCHEDULED")
        tx.set_status(W, "RUNNING")
        tx.start_attempt(W, "code/T1", 1, T1, "code", {"role": "implementer"})
        tx.record_outcome(W, "code/T1", 1, {"status": "completed"}, "TASK_COMPLETED", "code", {})
        tx.put_fact(W, "base:x", "abc")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ATTACH ? AS donor", (str(path.parent / "donor" / "events.db"),))
        for table in ("events", "workflows", "attempts", "outcomes", "facts", "leases", "requests"):
            connection.execute(f"INSERT INTO main.{table} SELECT * FROM donor.{table}")


def tables(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        names = [n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {n: connection.execute(f"SELECT * FROM {n}").fetchall() for n in names}


def version(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


@pytest.fixture
def old(tmp_path: Path) -> Path:
    folder = tmp_path / "old"
    folder.mkdir()
    first_version(folder / "events.db")
    return folder


def test_a_log_of_before_is_read_as_it_is(old: Path) -> None:
    content = (old / "events.db").read_bytes()
    log = Log.find(old)
    assert log is not None
    with log:
        assert log.workflow(W) is not None
        assert log.standing_orders() == []
        assert log.order(W, "code/T1", 1) is None
        assert len(list(log.events())) == log.verify()

    assert (version(old / "events.db"), (old / "events.db").read_bytes()) == (1, content)


def test_the_next_writer_brings_a_log_of_before_up_without_loss(old: Path) -> None:
    before = tables(old / "events.db")
    with Log.open(old, durability="process") as log:
        after = tables(old / "events.db")
        assert (version(old / "events.db"), after) == (schema.VERSION, {**{key: [] for key in after}, **before})
        with log.write() as tx:
            orders.make(tx, T1, WORK, FACTS)
            orders.note(tx, T1, "hello")
        assert [o.id for o in log.standing_orders()] == [T1]
        assert log.verify() == log.last_seq()
    with Log.open(old, durability="process") as log:
        assert len(log.standing_orders()) == 1


def test_a_log_that_was_brought_up_has_the_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    for folder in (old, tmp_path / "new"):
        Log.open(folder, durability="process").close()

    def made(folder: Path) -> set[str]:
        with closing(sqlite3.connect(folder / "events.db")) as connection:
            found = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        return {" ".join(sql.split()) for (sql,) in found}

    assert made(old) == made(tmp_path / "new")


MIGRATING = """
import os, signal, sys
sys.path[:] = sys.argv[1].split(":")
from pathlib import Path
from stretto.state import opening, schema
from stretto.state.log import Log

statements = [*schema.MIGRATIONS[1]]
statements[int(sys.argv[3]):int(sys.argv[3])] = ["SELECT die()"]
schema.MIGRATIONS[1] = tuple(statements)
connect = opening._connect
def connected(*args):
    connection = connect(*args)
    connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
    return connection
opening._connect = connected
Log.open(Path(sys.argv[2]), durability="power")
"""


@pytest.mark.parametrize("step", range(len(schema.MIGRATIONS[1]) + 1))
def test_a_crash_in_the_middle_leaves_the_version_of_before_whole(old: Path, step: int) -> None:
    before = tables(old / "events.db")

    killed = subprocess.run(
        [sys.executable, "-c", MIGRATING, ":".join(sys.path), str(old), str(step)], check=False, capture_output=True
    )

    assert killed.returncode == -9, killed.stderr
    log = Log.find(old)
    assert log is not None
    with log:
        assert log.standing_orders() == []
        assert log.verify() == log.last_seq()
    assert version(old / "events.db") == 1
    with Log.open(old, durability="process"):
        after = tables(old / "events.db")
    assert (version(old / "events.db"), after) == (schema.VERSION, {**{key: [] for key in after}, **before})


@pytest.mark.parametrize("wrong", [0, schema.VERSION + 1, 99])
def test_a_log_of_a_version_that_is_not_known_is_not_touched(old: Path, wrong: int) -> None:
    with closing(sqlite3.connect(old / "events.db")) as connection:
        connection.execute(f"PRAGMA user_version = {wrong}")
    content = (old / "events.db").read_bytes()

    for door in (lambda: opening.writer(str(old / "events.db"), durability="power"), lambda: Log.find(old)):
        with pytest.raises(StrettoError) as caught:
            door()
        assert caught.value.exit_code == 4
    assert (old / "events.db").read_bytes() == content


def test_many_writers_may_bring_a_log_up_at_once(old: Path) -> None:
    script = (
        "import sys; sys.path[:] = sys.argv[1].split(':'); from pathlib import Path; from stretto.state.log import Log;"
        " Log.open(Path(sys.argv[2]), durability='process').close()"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, ":".join(sys.path), str(old)], stderr=subprocess.PIPE)
        for _ in range(4)
    ]

    assert [w.communicate()[1] for w in writers] == [b""] * 4
    assert [w.returncode for w in writers] == [0] * 4
    assert version(old / "events.db") == schema.VERSION


@pytest.mark.parametrize("deed", [d for d in DEEDS if d not in ("make", "close", "void", "read")])
def test_an_order_that_is_not_there_is_not_found(log: Log, deed: str) -> None:
    with pytest.raises(NotFound), log.write() as tx:
        do(deed, tx, dead(), f"{W}/code/T9#1")

    assert state(log) == "open"


def test_the_status_command_reads_a_log_of_before(old: Path) -> None:
    content = (old / "events.db").read_bytes()
    told = subprocess.run(
        [sys.executable, "-m", "stretto.commands", "workflow-status", W, "--json", "--store", str(old)],
        env={**os.environ, "HOME": str(old)},
        check=False,
        capture_output=True,
        text=True,
    )

    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["result"]["status"] == "RUNNING"
    assert (old / "events.db").read_bytes() == content
