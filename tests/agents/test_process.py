"""Real programs under a real guardian. Pids are written to a file, so that each can be looked for afterwards."""

import asyncio
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stretto.agents.execute import Finished, Stdin
from stretto.agents.process import Interrupt, Limits, run
from stretto.state.errors import BadInput, PermanentError

ENV = {"PATH": os.environ["PATH"]}
LINUX = sys.platform == "linux"

# One that ignores SIGTERM, one that is stopped, an orphan of a dead shell, a daemon in its own session, and the shell.
FAMILY = """
trap '' TERM HUP
sh -c 'trap "" TERM HUP; echo $$ >> pids; sleep 600; sleep 600' &
sh -c 'echo $$ >> pids; kill -STOP $$; sleep 600' &
sh -c 'sleep 600 & echo $! >> pids'
{python} -c 'import os, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
open("pids", "a").write(f"{{os.getpid()}}\\n"); time.sleep(600)'
echo $$ >> pids
while [ $(wc -l < pids) -lt 5 ]; do sleep 0.01; done
echo ready
"""
SCRIPT = FAMILY.format(python=shlex.quote(sys.executable))


def go(*argv: str, cwd: Path = Path("/"), **options: Any) -> Finished:
    return asyncio.run(run(argv, cwd=cwd, env=ENV, **options))


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and waits to be buried does not."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip()) and not found.stdout.startswith("Z")


def pids(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "pids").read_text().split()]


def all_gone(folder: Path, within: float = 0.0, members: int = 5) -> bool:
    family, until = pids(folder), time.monotonic() + within
    assert len(family) == members
    while any(map(alive, family)):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


async def ready(folder: Path, members: int = 5) -> None:
    for _ in range(2000):
        if (folder / "pids").exists() and len(pids(folder)) >= members:
            break
        await asyncio.sleep(0.01)
    assert all(map(alive, pids(folder)))


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


# Nobody stays behind


DRIVER = """
import asyncio, sys
from pathlib import Path
from stretto.agents.process import run
asyncio.run(run(["sh", "-c", sys.argv[1]], cwd=Path(sys.argv[2]), env={"PATH": sys.argv[3]}))
"""


