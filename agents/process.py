"""Run a program that dies with its driver, whose output is bounded and whose descendants do not stay behind."""

import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

from stretto.agents.execute import Finished, Stdin
from stretto.agents.pipes import End, Kept, Lines, Reader, Writer
from stretto.state.errors import BadInput, PermanentError, StrettoError, TransientError

Interrupt = Callable[[], None]
_GUARDIAN = Path(__file__).with_name("guardian.py")
_LONGEST_LINE = 32 << 20
_PASSING = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY})


class Limits(NamedTuple):
    """Resource limits of each process. None is no limit; one above what the driver itself may have is lowered to that.

    `address_space` and `file_size` are bytes. macOS does not enforce `address_space`.
    """

    address_space: int | None = None
    file_size: int | None = None
    cpu_seconds: int | None = None
    open_files: int | None = None


_RESOURCES = {
    "address_space": "RLIMIT_AS",
    "file_size": "RLIMIT_FSIZE",
    "cpu_seconds": "RLIMIT_CPU",
    "open_files": "RLIMIT_NOFILE",
}


async def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: bytes = b"",
    timeout: float | None = None,  # noqa: ASYNC109 - the timeout is part of what Finished tells
    limit_bytes: int = 1_000_000,
    on_stdout_line: Callable[[str], None] | None = None,
    on_stderr_line: Callable[[str], None] | None = None,
    on_stdin: Callable[[Stdin], None] | None = None,
    limits: Limits | None = None,
    on_start: Callable[[Interrupt], None] | None = None,
) -> Finished:
    """Run `argv` to its end, without a shell, and leave nothing of it behind.

    The program and everything it started are killed when it ends, when `timeout` seconds have passed, when this task is
    cancelled (the cancellation goes on only after they are gone), and when this process dies, however it dies. On macOS
    a descendant that left the program's process group escapes; on Linux none does, short of asking another daemon (at,
    systemd, docker) to start a process.

    Args:
        argv: The program, looked up on the PATH of `env`, and its arguments.
        cwd: Its working directory.
        env: Its whole environment.
        stdin: What it can read; not reading it is no error.
        timeout: Seconds until it is killed.
        limit_bytes: How much of stdout, and of stderr, is kept; the middle of more is left out, with a mark.
        on_stdout_line: Called in the event loop with each line of stdout as it comes, 32 MiB of it at most. It must not
            raise.
        on_stderr_line: The same for stderr, 64 KiB at most.
        on_stdin: Called once, with what writes more to its stdin behind `stdin`, until it is finished.
        limits: Resource limits.
        on_start: Called once, with what interrupts the program (SIGINT, to it alone) each time it is called; when the
            program has ended that does nothing.

    Raises:
        BadInput: No program in `argv`, or a NUL in it or in `env`.
        PermanentError: The program or the directory does not exist or may not be used; named in the message.
        TransientError: The machine has no process, memory or descriptor left.
    """
    started = time.monotonic()
    process, control = _spawn(argv, cwd, env, limits or Limits())
    if on_start:
        on_start(partial(_interrupt, control))
    report, stdout, stderr = bytearray(), Kept(limit_bytes), Kept(limit_bytes)
    lines = Lines(on_stdout_line, _LONGEST_LINE), Lines(on_stderr_line)
    ended = Reader(control, report.extend)
    written = Writer(cast("End", process.stdin), stdin, more=on_stdin is not None)
    streams = (
        written,
        Reader(cast("End", process.stdout), stdout.add, lines[0].add),
        Reader(cast("End", process.stderr), stderr.add, lines[1].add),
    )
    in_time = False
    try:
        if on_stdin:
            on_stdin(written)
        in_time = bool((await asyncio.wait({ended.closed}, timeout=timeout))[0])
    finally:
        await _end(process, control, ended, report, streams)
    for open_line in lines:
        open_line.flush()
    code, survivors = _verdict(report, argv[0])
    stderr.add(survivors)
    return Finished(
        exit_code=code if in_time else None,
        stdout=stdout.read(),
        stderr=stderr.read(),
        timed_out=not in_time,
        truncated=stdout.left_out > 0 or stderr.left_out > 0,
        seconds=time.monotonic() - started,
    )


