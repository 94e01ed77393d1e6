import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from stretto.state.errors import BadInput, StateConflict
from stretto.state.filter import Filter
from stretto.state.log import Log
from stretto.state.schema import VERSION
from stretto.state.subscription import Pace, Subscription
from stretto.state.wire import Event

AT_ONCE = Pace(20, 0)
QUICKLY = (0.01, 0.02)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "store", durability="process") as opened:
        yield opened


def publish(log: Log, *kinds: str, workflow: str = "shop_001") -> None:
    with log.write() as tx:
        for kind in kinds:
            tx.event(kind, workflow, "plan", {})


def subscribe(log: Log, wanted: Filter | None = None, *, after: int | None = 0, name: str = "mailer") -> Subscription:
    return Subscription.open(log.directory, name, wanted, after=after, pace=AT_ONCE, delays=QUICKLY)


def seqs(batches: Sequence[Sequence[Event]]) -> list[int]:
    return [event.seq for batch in batches for event in batch]


def test_a_subscriber_gets_what_it_wants_in_order_and_goes_on_from_there_when_it_comes_back(log: Log) -> None:
    got: list[Sequence[Event]] = []
    publish(log, "PHASE_STARTED", "TASK_FAILED", "PHASE_FAILED")
    with subscribe(log, Filter(patterns=("*.failed",))) as sub:
        assert sub.catch_up(got.append) == 2
        publish(log, "TASK_FAILED")
    with subscribe(log) as sub:
        publish(log, "TASK_STARTED", "TASK_FAILED")
        assert sub.catch_up(got.append) == 2
        assert sub.catch_up(got.append) == 0

    assert seqs(got) == [2, 3, 4, 6]
    (row,) = log.subscriptions()
    assert (row.name, row.wanted, row.cursor) == ("mailer", Filter(patterns=("*.failed",)), 6)


def test_a_new_subscriber_gets_what_comes_unless_it_asks_for_the_past(log: Log) -> None:
    new: list[Sequence[Event]] = []
    old: list[Sequence[Event]] = []
    publish(log, "PHASE_STARTED", "PHASE_COMPLETED")
    with subscribe(log, after=None, name="new") as one, subscribe(log, after=1, name="old") as two:
        publish(log, "PHASE_STARTED")
        one.catch_up(new.append)
        two.catch_up(old.append)

    assert (seqs(new), seqs(old)) == ([3], [2, 3])


def test_a_subscriber_may_want_one_workflow_only(log: Log) -> None:
    got: list[Sequence[Event]] = []
    for i in range(60):
        publish(log, "PHASE_STARTED", workflow=f"w{i % 3}")
    with subscribe(log, Filter(workflow="w1")) as sub:
        sub.catch_up(got.append)

    assert seqs(got) == list(range(2, 61, 3))
    assert [len(batch) for batch in got] == [20]


def test_events_are_handed_over_in_batches_of_a_size(log: Log) -> None:
    got: list[Sequence[Event]] = []
    publish(log, *["PHASE_STARTED"] * 1203)
    with subscribe(log) as sub:
        assert sub.catch_up(got.append) == 1203

    assert seqs(got) == list(range(1, 1204))
    assert {len(batch) for batch in got[:-1]} == {20}


def delivering(sub: Subscription, handler: Callable[[Sequence[Event]], object]) -> threading.Thread:
    thread = threading.Thread(target=sub.deliver, args=(handler,))
    thread.start()
    return thread


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_batch_is_handed_over_when_it_is_full_or_its_first_event_has_waited_long_enough(log: Log) -> None:
    got: list[Sequence[Event]] = []
    with Subscription.open(log.directory, "mailer", after=0, pace=Pace(4, 0.3)) as sub:
        thread = delivering(sub, got.append)
        publish(log, "PHASE_STARTED")
        began = time.monotonic()
        publish(log, "PHASE_STARTED")
        wait_for(lambda: bool(got))
        waited = time.monotonic() - began
        publish(log, *["PHASE_STARTED"] * 9)
        wait_for(lambda: len(got) == 4)
        sub.stop()
        thread.join()

    assert [len(batch) for batch in got] == [2, 4, 4, 1]
    assert waited > 0.2