@pytest.mark.skipif(not LINUX, reason="without subreapers one that leaves the group escapes")
@pytest.mark.parametrize("fatal", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_driver_that_dies_takes_all_descendants_along(tmp_path: Path, fatal: signal.Signals) -> None:
    argv = [sys.executable, "-c", DRIVER, f"{SCRIPT}\nsleep 600", str(tmp_path), ENV["PATH"]]
    driver = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    asyncio.run(asyncio.wait_for(ready(tmp_path), 20))
    driver.send_signal(fatal)
    driver.wait(30)
    assert all_gone(tmp_path, within=2)


@pytest.mark.skipif(not LINUX, reason="without subreapers one that leaves the group escapes")
def test_a_program_that_ends_leaves_no_orphan(tmp_path: Path) -> None:
    finished = go("sh", "-c", SCRIPT, cwd=tmp_path)
    assert (finished.exit_code, finished.stdout, finished.timed_out) == (0, b"ready\n", False)
    assert all_gone(tmp_path)


@pytest.mark.skipif(not LINUX, reason="without subreapers one that leaves the group escapes")
def test_a_timeout_ends_all_and_keeps_what_was_said(tmp_path: Path) -> None:
    finished = go("sh", "-c", f"{SCRIPT}\nsleep 600", cwd=tmp_path, timeout=2)
    assert (finished.exit_code, finished.stdout, finished.timed_out) == (None, b"ready\n", True)
    assert 2 <= finished.seconds < 5
    assert all_gone(tmp_path)


def test_a_stopped_program_is_killed_at_the_timeout(tmp_path: Path) -> None:
    finished = go("sh", "-c", "echo $$ > pids; kill -STOP $$", cwd=tmp_path, timeout=0.5)
    assert finished.timed_out
    assert not alive(int((tmp_path / "pids").read_text()))


@pytest.mark.skipif(not LINUX, reason="without subreapers one that leaves the group escapes")
def test_a_cancelled_task_ends_only_when_all_are_gone(tmp_path: Path) -> None:
    async def drive() -> None:
        task = asyncio.create_task(run(["sh", "-c", f"{SCRIPT}\nsleep 600"], cwd=tmp_path, env=ENV))
        await ready(tmp_path)
        for _ in range(3):  # an impatient caller
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert all_gone(tmp_path)

    asyncio.run(asyncio.wait_for(drive(), 20))


def test_an_event_loop_that_ends_with_running_tasks_leaves_nothing(tmp_path: Path) -> None:
    async def drive() -> asyncio.Task[Finished]:
        task = asyncio.create_task(run(["sh", "-c", "echo $$ > pids; sleep 600"], cwd=tmp_path, env=ENV))
        await ready(tmp_path, members=1)
        return task

    assert asyncio.run(drive()).cancelled()
    assert not alive(int((tmp_path / "pids").read_text()))


def test_a_killed_guardian_takes_its_group_along(tmp_path: Path) -> None:
    script = "echo $$ > pids; sleep 600 & echo $! >> pids; kill -9 $PPID; wait"
    finished = go("sh", "-c", script, cwd=tmp_path)
    assert (finished.exit_code, finished.timed_out) == (None, False)
    assert all_gone(tmp_path, within=1, members=2)


# Output and input


def test_output_and_exit_code_come_back() -> None:
    finished = go("sh", "-c", "echo out; echo err >&2; exit 3")
    assert finished._replace(seconds=0) == Finished(3, b"out\n", b"err\n", timed_out=False, truncated=False, seconds=0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_an_end_by_signal_is_a_negative_code(number: signal.Signals) -> None:
    assert go("sh", "-c", f"kill -{number.value} $$").exit_code == -number


def test_fifty_megabytes_of_output_keep_head_and_tail() -> None:
    script = "import sys\nfor n in range(50): sys.stdout.write(f'{n:07}\\n' * 131072)"
    finished = go(sys.executable, "-c", script, limit_bytes=1000)
    assert finished.exit_code == 0
    assert finished.truncated
    head, mark, tail = finished.stdout.partition(b"\n[... 52427800 bytes left out ...]\n")
    assert head == b"0000000\n" * 62 + b"0000"
    assert mark
    assert tail == b"049\n" + b"0000049\n" * 62


def test_output_of_just_the_limit_is_whole() -> None:
    finished = go("printf", "0123456789", limit_bytes=10)
    assert (finished.stdout, finished.truncated) == (b"0123456789", False)
    finished = go("printf", "0123456789x", limit_bytes=10)
    assert (finished.stdout, finished.truncated) == (b"01234\n[... 1 bytes left out ...]\n6789x", True)


def test_five_megabytes_of_input_are_echoed() -> None:
    data = os.urandom(5_000_000)
    assert go("cat", stdin=data, limit_bytes=10_000_000).stdout == data


def test_input_that_nobody_reads_is_no_error() -> None:
    assert go("true", stdin=b"x" * 5_000_000).exit_code == 0
    assert go("sh", "-c", "exec <&-; sleep 0.2; echo ok", stdin=b"x" * 5_000_000).stdout == b"ok\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_lines_come_while_the_program_runs(stream: str) -> None:
    seen: list[tuple[str, float]] = []
    started = time.monotonic()
    script = "exec >&2; " * (stream == "stderr") + "printf 'one\\r\\ntwo ☃\\nthr'; sleep 1; printf 'ee'"

    def note(line: str) -> None:
        seen.append((line, time.monotonic() - started))

    listening: dict[str, Any] = {f"on_{stream}_line": note}
    finished = go("sh", "-c", script, **listening)
    assert [line for line, _ in seen] == ["one", "two ☃", "three"]
    assert seen[1][1] < 0.9 < seen[2][1]
    assert getattr(finished, stream) == "one\r\ntwo ☃\nthree".encode()


def test_a_long_line_of_stdout_stays_whole() -> None:
    seen: list[str] = []
    finished = go(
        sys.executable, "-c", "print('x' * 3_000_000); print('y')", on_stdout_line=seen.append, limit_bytes=10
    )
    assert [len(line) for line in seen] == [3_000_000, 1]
    assert finished.truncated


def test_eight_programs_run_at_once() -> None:
    async def drive() -> list[Finished]:
        script = "sleep 1; cat"
        jobs = [run(["sh", "-c", script], cwd=Path("/"), env=ENV, stdin=b"%d" % n) for n in range(8)]
        return await asyncio.gather(*jobs)

    started = time.monotonic()
    assert [finished.stdout for finished in asyncio.run(drive())] == [b"%d" % n for n in range(8)]
    assert time.monotonic() - started < 5


# What the program gets


def test_it_gets_this_environment_this_directory_and_these_arguments(tmp_path: Path) -> None:
    script = "import os, sys, json; print(json.dumps([dict(os.environ), os.getcwd(), sys.argv[1:]]))"
    awkward = ["--", "", "a b", "$HOME", "☃", "\udcff", "-I", "'\"\n"]
    argv = [sys.executable, "-c", script, *awkward]
    finished = asyncio.run(run(argv, cwd=tmp_path, env={"ONLY": "this", "LC_ALL": "C.UTF-8"}))
    assert eval(finished.stdout) == [{"ONLY": "this", "LC_ALL": "C.UTF-8"}, str(tmp_path.resolve()), awkward]


@pytest.mark.skipif(not LINUX, reason="looks in /proc")
def test_it_inherits_no_descriptor_but_its_three_streams() -> None:
    async def drive() -> list[Finished]:
        return await asyncio.gather(*(run(["ls", "/proc/self/fd"], cwd=Path("/"), env=ENV) for _ in range(4)))

    for finished in asyncio.run(drive()):
        assert finished.stdout.split() == [b"0", b"1", b"2", b"3"]  # 3 is the folder that ls reads


@pytest.mark.skipif(not LINUX, reason="looks in /proc")
def test_fifty_runs_leak_no_descriptor_and_no_zombie() -> None:
    async def drive() -> tuple[int, int]:
        await run(["true"], cwd=Path("/"), env=ENV)
        before = open_descriptors()
        for start in range(0, 50, 10):
            jobs = [run(["sh", "-c", f"exit {start + n}"], cwd=Path("/"), env=ENV) for n in range(9)]
            missing = run(["no-such-program"], cwd=Path("/"), env=ENV)
            found = await asyncio.gather(*jobs, missing, return_exceptions=True)
            assert [each.exit_code for each in found[:9] if isinstance(each, Finished)] == list(range(start, start + 9))
            assert isinstance(found[9], PermanentError)
        return before, open_descriptors()

    before, after = asyncio.run(drive())
    assert after == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_sigpipe_ends_it_as_it_ends_a_program_of_the_shell() -> None:
    assert go("sh", "-c", "yes | head -n 1; kill -PIPE $$").exit_code == -signal.SIGPIPE


@pytest.mark.parametrize(
    ("limits", "script"),
    [
        (Limits(file_size=1000), "with open('big', 'wb') as big: big.write(b'x' * 5000)"),
        (Limits(open_files=20), "files = [open('/dev/null') for _ in range(50)]"),
        (Limits(cpu_seconds=1), "while True: pass"),
        pytest.param(
            Limits(address_space=300_000_000),
            "x = bytearray(600_000_000)",
            marks=pytest.mark.skipif(not LINUX, reason="macOS does not enforce it"),
        ),
    ],
)
def test_limits_hold(tmp_path: Path, limits: Limits, script: str) -> None:
    assert go(sys.executable, "-c", script, cwd=tmp_path, limits=limits, timeout=20).exit_code not in (0, None)
    assert go(sys.executable, "-c", script, cwd=tmp_path, timeout=0.5).exit_code in (0, None)


def test_a_limit_above_the_hard_one_is_lowered() -> None:
    assert go("true", limits=Limits(open_files=2**40)).exit_code == 0


# What cannot run


@pytest.mark.parametrize("program", ["no-such-program", "./no-such-file"])
def test_a_missing_program_is_named(program: str) -> None:
    with pytest.raises(PermanentError, match=f"Cannot run {program!r}: No such file"):
        go(program)


def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("echo hi")
    with pytest.raises(PermanentError, match=r"plain': Permission denied"):
        go(str(plain))
    plain.chmod(0o755)
    with pytest.raises(PermanentError, match=r"plain': Exec format error"):
        go(str(plain))


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"nowhere': No such file"):
        go("true", cwd=tmp_path / "nowhere")


def test_arguments_that_cannot_be_passed_are_refused() -> None:
    for argv in ([], [""], ["true", "a\0b"]):
        with pytest.raises(BadInput):
            go(*argv)
    with pytest.raises(PermanentError, match="too long"):
        go("true", "x" * 3_000_000)


def test_a_descriptor_above_a_thousand_is_no_obstacle() -> None:
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < 1200:
        pytest.skip("this machine does not allow so many")
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1200, most))
    held = [socket.socket() for _ in range(1050)]
    try:
        assert go("echo", "ok").stdout == b"ok\n"
    finally:
        for each in held:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, soft)


