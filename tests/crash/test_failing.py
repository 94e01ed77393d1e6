"""Workflows that fail, and go on when the agent was repaired."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from stretto.state.view import fold
from tests.crash.bench import Bench, Ending, Warm
from tests.crash.chaos import Chaos
from tests.crash.conftest import SMALL


def reasons(bench: Bench) -> list[str]:
    """Why tasks failed for good, by the log."""
    told = [e.data for e in bench.events() if e.type == "TASK_FAILED" and e.data["final"]]
    return [f"{data['task_id']}: {data['failure_reason']}" for data in told]


def test_a_failed_workflow_goes_on_with_a_repaired_agent_and_repeats_nothing(bench: Bench, small: Ending) -> None:
    bench.options = ("--attempts", "1")
    bench.order(fail=["plan"])
    assert bench.start().wait() == 1
    assert bench.status() == "FAILED"
    assert "FAILED" in bench.said()
    assert not bench.processes()
    done = bench.starts()

    bench.order(hold=["plan"])
    driver = bench.resume()
    driver.until(lambda: len(bench.starts()) > len(done))
    assert fold(bench.events()).phases["planning"].state == "in_progress"
    bench.order()
    assert driver.wait() == 0
    assert bench.starts()[len(done) :][0] == "toolbox/planning/plan#2"
    assert len(set(bench.starts())) == len(bench.starts())
    ending = Ending.of(bench)
    assert (ending.files, ending.subjects, ending.branches) == (small.files, small.subjects, small.branches)


def test_a_resume_shows_why_it_failed_now_not_why_it_failed_before(bench: Bench) -> None:
    bench.options = ("--attempts", "1", "--debug-rounds", "0")
    bench.order(fail=["T1", "T2"])
    assert bench.start().wait() == 1
    bench.order(fail=["T5"])
    assert bench.resume().wait() == 1

    assert bench.said().rpartition("FAILED: ")[2].splitlines()[0] == (
        "1 of 3 tasks failed. implementation/T5: T5 was told to fail"
    )


def test_who_waits_for_a_task_that_failed_before_a_kill_does_not_wait_for_ever(bench: Bench) -> None:
    bench.parts = (1, 4, 5, 7, 11, 15)  # T15 waits for T7, which waits for T5, and then for T11, which waits for T4
    bench.options = ("--attempts", "1", "--debug-rounds", "0")
    bench.order(fail=["T4"], hold=["T5"])
    driver = bench.start()
    driver.until(lambda: "T11" in str(reasons(bench)) and "toolbox/implementation/T5#1" in bench.starts())
    Chaos(bench).kill(driver)
    before = reasons(bench)

    bench.order()
    assert bench.resume().wait() == 1
    assert reasons(bench)[: len(before)] == before
    assert reasons(bench)[len(before) :] == ["implementation/T15: not started, since implementation/T11 failed"]


def test_a_crash_gives_no_task_more_attempts_than_the_limit(bench: Bench) -> None:
    bench.options = ("--attempts", "2")
    bench.order(fail=["topic-1"], hold=["topic-2"])
    driver = bench.start()
    driver.until(lambda: bool(reasons(bench)))
    driver.kill()

    bench.order(fail=["topic-1"])
    assert bench.resume().wait() == 1
    tries = [key for key in bench.starts() if "topic-1" in key]
    assert tries == ["toolbox/research/topic-1#1", "toolbox/research/topic-1#2"]
    assert reasons(bench) == ["research/topic-1: topic-1 was told to fail"]

    bench.order()
    assert bench.resume().wait() == 0
    assert [key for key in bench.starts() if "topic-1" in key][2:] == ["toolbox/research/topic-1#3"]


def test_an_agent_that_wrecks_its_workspace_fails_its_attempt_and_disturbs_nobody(bench: Bench, small: Ending) -> None:
    bench.order(wreck=["T1#1"], hold=["T2"])
    driver = bench.start()
    driver.until(lambda: "toolbox/implementation/T1#2" in bench.starts())
    bench.order()

    assert driver.wait() == 0, bench.said()
    reason = next(e.data["failure_reason"] for e in bench.events() if e.type == "TASK_FAILED")
    assert "not a git repository" in reason
    assert bench.starts().count("toolbox/implementation/T2#1") == 1
    assert Ending.of(bench).files == small.files
    assert bench.worktrees() == [str(bench.project)]


def test_limits_that_a_resume_changed_hold_when_its_driver_is_killed(bench: Bench) -> None:
    bench.options = ("--debug-rounds", "0")
    assert bench.start().wait() == 1  # part 5 is wrong, and nobody may repair it
    bench.order(hold=["debug"])
    driver = bench.resume("--debug-rounds", "2")
    driver.until(lambda: bench.starts()[-1].startswith("toolbox/debugging/debug"))
    driver.kill()

    bench.order()
    assert bench.resume().wait() == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_workflow_that_fails_again_and_again_ends_as_undisturbed_whenever_drivers_die(
    tmp_path: Path, warm: Warm, chance: random.Random
) -> None:
    def repaired(name: str, fuses: Iterator[int]) -> tuple[Ending, set[str]]:
        options = ("--attempts", "2", "--debug-rounds", "0")
        with Bench(tmp_path / name, warm=warm, parts=SMALL, sleep=(0.0, 0.01), options=options) as bench:
            chaos = Chaos(bench)
            for failing in (["topic-2"], ["T1", "T2"], ["T1"], []):  # at last the tests fail
                bench.order(fail=failing)
                assert chaos.until_it_stops(fuses) == 1
            assert chaos.until_it_stops(fuses, "--debug-rounds", "2") == 0
            return Ending.of(bench), set(bench.starts())

    calm, keys = repaired("calm", itertools.repeat(0))
    for number in range(3):
        ending, started = repaired(str(number), iter(lambda: chance.randint(1, 90), 0))
        assert not ending.differs(calm)
        assert started == keys