def test_a_waiting_subscriber_is_woken_and_never_makes_a_writer_wait(log: Log, tmp_path: Path) -> None:
    latencies: list[float] = []
    with subscribe(log) as sub:
        times: list[float] = []
        thread = delivering(sub, lambda batch: latencies.extend(time.monotonic() - times[e.seq - 1] for e in batch))
        for _ in range(20):
            times.append(time.monotonic())
            publish(log, "PHASE_STARTED")
            time.sleep(0.01)
        sub.stop()
        thread.join()
        assert len(list((tmp_path / "store" / "wake").iterdir())) == 1

    assert len(latencies) == 20
    assert sorted(latencies)[10] < 0.1  # the clock alone would take half a second
    assert list((tmp_path / "store" / "wake").iterdir()) == []


def test_a_subscriber_that_cannot_be_woken_looks_for_itself(log: Log, tmp_path: Path) -> None:
    (tmp_path / "store" / "wake").write_text("in the way")
    got: list[Sequence[Event]] = []
    with subscribe(log) as sub:
        thread = delivering(sub, got.append)
        time.sleep(0.05)
        publish(log, "PHASE_STARTED")
        wait_for(lambda: bool(got))
        sub.stop()
        thread.join()

    assert seqs(got) == [1]


def test_a_subscriber_in_a_store_with_a_long_path_is_woken_too(tmp_path: Path) -> None:
    got: list[float] = []
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    with Log.open(folder, durability="process") as log, subscribe(log) as sub:
        thread = delivering(sub, lambda batch: got.append(time.monotonic()))
        waited: list[float] = []
        for i in range(5):
            time.sleep(0.02)
            began = time.monotonic()
            publish(log, "PHASE_STARTED")
            wait_for(lambda: len(got) == i + 1)  # noqa: B023 - called before the next
            waited.append(got[-1] - began)
        sub.stop()
        thread.join()

    assert sorted(waited)[2] < 0.2


