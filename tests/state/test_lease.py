import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stretto.state import process
from stretto.state.errors import Fenced, NotFound, WorkflowDriven
from stretto.state.lease import acquire, holder, release
from stretto.state.log import Log

W = "shop_001"
DRIVER = """
import sys
from pathlib import Path
from stretto.state.errors import Fenced
from stretto.state.lease import acquire
from stretto.state.log import Log

with Log.open(Path(sys.argv[1])) as log:
    fence = acquire(log, "shop_001")
    print("driving", flush=True)
    sys.stdin.readline()
    try:
        with log.write(fence) as tx:
            tx.event("PHASE_PROGRESS", "shop_001", "plan", {"late": True})
    except Fenced:
        print("refused", flush=True)
"""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path, durability="process") as opened:
        with opened.write() as tx:
            tx.create_workflow(W, kind="feature", description="Add a shop", spec={}, runner="r")
        yield opened


@pytest.fixture
def driver(log: Log, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "driving\n"
        yield child
        child.kill()


def test_a_lease_is_held_until_it_is_released(log: Log) -> None:
    assert holder(log, W) is None
    fence = acquire(log, W)

    held = holder(log, W)
    assert held
    assert (held.pid, held.token, held.alive) == (os.getpid(), 1, True)
    with pytest.raises(WorkflowDriven):
        acquire(log, W)

    release(log, fence)
    assert holder(log, W) is None
    with pytest.raises(Fenced), log.write(fence):
        pass
    assert acquire(log, W).token == 2


def test_only_an_existing_workflow_can_be_driven(log: Log) -> None:
    with pytest.raises(NotFound):
        acquire(log, "nobody")


def test_the_lease_of_a_living_process_is_refused_naming_it(log: Log, driver: subprocess.Popen[str]) -> None:
    with pytest.raises(WorkflowDriven, match=f"driven by process {driver.pid} on .* since 20") as refused:
        acquire(log, W)

    assert refused.value.details["pid"] == driver.pid


def test_a_stopped_driver_is_alive_and_its_lease_refused(log: Log, driver: subprocess.Popen[str]) -> None:
    driver.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(WorkflowDriven):
            acquire(log, W)
    finally:
        driver.send_signal(signal.SIGCONT)


def test_the_late_write_of_a_driver_that_was_replaced_is_refused(
    log: Log, driver: subprocess.Popen[str], tmp_path: Path
) -> None:
    mine = process.this()
    with log.write() as tx:  # as if the machine had been restarted meanwhile: nobody alive holds this
        old = log.lease(W)
        assert old
        tx.database.put("leases", old._replace(boot="another-boot"))
    fence = acquire(log, W)
    seq = log.last_seq()
    with log.write(fence) as tx:
        tx.event("PHASE_PROGRESS", W, "plan", {"late": False})

    answer, _ = driver.communicate("go on\n", timeout=20)

    assert answer == "refused\n"
    assert [e.data for e in log.events(after=seq)] == [{"late": False}]
    held = holder(log, W)
    assert held
    assert held.pid == mine.pid


def test_releasing_after_a_takeover_leaves_the_new_driver_alone(log: Log) -> None:
    old = acquire(log, W)
    with log.write() as tx:
        row = log.lease(W)
        assert row
        tx.database.put("leases", row._replace(started="1"))
    new = acquire(log, W)

    release(log, old)

    with log.write(new) as tx:
        tx.event("PHASE_PROGRESS", W, "plan", {})
    assert new.token == old.token + 1


@pytest.mark.parametrize("change", [{"pid": 2**22 - 1}, {"started": "1"}, {"boot": "another-boot"}])
def test_another_pid_start_or_boot_is_another_process(change: dict[str, int | str]) -> None:
    me = process.this()
    assert process.is_alive(me)
    vars(me).update(change)
    assert not process.is_alive(me)


def test_a_process_name_with_blanks_and_brackets_does_not_confuse(tmp_path: Path) -> None:
    program = tmp_path / "a ) Z (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "30"]) as child:
        started = process.started(child.pid)
        child.kill()

    assert started
    assert started.isdigit()
    assert process.started(child.pid) is None
