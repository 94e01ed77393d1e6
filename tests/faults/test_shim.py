"""The shim itself: what it is preloaded into must not behave otherwise because of it, but for the faults."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

KILLS = 12
VICTIM = """
import fcntl, os, subprocess, sys, threading
held = os.open("lock", os.O_RDWR | os.O_CREAT)
fcntl.flock(held, fcntl.LOCK_EX)
def write():
    file = os.open("data", os.O_RDWR | os.O_CREAT)
    while True:
        os.pwrite(file, b"x" * 200_000, 0)
        os.fsync(file)
for _ in range(2):
    threading.Thread(target=write, daemon=True).start()
print("on", flush=True)
while True:
    subprocess.run([sys.executable, "-I", "-S", "-c", ""], pass_fds=[held])
"""
"""Its threads write all the time, and what it starts inherits its lock, as git does a driver's."""


def test_a_killed_process_leaves_no_child_that_waits_for_the_shim(shim: Path, tmp_path: Path) -> None:
    for number in range(KILLS):
        environment = {**os.environ, "LD_PRELOAD": str(shim), "STRETTO_FAULT_ROOT": str(tmp_path)}
        with subprocess.Popen(
            [sys.executable, "-c", VICTIM], stdout=subprocess.PIPE, cwd=tmp_path, env=environment
        ) as victim:
            assert victim.stdout
            assert victim.stdout.readline() == b"on\n"
            time.sleep(0.007 * number)
            victim.kill()

        assert free(tmp_path / "lock", 5), f"kill {number}: what it started still holds the lock"


def free(lock: Path, seconds: float) -> bool:
    """Whether nobody holds a lock any more within so many seconds."""
    deadline = time.monotonic() + seconds
    with lock.open("rb+") as file:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.01)
            else:
                return True
    return False