def test_what_a_dead_subscriber_left_is_swept_away(log: Log, tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from stretto.state.wake import Bell\n"
    code += "bell = Bell.hang(Path(sys.argv[1])); os._exit(1)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "store")], check=False)
    assert len(list((tmp_path / "store" / "wake").iterdir())) == 1

    publish(log, "PHASE_STARTED")

    assert list((tmp_path / "store" / "wake").iterdir()) == []


def test_an_event_that_fails_is_tried_again_with_growing_delays(log: Log) -> None:
    calls: list[tuple[int, float]] = []

    def flaky(batch: Sequence[Event]) -> None:
        calls.append((batch[0].seq, time.monotonic()))
        if len(calls) < 3:
            raise OSError("the network is down")

    publish(log, "PHASE_STARTED", "PHASE_COMPLETED")
    with Subscription.open(log.directory, "mailer", after=0, pace=Pace(1, 0), delays=(0.05, 0.15)) as sub:
        sub.catch_up(flaky)
        assert sub.dead_letters() == []
        assert sub.cursor == 2

    assert [seq for seq, _ in calls] == [1, 1, 1, 2]
    first, second, third = (at for _, at in calls[:3])
    assert second - first >= 0.05
    assert third - second >= 0.15


def test_an_event_that_fails_three_times_is_a_dead_letter_and_the_rest_of_its_batch_is_delivered(log: Log) -> None:
    done: list[int] = []
    tried: list[int] = []

    def picky(batch: Sequence[Event]) -> None:
        tried.extend(e.seq for e in batch)
        if any(e.type == "PHASE_FAILED" for e in batch):
            raise ValueError("I do not like it \ud800")
        done.extend(e.seq for e in batch)

    publish(log, "PHASE_STARTED", "PHASE_STARTED", "PHASE_FAILED", "PHASE_STARTED", "PHASE_FAILED", "PHASE_STARTED")
    with subscribe(log) as sub:
        assert sub.catch_up(picky) == 6

    assert done == [1, 2, 4, 6]
    assert (tried.count(3), tried.count(5)) == (4, 4)  # with its batch, then three times alone
    assert [(d.subscription, d.seq, d.tries) for d in log.dead_letters()] == [("mailer", 3, 3), ("mailer", 5, 3)]
    assert log.dead_letters("mailer")[0].error == "ValueError: I do not like it ?"
    assert log.dead_letters("other") == []


def test_dead_letters_can_be_delivered_again_and_those_that_fail_again_stay(log: Log) -> None:
    def fail(batch: Sequence[Event]) -> None:
        raise ValueError(batch[0].seq)

    def fail_on_two(batch: Sequence[Event]) -> None:
        assert batch[0].seq != 2

    publish(log, "PHASE_STARTED", "PHASE_COMPLETED")
    with subscribe(log) as sub:
        sub.catch_up(fail)
        assert [d.seq for d in sub.dead_letters()] == [1, 2]
        assert sub.redeliver(fail_on_two) == 1
        assert [(d.seq, d.tries) for d in sub.dead_letters()] == [(2, 4)]
        got: list[Sequence[Event]] = []
        assert sub.redeliver(got.append) == 1
        assert sub.dead_letters() == []

    assert seqs(got) == [2]


def test_the_tries_of_an_event_are_counted_across_a_restart(log: Log) -> None:
    calls: list[int] = []
    publish(log, "PHASE_STARTED", "PHASE_COMPLETED")
    for _ in range(2):
        with Subscription.open(log.directory, "mailer", after=0, pace=AT_ONCE, delays=(0, 30)) as sub:

            def stopping(batch: Sequence[Event], sub: Subscription = sub) -> None:
                calls.append(len(batch))
                if len(batch) == 1 and batch[0].seq == 1:
                    sub.stop()
                raise OSError

            sub.catch_up(stopping)

    (row,) = log.subscriptions()
    assert calls == [2, 1, 2, 1]
    assert (row.cursor, row.tries, row.error) == (0, 2, "OSError: ")


def test_two_cannot_serve_one_subscription_but_several_may_be_served_at_once(log: Log) -> None:
    with (
        subscribe(log),
        subscribe(log, name="other"),
        pytest.raises(StateConflict, match="served by another process"),
    ):
        subscribe(log)
    subscribe(log).close()


def test_a_subscription_that_is_removed_begins_anew(log: Log) -> None:
    publish(log, "PHASE_STARTED")
    with subscribe(log) as sub:
        sub.catch_up(lambda batch: 1 / 0)
        assert len(log.dead_letters()) == 1
        sub.remove()
    assert (log.subscriptions(), log.dead_letters()) == ([], [])

    got: list[Sequence[Event]] = []
    with subscribe(log) as sub:
        sub.catch_up(got.append)
    assert seqs(got) == [1]


@pytest.mark.parametrize(
    ("name", "wanted", "pace"),
    [
        ("../up", None, AT_ONCE),
        ("mailer", Filter(classes=("errors",)), AT_ONCE),
        ("mailer", None, Pace(0, 1)),
        ("mailer", None, Pace(1, -1)),
        ("mailer", None, Pace(1, float("inf"))),
    ],
)
def test_a_bad_subscription_is_refused_and_none_stored(log: Log, name: str, wanted: Filter | None, pace: Pace) -> None:
    with pytest.raises(BadInput):
        Subscription.open(log.directory, name, wanted, pace=pace)

    assert log.subscriptions() == []


def test_a_log_of_before_there_were_subscriptions_is_read_as_it_is_and_brought_up_when_written(log: Log) -> None:
    publish(log, "PHASE_STARTED")
    log.close()
    with closing(sqlite3.connect(log.directory / "events.db", isolation_level=None)) as connection:
        for table in ("subscriptions", "dead_letters", *NEWER):
            connection.execute(f"DROP TABLE {table}")
        for index in ("workflows_by_age", "workflows_by_status"):
            connection.execute(f"DROP INDEX {index}")
        connection.execute("PRAGMA user_version = 2")

    reader = Log.find(log.directory)
    assert reader
    with reader:
        assert (reader.subscriptions(), reader.dead_letters()) == ([], [])
    got: list[Sequence[Event]] = []
    with Log.open(log.directory) as written, subscribe(written) as sub:
        sub.catch_up(got.append)
    assert seqs(got) == [1]
    with closing(sqlite3.connect(log.directory / "events.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert {"subscriptions", "dead_letters", "workflows_by_age", "workflows_by_status"} <= names


NEWER = ("allocations", "pool", "settings", "savepoints")
"""Tables of after subscriptions."""

SUBSCRIBER = """
import os, sys
from pathlib import Path
from stretto.state.subscription import Pace, Subscription

file = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def keep(batch):
    os.write(file, "".join(f"{e.seq}\\n" for e in batch).encode())

with Subscription.open(Path(sys.argv[1]), "keeper", after=0, pace=Pace(20, 0.01)) as sub:
    sub.deliver(keep)
"""
PUBLISHER = """
import sys
from pathlib import Path
from stretto.state.log import Log

with Log.open(Path(sys.argv[1]), durability="process") as log:
    for i in range(10**9):
        with log.write() as tx:
            for n in range(i % 5 + 1):
                tx.event("PHASE_PROGRESS", f"w{n}", "p", {"i": i})
"""


@pytest.mark.slow
def test_no_event_is_lost_or_out_of_order_whoever_is_killed_whenever(tmp_path: Path) -> None:
    kept, chance = tmp_path / "kept", random.Random(4)
    store = tmp_path / "store"
    Log.open(store).close()
    for _ in range(12):
        pair = [
            subprocess.Popen([sys.executable, "-c", code, str(store), str(kept)]) for code in (PUBLISHER, SUBSCRIBER)
        ]
        before = kept.stat().st_size if kept.exists() else 0
        wait_for(lambda: kept.exists() and kept.stat().st_size > before)  # noqa: B023 - called at once
        time.sleep(chance.uniform(0, 0.2))
        for one in chance.sample(pair, 2):
            one.send_signal(signal.SIGKILL)
            one.wait()

    got = [int(line) for line in kept.read_text().splitlines()]
    with Log.open(store) as log:
        last = log.verify()
        rest: list[Sequence[Event]] = []
        with Subscription.open(store, "keeper") as sub:
            sub.catch_up(rest.append)
    got += seqs(rest)
    assert sorted(set(got)) == list(range(1, last + 1))
    steps = [after - before for before, after in pairwise(got)]
    assert max(steps) == 1  # never past one that was not delivered
    assert sum(step < 1 for step in steps) <= 12  # back only where a subscriber died


def test_a_subscriber_that_stopped_for_a_while_misses_nothing(log: Log, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with subprocess.Popen([sys.executable, "-c", SUBSCRIBER, str(log.directory), str(kept)]) as child:
        publish(log, "PHASE_STARTED")
        wait_for(lambda: kept.exists() and kept.stat().st_size > 0)
        time.sleep(0.1)  # it has stored its place, and sleeps
        os.kill(child.pid, signal.SIGSTOP)
        began = time.monotonic()
        for _ in range(300):
            publish(log, "PHASE_STARTED")
        took = time.monotonic() - began
        os.kill(child.pid, signal.SIGCONT)
        wait_for(lambda: kept.read_text().count("\n") >= 301)
        child.kill()

    assert [int(line) for line in kept.read_text().split()] == list(range(1, 302))
    assert took < 10