# Interrupting

TALLY = """
import os, signal, sys, time
heard = []
# os.write, since print cannot be interrupted by itself
signal.signal(signal.SIGINT, lambda *_: (heard.append(1), os.write(2, b"heard\\n")))
print("up", file=sys.stderr, flush=True)
while len(heard) < 2:
    time.sleep(0.01)
"""


async def interrupted(*argv: str, times: int) -> Finished:
    """What came of a program that says `up` on stderr, and is interrupted at each line that it says."""
    found: list[Interrupt] = []
    lines: asyncio.Queue[str] = asyncio.Queue()
    work = asyncio.create_task(
        run(argv, cwd=Path("/"), env=ENV, timeout=30, on_start=found.append, on_stderr_line=lines.put_nowait)
    )
    for _ in range(times):
        await asyncio.wait_for(lines.get(), 20)
        found[0]()
    done = await work
    found[0]()  # nobody is there any more: no harm
    return done


def test_a_program_can_be_interrupted_again_and_goes_on() -> None:
    done = asyncio.run(interrupted(sys.executable, "-I", "-S", "-c", TALLY, times=2))

    assert (done.exit_code, done.stderr.split()) == (0, [b"up", b"heard", b"heard"])


def test_an_interrupt_meets_the_program_alone() -> None:
    script = """
sh -c 'trap "echo child interrupted" INT; sleep 0.5; echo child lives' &
trap 'echo interrupted' INT
echo up >&2
wait; wait
"""

    done = asyncio.run(interrupted("sh", "-c", script, times=1))

    assert done.stdout.split(b"\n") == [b"interrupted", b"child lives", b""]


