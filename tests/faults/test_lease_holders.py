"""Whoever holds a lease is killed, or stopped and replaced: others go on, and the one that wakes up is refused."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from stretto.state import process
from stretto.state.lease import acquire, holder, release
from stretto.state.log import Log
from tests.faults.tally import Ledger, times

W = "shop_001"
DRIVER = """
import sys, time
from pathlib import Path
from stretto.state.errors import Fenced
from stretto.state.lease import acquire, release
from stretto.state.log import Log

refused = 0
with Log.open(Path(sys.argv[1]), durability="process") as log:
    fence = acquire(log, "shop_001")
    print("driving", flush=True)
    while refused < 20:
        try:
            with log.write(fence) as tx:
                tx.event("PHASE_PROGRESS", "shop_001", "plan", {"late": True})
                tx.put_fact("shop_001", "late", True)
        except Fenced:
            refused += 1
        time.sleep(0.002)
    release(log, fence)
print(refused, flush=True)
"""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path, durability="process") as opened:
        with opened.write() as tx:
            tx.create_workflow(W, kind="feature", description="Add a shop", spec={}, runner="r")
        yield opened


@contextmanager
def driving(store: Path) -> Generator[subprocess.Popen[str]]:
    argv = [sys.executable, "-c", DRIVER, str(store)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "driving\n"
        yield child
        child.kill()


def until_dead(pid: int) -> None:
    """Wait until it is a zombie; nobody waits for it, so that it stays one."""
    deadline = time.monotonic() + 10
    while process.started(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.kill(pid, 0)


def test_the_lease_of_a_killed_process_is_taken_over_at_once_even_before_it_is_buried(
    log: Log, tmp_path: Path, ledger: Ledger
) -> None:
    row = ledger.tally("kill -9 of the holder of a lease", "the next one has it at once, with a higher token")
    chance, slowest = Random(8), 0.0
    for _ in range(times(3, 50)):
        with driving(tmp_path) as driver, row.injection():
            before = holder(log, W)
            time.sleep(chance.uniform(0, 0.05))
            driver.kill()
            until_dead(driver.pid)

            held = holder(log, W)
            assert held
            assert not held.alive
            started = time.monotonic()
            fence = acquire(log, W)
            slowest = max(slowest, time.monotonic() - started)
            assert before
            assert fence.token == before.token + 1
            release(log, fence)
    row.figure("taken over after, at most", f"{slowest:.3f} s")
    assert slowest < 1


def test_a_driver_that_slept_through_its_replacement_is_refused_when_it_wakes_up(
    log: Log, tmp_path: Path, ledger: Ledger
) -> None:
    """Nobody takes over from a process that can be seen to live, so the lease is made one of before the last boot."""
    row = ledger.tally(
        "SIGSTOP of the holder of a lease at any moment, another takes over, SIGCONT",
        "each of its 20 further writes is refused, and nothing of them is stored",
    )
    chance = Random(9)
    for _ in range(times(3, 50)):
        with driving(tmp_path) as driver, row.injection():
            stop_between_writes(driver, tmp_path, chance)
            with log.write() as tx:
                old = log.lease(W)
                assert old
                tx.database.put("leases", old._replace(boot="another-boot"))
            fence = acquire(log, W)
            with log.write(fence) as tx:
                tx.event("PHASE_PROGRESS", W, "plan", {"mine": True})
                tx.put_fact(W, "late", False)
            mine = log.last_seq()

            driver.send_signal(signal.SIGCONT)
            answer, _ = driver.communicate(timeout=30)

            assert answer == "20\n"
            assert log.last_seq() == mine == log.verify()
            assert log.fact(W, "late") is False
            release(log, fence)


def stop_between_writes(driver: subprocess.Popen[str], store: Path, chance: Random) -> None:
    """Whoever is stopped in the middle of a transaction holds the lock, and all writers wait for it."""
    while True:
        time.sleep(chance.uniform(0, 0.05))
        driver.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, driver.pid, os.WSTOPPED)
        with (store / "events.lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                driver.send_signal(signal.SIGCONT)
            else:
                return
