"""A process that has imported the command line once, and forks a driver for each order: a start costs no two seconds.

Each line on stdin is an order as JSON, each line on stdout its answer. `argv`, `environment`, `output` (a file) and
`fuse` (see fuse.py; 0 for none) start a driver and answer its pid; `wait` waits for one and answers how it ended.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from stretto.commands import cli, orchestrate

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.crash import fuse

IMPORTED = orchestrate.__name__
"""The handler that the command line would import at every start, with all that it needs."""


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        answer = waited(order["wait"]) if "wait" in order else started(order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def waited(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def started(order: dict[str, Any]) -> int:
    if pid := os.fork():
        return pid
    code = 70
    try:
        os.setsid()
        become(order)
        code = cli.main(order["argv"])
    finally:
        sys.stdout.flush()
        os._exit(code)


def become(order: dict[str, Any]) -> None:
    """Take the streams and the environment of a process that was started on its own."""
    null, said = os.open(os.devnull, os.O_RDONLY), os.open(order["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(null, 0)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.environ.clear()
    os.environ.update(order["environment"])
    if order["fuse"]:
        fuse.light(order["fuse"])


if __name__ == "__main__":
    main()