def test_a_program_that_does_not_expect_it_is_ended_by_an_interrupt() -> None:
    done = asyncio.run(interrupted("sh", "-c", "echo up >&2; exec sleep 30", times=1))

    assert (done.exit_code, done.timed_out) == (-signal.SIGINT, False)


def test_a_program_is_answered_while_it_runs_and_told_when_there_is_no_more(tmp_path: Path) -> None:
    body = "import sys\nfor line in sys.stdin:\n    print(line.strip() + '!', flush=True)\nprint('end')"
    inputs: list[Stdin] = []
    heard: list[str] = []

    def answer(line: str) -> None:
        heard.append(line)
        if line == "one!":
            inputs[0].write(b"two\n")
        if line == "two!":
            inputs[0].write(b"three")
            inputs[0].finish()
            inputs[0].write(b"never")

    done = asyncio.run(
        run(
            [sys.executable, "-c", body],
            cwd=tmp_path,
            env={},
            stdin=b"one\n",
            timeout=30,
            on_stdout_line=answer,
            on_stdin=inputs.append,
        )
    )

    assert heard == ["one!", "two!", "three!", "end"]
    assert (done.exit_code, done.timed_out) == (0, False)


def test_a_program_that_ends_with_its_input_still_open_leaves_nothing(tmp_path: Path) -> None:
    inputs: list[Stdin] = []

    done = asyncio.run(
        run([sys.executable, "-c", "print(1)"], cwd=tmp_path, env={}, timeout=30, on_stdin=inputs.append)
    )
    inputs[0].write(b"too late")
    inputs[0].finish()

    assert done.stdout == b"1\n"
    assert done.seconds < 20


def test_a_program_that_is_ended_does_not_see_its_input_end_first(tmp_path: Path) -> None:
    """It waits for an answer; the end of its input would be one, and it would go on for as long as it lives."""
    body = "import sys\nprint('asks', flush=True)\nsys.stdin.read()\nopen('went_on', 'w').close()"

    async def main() -> None:
        asks = asyncio.Event()
        work = asyncio.ensure_future(
            run(
                [sys.executable, "-c", body],
                cwd=tmp_path,
                env={},
                timeout=30,
                on_stdout_line=lambda _: asks.set(),
                on_stdin=lambda _: None,
            )
        )
        await asyncio.wait_for(asks.wait(), 30)
        work.cancel()
        await asyncio.wait([work])
        assert work.cancelled()

    for _ in range(5):
        asyncio.run(main())

    assert not (tmp_path / "went_on").exists()
