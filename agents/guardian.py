"""The guardian: a small program that stands between a driver and a child, and sees to it that nothing outlives either.

    python -I -S guardian.py FD LIMITS -- PROGRAM ARGUMENTS…

FD is a socket to the driver; LIMITS are resource limits for the child, `RLIMIT_CPU=60,RLIMIT_NOFILE=100` or empty. The
child leads a session of its own. Each byte that the driver writes to the socket is a SIGINT for the child: sent from
here, where a pid is not free for another process until we bury the child, it cannot meet a stranger. When the child
ends, or when the driver closes its side of the socket, by will or by dying,
the guardian kills the child's process group, stopped members too, and on Linux every other descendant: it is their
subreaper, so whoever loses its parent becomes the guardian's child. On other systems a descendant that left the group
escapes. What it writes to the socket, one line each:

    pid N         the child, which is its process group too; said before the program begins
    exit N PID…   how the child ended, negative for a signal; PIDs of those the guardian was not allowed to kill
    errno N       the child could not be started

Standard library only, and of that little (no contextlib, no pathlib): it starts before every program an agent runs.
"""

import errno
import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_ENDING = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGTERM})
_PATIENCE = 10.0
"""Seconds until those that SIGKILL does not end (another user's, or stuck in the kernel) are given up."""


def main(argv: list[str]) -> None:
    """Run the program and report how it ended."""
    control, limits, command = int(argv[1]), argv[2], argv[4:]
    os.set_inheritable(control, False)
    wake = _wake_on_signals()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child, trouble = _start(command, limits, control)
    if trouble:
        _say(control, "errno", trouble)
        return
    _let_go_of_streams()
    _say(control, "exit", *_guard(child, control, wake))


def _say(control: int, *words: object) -> None:
    try:
        os.write(control, (" ".join(map(str, words)) + "\n").encode())
    except OSError:
        return  # the driver is dead


def _wake_on_signals() -> int:
    """The end of a pipe on which the number of each signal arrives."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    for number in (signal.SIGCHLD, *_ENDING):
        signal.signal(number, _only_wake)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def _only_wake(number: int, frame: object) -> None:
    """The handler of every signal: without one it would not arrive in the pipe."""


def _prctl(option: int, value: int) -> None:
    """Linux's prctl; where there is none, the group kill has to do."""
    if sys.platform != "linux":
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3)
    except (ImportError, OSError, AttributeError):
        return


def _start(command: list[str], limits: str, control: int) -> tuple[int, int]:
    """The child's pid, and 0 or the errno that kept it from starting."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        _become(command, limits, control, write)
    os.close(write)
    answer = os.read(read, 16)  # nothing, when the exec closed the other end
    os.close(read)
    return child, int(answer or 0)


def _become(command: list[str], limits: str, control: int, failure: int) -> None:
    """In the fork: turn into the program, or say why not. Never returns."""
    trouble = errno.EINVAL
    try:
        os.setsid()
        _say(control, "pid", os.getpid())
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # should somebody kill the guardian itself
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # Python ignores them, and that is inherited
        _limit(limits)
        os.execvp(command[0], command)  # noqa: S606 - no shell is what we want
    except OSError as error:
        trouble = error.errno or trouble
    finally:
        os.write(failure, str(trouble).encode())
        os._exit(127)


def _limit(limits: str) -> None:
    if not limits:
        return
    import resource

    for name, _, value in (item.partition("=") for item in limits.split(",")):
        kind = getattr(resource, name)
        _, most = resource.getrlimit(kind)
        bound = int(value) if most == resource.RLIM_INFINITY else min(int(value), most)
        resource.setrlimit(kind, (bound, bound))


def _let_go_of_streams() -> None:
    """Or the driver would never see that the child closed its own."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)


def _guard(child: int, control: int, wake: int) -> list[int]:
    """Wait for an end and bring it to all. The child's exit code, then the pids of those that are still there."""
    status = _watch(child, control, wake)
    killed, alive = _end_all(child)
    return [os.waitstatus_to_exitcode(killed if status is None else status), *alive]


def _watch(child: int, control: int, wake: int) -> int | None:
    """The child's wait status once it has ended, or None when the driver is gone, wants an end, or a signal does."""
    poll = select.poll()  # not select: the driver may have passed a descriptor above 1023
    poll.register(control, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        status, _ = _reap(child)
        if status is not None:
            return status
        ready = {descriptor for descriptor, _ in poll.poll()}
        if control in ready and not _interrupted(child, control):
            return None
        if wake in ready and _ENDING & set(os.read(wake, 512)):
            return None


def _interrupted(child: int, control: int) -> bool:
    """Whether the driver wants the child interrupted, which is done, and not ended."""
    try:
        asked = os.read(control, 1)
    except OSError:
        return False
    if asked:
        _kill(child, signal.SIGINT)
    return bool(asked)


def _reap(child: int) -> tuple[int | None, bool]:
    """Bury the dead: the child's wait status if it is among them, and whether anybody is left."""
    status = None
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            status = found[1] if found[0] == child else status
    except ChildProcessError:
        return status, False
    return status, True


def _end_all(child: int) -> tuple[int, list[int]]:
    """Kill the child's group and all of our children until there are none; orphans of the dead become our children."""
    end, status, alive, pause = time.monotonic() + _PATIENCE, int(signal.SIGKILL), True, 0.001
    _kill(-child)
    while alive and time.monotonic() < end:
        for pid in _children():
            _kill(pid)
        code, alive = _reap(child)
        status = status if code is None else code
        if alive:
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
    return status, _children() if alive else []


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process, or to a group when negative."""
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _children() -> list[int]:
    """The pids of our children, where the kernel tells."""
    known = _read("/proc/thread-self/children")
    if known is not None:
        return [int(pid) for pid in known.split()]
    pids = os.listdir("/proc") if sys.platform == "linux" else []  # noqa: PTH208 - pathlib is slow to import
    return [int(pid) for pid in pids if pid.isdigit() and _parent(pid) == os.getpid()]


def _parent(pid: str) -> int:
    stat = _read(f"/proc/{pid}/stat") or b") ? 0"
    return int(stat.rpartition(b")")[2].split()[1])


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib is slow to import
            return file.read()
    except OSError:
        return None


if __name__ == "__main__":
    main(sys.argv)
    os._exit(0)