def _spawn(
    argv: Sequence[str], cwd: Path, env: Mapping[str, str], limits: Limits
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the guardian that starts the program, and keep our end of the socket between us.

    Nothing else may inherit that end, or we would not seem dead to the guardian when we are: Python closes it on exec.
    """
    if not argv or not argv[0]:
        raise BadInput("There is no program to run: the argument list begins with nothing.", field="argv")
    bounds = ",".join(f"{_RESOURCES[name]}={value}" for name, value in limits._asdict().items() if value is not None)
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", str(_GUARDIAN), str(theirs.fileno()), bounds, "--", *argv],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=env,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a Ctrl-C in the terminal is the driver's to answer
            ), ours
        except ValueError as error:
            ours.close()
            raise BadInput(
                f"{argv[0]!r} cannot be run: {error} in its arguments or environment.", field="argv"
            ) from error
        except OSError as error:
            ours.close()
            raise _refusal(error, argv[0] if cwd.is_dir() else str(cwd)) from error


def _interrupt(control: socket.socket) -> None:
    with suppress(OSError):  # the socket is closed when the program has ended
        control.send(b"i")


def _refusal(error: OSError, name: str) -> StrettoError:
    said = f"Cannot run {name!r}: {error.strerror}. Nothing was started."
    if error.errno in _PASSING:
        return TransientError(said, next_steps=("Wait until other processes have ended.",))
    return PermanentError(said, next_steps=("Check the name, whether it is installed, and the PATH that it is given.",))


def _parse(report: bytes | bytearray) -> dict[str, list[int]]:
    """The guardian's lines: `pid`, then `exit` or `errno`, each with its numbers."""
    return {
        kind: [int(number) for number in numbers] for kind, *numbers in map(str.split, report.decode().splitlines())
    }


def _verdict(report: bytes | bytearray, program: str) -> tuple[int | None, bytes]:
    """The program's exit code, and a sentence on those that could not be killed."""
    told = _parse(report)
    if "errno" in told:
        raise _refusal(OSError(told["errno"][0], os.strerror(told["errno"][0])), program)
    code, *survivors = told.get("exit", [None])
    said = f"\n[these processes could not be killed: {' '.join(map(str, survivors))}]\n" if survivors else ""
    return code, said.encode()


async def _end(
    process: subprocess.Popen[bytes],
    control: socket.socket,
    ended: Reader,
    report: bytearray,
    streams: Sequence[Reader | Writer],
) -> None:
    """Have the guardian kill all that is left, see it go, and let go of everything, however often we are cancelled."""
    with suppress(OSError):  # it is closed already when the program came to its own end
        control.shutdown(socket.SHUT_WR)
    cancelled = await _outlast([ended.closed])
    process.wait()
    told = _parse(report)
    if "pid" in told and "exit" not in told:  # somebody killed the guardian
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(told["pid"][0], signal.SIGKILL)
    for stream in streams:
        if isinstance(stream, Writer):
            stream.finish()  # not before: a program that waits for an answer would go on without one
    # Nobody is left to write, so what comes is what lies in the pipes: unless somebody could not be killed.
    cancelled |= await _outlast([stream.closed for stream in streams], timeout=1)
    for stream in streams:
        stream.close()
    if cancelled:
        raise asyncio.CancelledError


async def _outlast(futures: Sequence[asyncio.Future[None]], timeout: float | None = None) -> bool:  # noqa: ASYNC109
    """Wait for all, `timeout` seconds at most, through any cancellation. Whether there was one."""
    cancelled = False
    while waiting := [future for future in futures if not future.done()]:
        try:
            if (await asyncio.wait(waiting, timeout=timeout))[1]:
                break
        except asyncio.CancelledError:
            cancelled = True
    return cancelled
