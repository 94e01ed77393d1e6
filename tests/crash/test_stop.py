"""Stopping on purpose: Ctrl-C, SIGTERM, and `stretto cancel` from another process."""

import asyncio
import os
import signal

import pytest

from stretto.graph import resume
from stretto.state import lease
from stretto.state.log import Log
from tests.crash.bench import WORKFLOW, Bench, Driver, Ending
from tests.crash.chaos import Chaos

pytestmark = pytest.mark.slow  # real drivers, each run to its end several times


def working(bench: Bench, *names: str) -> Driver:
    """A driver whose agents of these tasks have started and wait for the test."""
    bench.order(hold=names)
    driver = bench.start()
    driver.until(lambda: all(any(f"/{n}#" in key for key in bench.starts()) for n in names))
    return driver


def ended(bench: Bench) -> set[str]:
    return {line["task"] for line in bench.journal() if line["what"] == "end"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_running_tasks_finish_and_starts_nothing_new(bench: Bench, small: Ending, number: int) -> None:
    bench.options = ("--max-agents", "1")  # T1 works; T2 waits for a slot, and T5 for T1
    driver = working(bench, "T1")
    driver.signal(number)
    driver.until(lambda: "Stopping" in bench.said())
    started = bench.starts()
    bench.order()

    assert driver.wait() == 3
    assert bench.starts() == started
    assert "implementation/T1" in bench.completed()
    assert bench.status() == "PAUSED"
    assert f"stretto orchestrate --resume {WORKFLOW}" in bench.said()
    assert not bench.processes()
    assert bench.worktrees() == [str(bench.project)]
    assert not bench.driven()

    assert bench.resume().wait() == 0
    Chaos(bench).check()
    assert bench.starts().count("toolbox/implementation/T1#1") == 1
    assert not Ending.of(bench).differs(small)


def test_a_signal_between_two_phases_does_not_begin_the_next(bench: Bench, small: Ending) -> None:
    driver = working(bench, "plan")
    driver.signal(signal.SIGINT)
    driver.until(lambda: "Stopping" in bench.said())
    bench.order()

    assert driver.wait() == 3
    assert [e.phase for e in bench.events() if e.type == "PHASE_STARTED"] == ["research", "planning"]
    assert bench.resume().wait() == 0
    assert not Ending.of(bench).differs(small)


def test_a_signal_while_the_last_agent_works_lets_the_workflow_complete(bench: Bench, small: Ending) -> None:
    driver = working(bench, "document")
    driver.signal(signal.SIGTERM)
    driver.until(lambda: "Stopping" in bench.said())
    bench.order()

    assert driver.wait() == 0
    assert not Ending.of(bench).differs(small)


def test_a_second_ctrl_c_cuts_what_runs_and_leaves_it_for_the_resume(bench: Bench, small: Ending) -> None:
    driver = working(bench, "T1", "T2")
    driver.signal(signal.SIGINT)
    driver.until(lambda: "Stopping" in bench.said())  # two signals at once are one
    driver.signal(signal.SIGINT)

    assert driver.wait(15) == 3
    assert not bench.processes()
    assert bench.status() == "PAUSED"
    assert bench.worktrees() == [str(bench.project)]
    assert {"implementation/T1", "implementation/T2"}.isdisjoint(bench.completed())

    bench.order()
    assert bench.resume().wait() == 0
    assert bench.starts().count("toolbox/implementation/T1#1") == 2
    assert not Ending.of(bench).differs(small)


def test_a_driver_that_is_killed_while_it_drains_is_resumed_like_any_other(bench: Bench, small: Ending) -> None:
    driver = working(bench, "T1", "T2")
    driver.signal(signal.SIGTERM)
    chaos = Chaos(bench)
    chaos.kill(driver)

    bench.order()
    assert chaos.go_on().wait() == 0
    chaos.check()
    assert not Ending.of(bench).differs(small)


def test_whoever_gives_up_awaiting_a_workflow_leaves_it_paused(
    bench: Bench, small: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    working(bench, "T1", "T2").kill()
    for name, value in bench.environment().items():
        monkeypatch.setenv(name, value)

    async def impatient() -> None:
        async with asyncio.timeout(2):
            await resume(WORKFLOW, project=bench.project, store=bench.store)

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    assert bench.starts().count("toolbox/implementation/T1#1") == 2
    assert bench.status() == "PAUSED"
    assert not bench.processes()
    assert not bench.driven()
    assert bench.worktrees() == [str(bench.project)]

    bench.order()
    assert bench.resume().wait() == 0
    assert not Ending.of(bench).differs(small)


def test_cancel_ends_a_living_driver_for_good(bench: Bench) -> None:
    driver = working(bench, "T1", "T2")
    assert len(bench.processes()) >= 4  # two agents and their guardians; else we could not see that they are gone
    said = bench.command("cancel", WORKFLOW)

    assert said.returncode == 0, said.stderr
    assert "is cancelled" in said.stdout
    assert driver.wait(5) == 1
    assert bench.status() == "CANCELLED"
    assert not bench.processes()
    assert bench.worktrees() == [str(bench.project)]
    assert bench.branches() == ["main", f"stretto/{WORKFLOW}"]
    assert ended(bench).isdisjoint({"implementation/T1", "implementation/T2"})

    events = bench.events()
    assert bench.resume().wait() == 2
    assert bench.command("cancel", WORKFLOW).returncode == 2
    assert bench.events() == events


def test_cancel_of_a_workflow_whose_driver_died_cleans_up_after_it(bench: Bench) -> None:
    driver = working(bench, "T1", "T2")
    driver.kill()
    assert len(bench.worktrees()) == 3

    said = bench.command("cancel", WORKFLOW)
    assert said.returncode == 0, said.stderr
    assert bench.status() == "CANCELLED"
    assert bench.worktrees() == [str(bench.project)]
    assert bench.branches() == ["main", f"stretto/{WORKFLOW}"]
    assert bench.resume().wait() == 2


def test_cancel_of_a_driver_that_dies_before_it_hears_of_it_still_cancels(bench: Bench) -> None:
    driver = working(bench, "T1", "T2")
    driver.signal(signal.SIGSTOP)
    asking = bench.spawn("cancel", WORKFLOW)
    driver.until(lambda: bool(bench.asked()))
    os.kill(driver.pid, signal.SIGKILL)

    assert asking.wait(20) == 0
    assert bench.status() == "CANCELLED"


def test_a_request_that_nobody_heard_does_not_stop_the_driver_after(bench: Bench, small: Ending) -> None:
    driver = working(bench, "T1", "T2")
    driver.signal(signal.SIGSTOP)
    asking = bench.spawn("cancel", WORKFLOW)
    driver.until(lambda: bool(bench.asked()))
    asking.kill()
    asking.wait()
    driver.kill()

    bench.order()
    assert bench.resume().wait() == 0
    assert not Ending.of(bench).differs(small)


def test_undo_of_a_workflow_whose_driver_died_cleans_up_after_it(bench: Bench) -> None:
    driver = working(bench, "T1", "T2")
    driver.kill()

    said = bench.command("undo", WORKFLOW)
    assert said.returncode == 0, said.stderr
    assert bench.status() == "CANCELLED"
    assert bench.worktrees() == [str(bench.project)]
    assert bench.branches() == ["main"]


def test_a_second_driver_is_refused_and_changes_nothing(bench: Bench, small: Ending) -> None:
    driver = working(bench, "T1", "T2")
    events, worktrees = bench.events(), bench.worktrees()
    for stopped in (False, True):
        if stopped:
            driver.signal(signal.SIGSTOP)  # it holds its lease as long as it lives, awake or not
        second = bench.resume()
        assert second.wait(15) == 1
        assert f"is driven by process {driver.pid}" in bench.said()
        assert (bench.events(), bench.worktrees()) == (events, worktrees)
    driver.signal(signal.SIGCONT)

    bench.order()
    assert driver.wait() == 0
    Chaos(bench).check()
    assert not Ending.of(bench).differs(small)


def test_a_driver_that_slept_while_another_took_over_ends_without_a_word_in_the_log(bench: Bench) -> None:
    driver = working(bench, "T1", "T2")
    driver.signal(signal.SIGSTOP)
    with Log.open(bench.store) as log:
        with log.write() as tx:  # as if its machine had been restarted: nobody takes over from one that is seen to live
            old = log.lease(WORKFLOW)
            assert old
            tx.database.put("leases", old._replace(boot="another-boot"))
        fence = lease.acquire(log, WORKFLOW)
        before, tip = bench.events(), bench.branches()
        bench.order()
        driver.signal(signal.SIGCONT)

        assert driver.wait(30) == 1
        assert "is no longer ours" in bench.said()
        assert bench.events() == before
        assert bench.branches() == tip
        assert not bench.processes()
        lease.release(log, fence)

    assert bench.resume().wait() == 0
