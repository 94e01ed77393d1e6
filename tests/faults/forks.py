"""A process that has imported everything once, with the shim preloaded, and forks another for each order.

Each line on stdin is an order as JSON, and is answered by the exit code of the fork, negative for a signal: 0 when it
came to its end, 1 when an error of ours ended it (its class and message stand in the file `said`), 70 for any other.
"""

import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from stretto.state.errors import StrettoError
from tests.faults import life, migrating
from tests.faults.shim import Fault

WORKS = {"live": life.live, "defy": life.defy, "die": life.die, "read": life.read, "migrate": migrating.migrate}


class Forks:
    """The process, seen from the tests."""

    def __init__(self, shim: Path, folder: Path, *prefix: str) -> None:
        self._folder = folder
        self._said = folder / "said"
        self._process = subprocess.Popen(
            [*prefix, sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LD_PRELOAD": str(shim), "STRETTO_FAULT_ROOT": str(folder / "nowhere")},
        )

    def why(self) -> str:
        """What the last fork said when it failed: the class of the error, then its message."""
        return self._said.read_text("utf-8")

    def do(
        self,
        work: str,
        project: Path,
        fault: Fault | None = None,
        *,
        durability: str = "power",
        acks: Path | None = None,
        trace: Path | None = None,
    ) -> int:
        """One piece of work in a project, in a process of its own; how it ended."""
        environment = {
            "STRETTO_FAULT_ROOT": str(project),
            "STRETTO_FAULT": str(fault or ""),
            "STRETTO_FAULT_ACKS": str(acks or self._folder / "acks"),
            **({"STRETTO_FAULT_TRACE": str(trace)} if trace else {}),
        }
        order = {"work": work, "project": str(project), "durability": durability, "said": str(self._said)}
        self._said.write_bytes(b"")
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({**order, "environment": environment}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            os._exit(carried_out(order))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()


def carried_out(order: dict[str, Any]) -> int:
    os.environ.update(order["environment"])
    said = Path(order["said"])
    try:
        say = life.acknowledging(Path(os.environ["STRETTO_FAULT_ACKS"]))
        WORKS[order["work"]](Path(order["project"]), order["durability"], say)
    except StrettoError as error:
        said.write_text(f"{type(error).__name__}: {error.message} {' '.join(error.next_steps)}", "utf-8")
        return 1
    except BaseException:  # noqa: BLE001 - told to the test
        said.write_text(traceback.format_exc(), "utf-8")
        return 70
    return 0


if __name__ == "__main__":
    main()
