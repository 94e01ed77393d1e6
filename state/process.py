"""Which process is it, and does it live? A pid alone is not enough: pids are used again, and after a reboot all are."""

import os
import sys
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """One process of one boot of one machine. `started` is the kernel's own mark of its start, "" if unreadable."""

    pid: int
    boot: str
    started: str
    host: str


def this() -> Process:
    """The process that asks."""
    pid = os.getpid()
    return Process(pid, boot_id(), started(pid) or "", os.uname().nodename)


def is_alive(process: Process) -> bool:
    """Whether it runs, or is only stopped. A zombie does not, nor does another process with its pid."""
    if process.boot != boot_id():
        return False
    return started(process.pid) == process.started


def boot_id() -> str:
    """What differs after every reboot; "" where the system does not tell."""
    if sys.platform == "linux":
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            return ""
    return _told("sysctl", "-n", "kern.bootsessionuuid")


def started(pid: int) -> str | None:
    """When the process `pid` started, as the kernel counts it; None if there is none, or only its corpse."""
    if sys.platform != "linux":
        state, _, start = _told("ps", "-o", "state=,lstart=", "-p", str(pid)).partition(" ")
        return start.strip() if state and not state.startswith("Z") else None
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    return fields[19] if fields[0] not in "ZX" else None


def _told(*command: str) -> str:
    import subprocess  # only where there is no /proc

    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"LC_ALL": "C", **os.environ})
    return done.stdout.strip() if done.returncode == 0 else ""
