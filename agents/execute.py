"""The seam to the operating system: how a runner or a tool starts a program.

Runners get the function that starts programs from whoever builds them, so that one place decides about process groups,
limits and what dies with the driver.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol


class Finished(NamedTuple):
    """How a program ended.

    `exit_code` is negative for a signal, and None when it was not the program that ended itself: at the timeout, or
    when somebody killed its guardian. `truncated`: of stdout or stderr only head and tail were kept. `seconds` is wall
    time.
    """

    exit_code: int | None
    stdout: bytes
    stderr: bytes
    timed_out: bool
    truncated: bool
    seconds: float


class Stdin(Protocol):
    """A program's standard input, as it is written to while the program runs."""

    def write(self, data: bytes) -> None:
        """Write more; nothing happens when it is closed."""
        ...

    def finish(self) -> None:
        """Close it when all is written."""
        ...


class Execute(Protocol):
    """Start a program, without a shell, and wait for it.

    `env` is the whole environment. After `timeout` seconds the program's process group is ended. Of each output
    stream `limit_bytes` are kept, and `truncated` says that there was more. `on_stdout_line` is given every line of
    stdout as it comes. `on_stdin` is given its input, which stays open until it is finished.
    """

    async def __call__(  # noqa: D102 - the class tells it
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: bytes = b"",
        timeout: float | None = None,  # noqa: ASYNC109 - the program's limit, which ends its group too
        limit_bytes: int = 1_000_000,
        on_stdout_line: Callable[[str], None] | None = None,
        on_stdin: Callable[[Stdin], None] | None = None,
    ) -> Finished: ...
