"""The `stretto` script, and `python -m stretto.commands`: how the program starts and how it ends."""

import gc

gc.disable()  # nothing that imports make is garbage, and looking for some takes as long as a small module

import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Sequence  # noqa: E402

from stretto.commands.cli import main as run  # noqa: E402

gc.freeze()
gc.enable()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, by default those of the process, and end it with the exit code."""
    leave(run(argv))


def leave(code: int) -> None:
    """End at once where nothing can be waiting for the end: to take the interpreter down costs a third of its start."""
    if "threading" in sys.modules:
        sys.exit(code)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
