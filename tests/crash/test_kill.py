"""kill -9 of the driver, at any moment: every resume ends as the undisturbed run does, and nothing is done twice."""

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents.gitproject import run_git
from tests.crash.bench import Bench, Driver, Ending, Warm
from tests.crash.chaos import Chaos

IMPORTS = 6.0
"""Seconds in which a fresh Python has imported everything, on a slow machine."""


def lived(driver: Driver, seconds: float) -> bool:
    """Let the driver run; whether it still lives then."""
    deadline = time.monotonic() + seconds
    while driver.alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    return driver.alive()


def endure(bench: Bench, moments: Iterator[float], most: int) -> Chaos:
    """One workflow from its start to its end, its drivers killed at these moments of their lives, `most` at most."""
    chaos = Chaos(bench)
    driver = bench.start()
    while len(chaos.finished) < most and lived(driver, next(moments)):
        chaos.kill(driver)
        driver = chaos.go_on()
    assert driver.wait() == 0, bench.said()
    chaos.check()
    return chaos


def kill_often(folder: Path, kills: int, warm: Warm | None, moments: Iterator[float], reference: Ending) -> list[Chaos]:
    """One workflow after the other, until there were so many kills."""
    all_seen: list[Chaos] = []
    while (left := kills - sum(len(c.finished) for c in all_seen)) > 0:
        durability = ("process", "power")[len(all_seen) % 2]
        with Bench(folder / str(len(all_seen)), warm=warm, durability=durability) as bench:
            all_seen.append(endure(bench, moments, left))
            assert not Ending.of(bench).differs(reference)
        shutil.rmtree(bench.folder)
    return all_seen


def types(bench: Bench) -> set[str]:
    return {e.type for e in bench.events()}


def tells_something_new(driver: Driver, seen: set[str]) -> bool:
    """Wait for an event of a type that is not among those seen; False if the driver ends without one."""
    while driver.alive():
        if types(driver.bench) - seen:
            return True
    return False


def told(all_seen: list[Chaos]) -> str:
    taken_up = sorted(seconds for c in all_seen for seconds in c.taken_up)
    gone = max(seconds for c in all_seen for seconds in c.gone)
    middle, slowest = taken_up[len(taken_up) // 2], taken_up[-1]
    return (
        f"{sum(len(c.finished) for c in all_seen)} kills in {len(all_seen)} workflows; every process gone after"
        f" {gone:.2f} s at most; taken up again after {middle:.2f} s in the middle, {slowest:.2f} s at most"
    )


def test_a_workflow_ends_as_if_it_had_not_been_killed_four_times(
    bench: Bench, small: Ending, chance: random.Random
) -> None:
    bench.durability = "power"
    chaos = endure(bench, iter(lambda: chance.uniform(0.2, 1.2), 0.0), 4)

    assert chaos.finished
    assert not Ending.of(bench).differs(small)


def test_a_kill_right_after_any_kind_of_event_changes_nothing(bench: Bench, small: Ending) -> None:
    chaos = Chaos(bench)
    seen: set[str] = set()
    driver = bench.start()
    while tells_something_new(driver, seen):
        chaos.kill(driver)
        seen |= types(bench) | {"WORKFLOW_RESUMED"}
        driver = chaos.go_on()

    assert driver.wait() == 0, bench.said()
    chaos.check()
    assert len(chaos.finished) >= 10
    assert not Ending.of(bench).differs(small)


def test_a_merge_that_a_killed_driver_left_running_is_finished_and_waited_for(bench: Bench, small: Ending) -> None:
    """git writes the first file of the checkout, and waits for the test, when the driver is killed."""
    merging, wait = bench.folder / "merging", bench.folder / "wait"
    script = bench.folder / "smudge"
    script.write_text(
        f'#!/bin/sh\n[ "$PWD" = "{bench.project}" ] && touch {merging} && while [ -e {wait} ]; do sleep 0.02; '
        "done\nexec cat\n",
        "utf-8",
    )
    script.chmod(0o755)
    run_git(bench.project, "config", "filter.slow.smudge", str(script))
    (bench.project / ".git" / "info" / "attributes").write_text("*.py filter=slow\n", "utf-8")
    wait.touch()
    driver = bench.start()
    driver.until(merging.exists)
    driver.kill()
    assert len(bench.processes()) >= 2  # git and its filter

    driver = bench.resume()
    assert lived(driver, 0.5)
    wait.unlink()
    assert driver.wait() == 0
    assert "merged into main" in bench.said()
    assert not Ending.of(bench).differs(small)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_thirty_random_kills_of_drivers_with_24_tasks(
    tmp_path: Path, warm: Warm, reference: Ending, chance: random.Random
) -> None:
    seen = kill_often(tmp_path, 30, warm, iter(lambda: chance.uniform(0, 3), 0.0), reference)

    print(told(seen))  # noqa: T201
    assert max(seconds for c in seen for seconds in c.taken_up) < IMPORTS


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_random_kills_of_the_command_line_with_24_tasks(
    tmp_path: Path, reference: Ending, chance: random.Random
) -> None:
    seen = kill_often(tmp_path, 20, None, iter(lambda: chance.uniform(0, 7), 0.0), reference)

    print(told(seen))  # noqa: T201
    assert max(seconds for c in seen for seconds in c.taken_up) < 2 * IMPORTS


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_driver_may_die_after_any_durable_step(
    tmp_path: Path, warm: Warm, small: Ending, chance: random.Random
) -> None:
    deaths = 0
    while deaths < 60:
        with Bench(tmp_path / str(deaths), warm=warm, parts=(1, 2, 5), sleep=(0.0, 0.01)) as bench:
            chaos = Chaos(bench)
            while (code := bench.go_on(fuse=chance.randint(1, 90)).wait()) == -9:
                chaos.look()
            assert code == 0, bench.said()
            chaos.check()
            assert not Ending.of(bench).differs(small)
            deaths += len(chaos.finished)
