"""Which process is it, and does it live? A pid alone is not enough: pids are used again, and after a reboot all are.

Standard library only, and little of it: the hooks import this.
"""

import os
import sys


class Process:
    """One process of one boot of one machine. `started` is the kernel's own mark of its start, "" if unreadable."""

    def __init__(self, pid: int, boot: str, started: str, host: str) -> None:
        self.pid = pid
        self.boot = boot
        self.started = started
        self.host = host


def this() -> Process:
    """The process that asks."""
    pid = os.getpid()
    return Process(pid, boot_id(), started(pid) or "", os.uname().nodename)


def is_alive(process: Process) -> bool:
    """Whether it runs, or is only stopped. A zombie does not, nor does another process with its pid."""
    if process.boot != boot_id():
        return False
    return started(process.pid) == process.started


def is_gone(process: Process) -> bool:
    """Whether it has died. One that is not known (pid 0) cannot be watched, and counts as alive."""
    return bool(process.pid) and not is_alive(process)


def boot_id() -> str:
    """What differs after every reboot; "" where the system does not tell."""
    if sys.platform == "linux":
        try:
            with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
                return file.read().strip()
        except OSError:
            return ""
    return _told("sysctl", "-n", "kern.bootsessionuuid")


def started(pid: int) -> str | None:
    """When the process `pid` started, as the kernel counts it; None if there is none, or only its corpse."""
    if sys.platform != "linux":
        state, _, start = _told("ps", "-o", "state=,lstart=", "-p", str(pid)).partition(" ")
        return start.strip() if state and not state.startswith("Z") else None
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # the name before it may hold blanks and brackets
    return fields[19] if fields[0] not in "ZX" else None


def _told(*command: str) -> str:
    import subprocess  # only where there is no /proc

    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"LC_ALL": "C", **os.environ})
    return done.stdout.strip() if done.returncode == 0 else ""
