"""Writers that are killed, and writers side by side: real processes on one store."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stretto.state.log import Log

WRITER = """
import sys
from pathlib import Path
from stretto.state.log import Log

name, durability = sys.argv[2], sys.argv[3]
with Log.open(Path(sys.argv[1]), durability=durability) as log:
    number = log.fact(name, "number") or 0
    while number < int(sys.argv[4]):
        number += 1
        with log.write() as tx:
            tx.event("PHASE_PROGRESS", name, "p", {"number": number, "half": 1, "text": "x" * 3000})
            tx.put_fact(name, "number", number)
            tx.event("PHASE_PROGRESS", name, "p", {"number": number, "half": 2})
        print(number, flush=True)
"""


def write(store: Path, name: str, durability: str, until: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store), name, durability, str(until)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("durability", ["power", "process"])
def test_a_writer_killed_at_any_instant_loses_nothing_that_it_acknowledged(tmp_path: Path, durability: str) -> None:
    chance = random.Random(1)
    acknowledged = 0
    for _ in range(10):
        with write(tmp_path, "w", durability, 1_000_000) as child:
            assert child.stdout
            acknowledged = int(child.stdout.readline())
            time.sleep(chance.uniform(0, 0.05))
            child.kill()
            acknowledged = max([acknowledged, *(int(line) for line in child.stdout if line.endswith("\n"))])

        reader = Log.find(tmp_path)  # before anybody repaired anything
        assert reader
        with reader:
            stored = reader.fact("w", "number")
            assert reader.verify() == 2 * stored
        with Log.open(tmp_path) as log:
            numbers = [(e.data["number"], e.data["half"]) for e in log.events("w")]
            assert stored == log.fact("w", "number")
            assert stored in (acknowledged, acknowledged + 1)
            assert numbers == [(n, half) for n in range(1, stored + 1) for half in (1, 2)]
            assert log.verify() == 2 * stored


def test_writers_side_by_side_lose_nothing_and_leave_no_gap(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    children = [write(tmp_path, name, "process", 60) for name in names]
    reads = 0
    while any(child.poll() is None for child in children):
        if reader := Log.find(tmp_path):
            with reader:
                numbers = [e.seq for e in reader.events()]
                assert numbers == list(range(1, len(numbers) + 1))
                reads += 1
        time.sleep(0.02)
    for child in children:
        child.communicate()
        assert child.returncode == 0

    assert reads
    with Log.open(tmp_path) as log:
        assert log.verify() == len(names) * 120
        for name in names:
            assert [e.data["number"] for e in log.events(name)] == [n for n in range(1, 61) for _ in (1, 2)]


def test_two_processes_that_make_the_store_at_once_make_one(tmp_path: Path) -> None:
    for i in range(3):
        store = tmp_path / str(i)
        children = [write(store, name, "process", 1) for name in ("a", "b")]
        for child in children:
            child.communicate()
            assert child.returncode == 0
        with Log.open(store) as log:
            assert log.verify() == 4


def test_a_maker_killed_while_it_makes_the_store_leaves_one_that_can_be_used(tmp_path: Path) -> None:
    chance = random.Random(2)
    for i in range(8):
        store = tmp_path / str(i)
        with write(store, "w", "power", 1_000_000) as child:
            deadline = time.monotonic() + 20
            while not (store / "events.lock").exists() and time.monotonic() < deadline:
                time.sleep(0.0005)
            time.sleep(chance.uniform(0, 0.01))
            child.kill()
        with Log.open(store) as log:
            assert log.verify() % 2 == 0
