"""kill -9 of a workflow's driver at any moment, and of each that takes it up at a system call: nothing is lost."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.bench import WARM, Bench, Ending, Warm
from tests.crash.chaos import Chaos
from tests.crash.test_kill import lived
from tests.faults.shim import CHANGES, Fault
from tests.faults.tally import Ledger, Tally, times

pytestmark = pytest.mark.slow

KEPT = "it ends as if undisturbed: no finished task is done again, no event is lost or told twice"
PARTS = (1, 2, 5)
SIDE_BY_SIDE = 2


@dataclass
class FaultyBench(Bench):
    """A bench whose drivers may be given a fault: they are forks of a process that has the shim."""

    fault: Fault | None = None

    def environment(self) -> dict[str, str]:
        faults = {"STRETTO_FAULT": str(self.fault or ""), "STRETTO_FAULT_ROOT": str(self.store)}
        return {**super().environment(), **faults}


class FaultyWarm(Warm):
    """The process that forks drivers, with the shim; what they start is without."""

    def __init__(self, shim: Path) -> None:
        environment = {**os.environ, "LD_PRELOAD": str(shim), "STRETTO_FAULT_ROOT": "/nowhere"}
        self._process = subprocess.Popen(
            [sys.executable, str(WARM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )


@pytest.fixture(scope="module")
def warms(shim: Path) -> Iterator[list[FaultyWarm]]:
    processes = [FaultyWarm(shim) for _ in range(SIDE_BY_SIDE)]
    yield processes
    for process in processes:
        process.close()


@pytest.fixture(scope="module")
def ending(warms: list[FaultyWarm], tmp_path_factory: pytest.TempPathFactory) -> Ending:
    with made(tmp_path_factory.mktemp("ending") / "bench", warms[0]) as bench:
        assert bench.start().wait() == 0, bench.said()
        return Ending.of(bench)


@pytest.fixture
def seed() -> int:
    """`STRETTO_CRASH_SEED` repeats what is random in a test."""
    chosen = int(os.environ.get("STRETTO_CRASH_SEED") or random.randrange(10**6))
    print(f"STRETTO_CRASH_SEED={chosen}")  # noqa: T201 - pytest shows it when the test fails
    return chosen


def made(folder: Path, warm: Warm) -> FaultyBench:
    return FaultyBench(folder, warm=warm, parts=PARTS, sleep=(0.0, 0.01))


def test_a_workflow_ends_as_if_its_drivers_had_not_been_killed_at_any_moment(
    warms: list[FaultyWarm], ending: Ending, tmp_path: Path, ledger: Ledger, seed: int
) -> None:
    row = ledger.tally("kill -9 of the driver of a whole workflow at any moment", KEPT)
    children = ledger.tally("kill -9 of a driver whose agents work", "no process that it started is left after 2 s")

    def some(number: int) -> list[Chaos]:
        chance, seen = random.Random(seed + number), list[Chaos]()
        left = times(3, 500 // SIDE_BY_SIDE)
        while left > 0:
            folder = tmp_path / f"{number}-{len(seen)}"
            with made(folder, warms[number]) as bench, ExitStack() as held:
                bench.durability = chance.choice(("process", "power"))
                seen.append(endure(bench, chance, left, held, (row, children)))
                assert not Ending.of(bench).differs(ending)
            left -= len(seen[-1].finished)
        return seen

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        all_seen = [chaos for each in pool.map(some, range(SIDE_BY_SIDE)) for chaos in each]
    taken_up = sorted(seconds for chaos in all_seen for seconds in chaos.taken_up)
    row.figure("taken up again, p95", f"{taken_up[int(0.95 * (len(taken_up) - 1))]:.2f} s")
    row.figure("p100", f"{taken_up[-1]:.2f} s")
    children.figure("gone after, at most", f"{max(s for chaos in all_seen for s in chaos.gone):.2f} s")
    assert taken_up[-1] < 60


def endure(bench: Bench, chance: random.Random, most: int, held: ExitStack, rows: tuple[Tally, Tally]) -> Chaos:
    """One workflow from its start to its end, `most` kills at most; `held` holds the injections until it is judged."""
    whole, children = rows
    chaos = Chaos(bench)
    driver = bench.start()
    while len(chaos.finished) < most and lived(driver, chance.uniform(0, 1)):
        held.enter_context(whole.injection())
        with children.injection():
            chaos.kill(driver)
        driver = chaos.go_on()
    assert driver.wait() == 0, bench.said()
    chaos.check()
    return chaos


def test_the_resume_of_a_workflow_may_be_killed_at_a_system_call_three_times_over(
    warms: list[FaultyWarm], ending: Ending, tmp_path: Path, ledger: Ledger, seed: int
) -> None:
    row = ledger.tally("SIGKILL at a system call by which `--resume` changes the store, three times in a row", KEPT)
    chance = random.Random(seed)
    for number in range(times(1, 25)):
        with made(tmp_path / str(number), warms[0]) as bench, ExitStack() as held:
            chaos = Chaos(bench)
            driver = bench.start()
            lived(driver, chance.uniform(0.1, 1.5))
            chaos.kill(driver)
            for _ in range(3):
                bench.fault = Fault("kill", CHANGES, chance.randint(1, 600))
                if bench.begun() and bench.go_on().wait() == -9:
                    held.enter_context(row.injection())
                    chaos.look()
            bench.fault = None
            assert (bench.begun() and bench.status() == "COMPLETED") or bench.go_on().wait() == 0, bench.said()
            chaos.check()
            assert not Ending.of(bench).differs(ending)
