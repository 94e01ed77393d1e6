"""Which processes a test has left behind: found by a variable in their environment, which their children inherit."""

import time
from collections.abc import Iterator
from pathlib import Path


def marked(name: str, value: str) -> dict[int, str]:
    """Every living process with this variable in the environment that it was started with: pid → command line."""
    mark = f"{name}={value}".encode()
    return {pid: line for pid, environ, line in _processes() if mark in environ.split(b"\0")}


def left_after(seconds: float, name: str, value: str) -> dict[int, str]:
    """Wait for all marked processes to go; those that did not."""
    deadline = time.monotonic() + seconds
    while (left := marked(name, value)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _processes() -> Iterator[tuple[int, bytes, str]]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            state = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0]
            environ = (folder / "environ").read_bytes()
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if state not in "ZX":
            yield int(folder.name), environ, line
