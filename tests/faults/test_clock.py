"""The time of day jumps or stands still while a process works."""

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stretto.state.log import Log
from tests.faults.tally import Ledger, Tally, times

HOUR, DAY = 3600, 86_400
JUMPS = {"+1 h": HOUR, "-1 h": -HOUR, "-1 day": -DAY, "frozen": 0}
PROMISE = "the same decisions, events in order of their numbers, no lease lost, no time below 0"
LIFE = """
import json, sys, time
from pathlib import Path
from langgraph.checkpoint.base import empty_checkpoint
from stretto.state import lease, orders
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.errors import StrettoError
from stretto.state.log import Log
from stretto.state.rows import Taker
from stretto.state.show import as_dict
from stretto.state.subscription import Pace, Subscription
from stretto.state.view import fold

store, W = Path(sys.argv[1]), "shop_001"
decided, heard, below = [], [], []

def decide(name, act):
    try:
        decided.append([name, str(act())])
    except StrettoError as error:
        decided.append([name, type(error).__name__])

def jumped():
    print("now", flush=True)
    sys.stdin.readline()

def fail(batch):
    raise ValueError("no")

def numbers(found):
    parts = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return [found] if type(found) in (int, float) else [n for part in parts for n in numbers(part)]

with Log.open(store, durability="process") as log, DiskCacheSaver(store / "checkpoints") as saver:
    with log.write() as tx:
        tx.create_workflow(W, kind="feature", description="d", spec={}, runner="r")
        tx.set_status(W, "SCHEDULED", {"start_time": "immediate"})
        tx.set_status(W, "RUNNING", {})
        tx.event("PHASE_STARTED", W, "plan", {"phase_id": "plan"})
        tx.start_attempt(W, "plan/T1", 1, "k", "plan", {"agent_id": "a"})
        orders.make(tx, f"{W}/plan/T2#1", {"phase": "plan", "started": {"agent_id": "a"}}, {"agent_id": "a"})
        tx.request(W, "cancel")
    fence = lease.acquire(log, W)
    at = {"configurable": {"thread_id": W, "checkpoint_ns": ""}}
    with Subscription.open(store, "s", after=0, pace=Pace(1, 0), delays=(0.01, 0.02)) as sub:
        for turn in range(4):
            jumped()
            decide("alive", lambda: lease.holder(log, W).alive)
            decide("not twice", lambda: lease.acquire(log, W))
            for _ in range(3):
                with log.write(fence) as tx:
                    tx.event("PHASE_PROGRESS", W, "plan", {"turn": turn})
            me = Taker("s", "a", 0, "", "", "")
            with log.write(fence) as tx:
                decide("take", lambda: orders.take(tx, f"{W}/plan/T2#1", me).state)
                tx.request(W, "drain")
            decide("asked", lambda: [r.kind for r in log.requests(W)])
            made = empty_checkpoint()
            made.update(id=f"{turn:04d}", channel_values={"n": turn}, channel_versions={"n": turn + 1})
            at = saver.put(at, made, {"step": turn}, {"n": turn + 1})
            saver.put_writes(at, [("n", turn)], "task")
            decide("newest", lambda: saver.get_tuple({"configurable": {"thread_id": W}}).checkpoint["id"])
            began = time.monotonic()
            keep = fail if turn == 1 else lambda batch: heard.extend(e.seq for e in batch)
            decide("delivered", lambda: sub.catch_up(keep))
            assert time.monotonic() - began < 20
            view = as_dict(fold(log.events(W)), time.time())
            below += [n for n in numbers(view) if n < 0]
            decide("status", lambda: view["status"])
    with log.write(fence) as tx:
        decide("end", lambda: tx.record_outcome(W, "plan/T1", 1, {"status": "completed"}, "TASK_COMPLETED", "plan", {}))
        decide("ended", lambda: tx.set_status(W, "COMPLETED", {}) and "")
    below += [n for n in numbers(as_dict(fold(log.events(W)), time.time())) if n < 0]
    lease.release(log, fence)
    log.verify()
    decide("events", lambda: [(e.seq, e.type) for e in log.events()])
print(json.dumps({"decided": decided, "heard": heard, "below": below, "clock": time.time()}))
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("the clock of a process can be set only on Linux, with a C compiler")
    made = tmp_path_factory.mktemp("shim") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made


def lived(store: Path, shim: Path, *jumps: str) -> dict[str, Any]:
    """What a process decides whose clock is set before each of its turns; after the last jump it stays so."""
    clock = store.with_suffix(".clock")
    tell(clock, "")
    environ = {**os.environ, "LD_PRELOAD": str(shim), "CLOCK_FILE": str(clock)}
    argv = [sys.executable, "-W", "error", "-c", LIFE, str(store)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as child:
        assert child.stdin
        assert child.stdout
        for turn in range(4):
            assert child.stdout.readline() == "now\n"
            tell(clock, jumps[min(turn, len(jumps) - 1)])
            child.stdin.write("\n")
            child.stdin.flush()
        found: dict[str, Any] = json.loads(child.stdout.readline())
    assert child.returncode == 0
    return found


def tell(clock: Path, jump: str) -> None:
    frozen = int(time.time()) if jump == "frozen" else 0
    data = struct.pack("qq", JUMPS.get(jump, 0), frozen)
    with clock.open("r+b" if clock.exists() else "w+b") as file:  # in place: the child has it mapped
        file.write(data)


def hold(tally: Tally, usual: dict[str, Any], store: Path, shim: Path, *jumps: str) -> None:
    with tally.injection():
        found = lived(store, shim, *jumps)
        assert found["decided"] == usual["decided"]
        assert found["heard"] == usual["heard"]
        assert found["below"] == []
        if jumps[-1] in ("-1 day", "-1 h"):
            assert found["clock"] < time.time() - HOUR / 2, "the clock was not set"
        with Log.open(store) as log:
            assert log.verify() == log.last_seq()


@pytest.mark.slow
def test_a_clock_that_jumps_or_stands_still_changes_no_decision(tmp_path: Path, shim: Path, ledger: Ledger) -> None:
    usual = lived(tmp_path / "usual", shim, "")
    assert usual["below"] == []
    for round_ in range(times(1, 3)):
        for jump in JUMPS:
            tally = ledger.tally(f"the clock of a process: {jump}, from the start or in the middle", PROMISE)
            hold(tally, usual, tmp_path / f"{jump} {round_}", shim, jump)
            hold(tally, usual, tmp_path / f"{jump} {round_} in the middle", shim, "", jump)
            if times(0, 1):
                hold(tally, usual, tmp_path / f"{jump} {round_} to and fro", shim, "", jump, "", jump)
