"""What is delivered twice, late, in another order, or to a subscriber that dies, stands still or is slow."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from stretto.state import orders
from stretto.state.errors import OrderTaken, StateConflict, StrettoError
from stretto.state.log import Log
from stretto.state.rows import Taker
from stretto.state.show import as_dict
from stretto.state.subscription import Pace, Subscription
from stretto.state.transaction import Transaction
from stretto.state.view import fold
from stretto.state.wire import Event
from tests.faults.tally import Ledger, times

W = "shop_001"
TASKS = tuple(f"plan/T{n}" for n in range(4))
Step = Callable[[Transaction], object]
NAMES = ("hand out", "take", "report", "outcome", "close")


def clock() -> float:
    return 1_790_000_000.0


def step(task: str, name: str) -> Step:
    order = f"{W}/{task}#1"
    outcome = {"status": "completed", "summary": task}
    work = {"phase": "plan", "started": {"agent_id": "a"}}
    steps: dict[str, Step] = {
        "hand out": lambda tx: orders.make(tx, order, work, {"agent_id": "a"}),
        "take": lambda tx: orders.take(tx, order, Taker("s", task, 0, "", "", "")),
        "report": lambda tx: orders.report(tx, order, outcome),
        "outcome": lambda tx: tx.record_outcome(W, task, 1, outcome, "TASK_COMPLETED", "plan", {}),
        "close": lambda tx: orders.close(tx, order),
    }
    return steps[name]


def begun(store: Path) -> Log:
    log = Log.open(store, durability="process", clock=clock)
    with log.write() as tx:
        tx.create_workflow(W, kind="feature", description="d", spec={}, runner="host")
        tx.set_status(W, "SCHEDULED", {"start_time": "immediate"})
        tx.set_status(W, "RUNNING", {})
    return log


def deliver(log: Log, task: str, name: str, done: dict[str, int]) -> bool:
    """Whether it was taken, or is known to be done; a sender who is refused comes again. What hands out is the driver,
    which does so once; what comes after it comes as often as the network likes."""
    at = NAMES.index(name)
    if (name in ("hand out", "outcome", "close")) and done[task] != at:
        return done[task] > at
    try:
        with log.write() as tx:
            step(task, name)(tx)
    except (StrettoError, StateConflict, OrderTaken):
        return done[task] > at
    done[task] = max(done[task], at + 1)
    return True


def state(log: Log) -> str:
    """A hash of all that is left: rows without their times and numbers, and what the log tells."""
    rows = [log.workflows(), log.attempts(W), log.outcomes(W), [log.order(W, task, 1) for task in TASKS]]
    told = sorted((e.type, json.dumps(e.data, sort_keys=True)) for e in log.events(W))
    view = as_dict(fold(log.events(W)), clock())
    view["tasks"] = sorted(json.dumps(task, sort_keys=True) for task in view.get("tasks", []))
    view = {name: part for name, part in view.items() if name in ("status", "tasks", "usage", "phase")}
    return hashlib.sha256(repr((rows, told, view)).encode()).hexdigest()


def test_orders_and_outcomes_that_come_twice_or_in_another_order_end_alike(tmp_path: Path, ledger: Ledger) -> None:
    tally = ledger.tally(
        "takes, reports and outcomes of work orders are delivered up to three times, in any order",
        "the same final state",
    )
    with begun(tmp_path / "usual") as log:
        done = dict.fromkeys(TASKS, 0)
        assert all(deliver(log, task, name, done) for task in TASKS for name in NAMES)
        usual = state(log)
    for number in range(times(10, 200)):
        chance = random.Random(number)
        mail = [(task, name) for task in TASKS for name in NAMES for _ in range(chance.randint(1, 3))]
        chance.shuffle(mail)
        with tally.injection(), begun(tmp_path / str(number)) as log:
            done = dict.fromkeys(TASKS, 0)
            rounds = 0
            while mail := [each for each in mail if not deliver(log, *each, done)]:
                rounds += 1
                assert rounds < 10, "somebody is refused for ever"
            for task in TASKS:  # and all of it once more, after the end
                for name in NAMES[1:3]:
                    deliver(log, task, name, done)
            assert state(log) == usual
            assert log.verify() == log.last_seq()


class Keeper:
    """A subscriber that may be given an event again, and keeps what each changed by its number."""

    def __init__(self) -> None:
        self.kept: dict[int, Event] = {}
        self.calls = 0

    def __call__(self, batch: Sequence[Event]) -> None:
        self.calls += 1
        self.kept.update({event.seq: event for event in batch})

    def state(self) -> str:
        view = as_dict(fold(self.kept[seq] for seq in sorted(self.kept)), clock())
        return hashlib.sha256(json.dumps(view, sort_keys=True).encode()).hexdigest()


def test_events_that_are_delivered_again_or_shuffled_leave_a_subscriber_in_the_same_state(
    tmp_path: Path, ledger: Ledger
) -> None:
    tally = ledger.tally("events are delivered to a subscriber twice, or shuffled", "the same final state")
    with begun(tmp_path / "store") as log:
        done = dict.fromkeys(TASKS, 0)
        for task in TASKS:
            for name in NAMES:
                deliver(log, task, name, done)
        once = Keeper()
        once([*log.events()])
        for number in range(times(10, 200)):
            chance = random.Random(number)
            keeper = Keeper()
            events = [*log.events(), *log.events()]
            chance.shuffle(events)
            with tally.injection():
                with Subscription.open(log.directory, f"s{number}", after=0, pace=Pace(3, 0)) as sub:
                    sub.catch_up(lambda batch: keeper(batch) if chance.random() < 0.8 else sub.stop())  # noqa: B023
                with Subscription.open(log.directory, f"s{number}") as sub:
                    sub.catch_up(keeper)
                keeper(events)
                assert keeper.state() == once.state()


SUBSCRIBER = """
import os, sys, time
from pathlib import Path
from stretto.state.subscription import Pace, Subscription

file = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def keep(batch):
    time.sleep(float(sys.argv[3]))
    with open("/proc/self/status") as status:  # not getrusage: the most of this process, not of who started it
        most = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    os.write(file, "".join(f"{e.seq} {most}\\n" for e in batch).encode())

with Subscription.open(Path(sys.argv[1]), "keeper", after=0, pace=Pace(20, 0.01)) as sub:
    sub.deliver(keep)
"""
PAYLOAD = "x" * 2000


def publish(log: Log, many: int) -> None:
    for _ in range(many // 20):
        with log.write() as tx:
            for number in range(20):
                tx.event("PHASE_PROGRESS", f"w{number}", "p", {"text": PAYLOAD})


def lines(kept: Path) -> list[list[int]]:
    text = kept.read_text() if kept.exists() else ""
    return [[int(part) for part in line.split()] for line in text[: text.rfind("\n") + 1].splitlines()]


def wait_for(happened: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_a_slow_subscriber_that_stands_still_and_is_killed_misses_nothing(tmp_path: Path, ledger: Ledger) -> None:
    tally = ledger.tally(
        "a slow subscriber is stopped for 10 s, and killed, while 2 KB events pile up",
        "every event, in order, again only after a kill; its memory stays bounded",
    )
    kept, chance, total = tmp_path / "kept", random.Random(3), 0
    argv = [sys.executable, "-c", SUBSCRIBER, str(tmp_path / "store"), str(kept), "0.005"]
    kills = 0
    with Log.open(tmp_path / "store", durability="process") as log:
        for _ in range(times(2, 6)):
            with tally.injection(), subprocess.Popen(argv) as child:
                try:
                    before = len(lines(kept))
                    publish(log, 200)
                    total += 200
                    wait_for(lambda: len(lines(kept)) > before)  # noqa: B023 - called at once
                    os.kill(child.pid, signal.SIGSTOP)
                    began = time.monotonic()
                    publish(log, times(1000, 4000))
                    took = time.monotonic() - began
                    total += times(1000, 4000)
                    time.sleep(max(0, times(1, 10) - took))
                    os.kill(child.pid, signal.SIGCONT)
                    if chance.random() < 0.5:
                        time.sleep(chance.uniform(0, 0.3))
                        child.kill()
                        kills += 1
                    else:
                        wait_for(lambda: lines(kept)[-1][0] == total)  # noqa: B023 - called at once
                finally:
                    child.kill()
                assert took < 30, "who writes waited for it"
        with subprocess.Popen(argv) as child:
            wait_for(lambda: bool(lines(kept)) and lines(kept)[-1][0] == total, 120)
            child.kill()
    found = lines(kept)
    numbers = [seq for seq, _ in found]
    assert sorted(set(numbers)) == list(range(1, total + 1))
    steps = [after - before for before, after in pairwise(numbers)]
    assert max(steps) == 1
    assert sum(step < 1 for step in steps) <= times(2, 6)
    most = max(kilobytes for _, kilobytes in found) - min(kilobytes for _, kilobytes in found)
    assert most < 20_000, "it holds what piles up in memory"
    tally.figure("memory that it grew by, while MB piled up", f"{most / 1000:.1f} of {total * len(PAYLOAD) / 1e6:.0f}")
