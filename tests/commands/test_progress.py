"""Progress while work is done: a live view in a terminal, lines elsewhere."""

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from fcntl import ioctl

import pytest

from stretto.commands.progress import told
from stretto.state.wire import Event
from tests.commands.door import Project

EVIL = "say \x1b[2J[red]no[/red] \x07\u202e more"


def in_terminal(project: Project, *args: str, columns: int = 80, rows: int = 24, **environment: str) -> str:
    """What `stretto` writes to a terminal of this size, until it ends."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "stretto.commands", *args, "--runner", project.runner],
        cwd=project.root,
        env={**os.environ, "TERM": "xterm-256color", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b"".join(iter(lambda: read(ours, process), b""))
    os.close(ours)
    process.wait(timeout=60)
    return written.decode()


def read(terminal: int, process: "subprocess.Popen[bytes]") -> bytes:
    ready, _, _ = select.select([terminal], [], [], 60)
    if not ready:
        process.send_signal(signal.SIGKILL)
        raise AssertionError("nothing came for a minute")
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side is closed
        return b""


def frames(written: str) -> list[list[str]]:
    """The live view as it was drawn, each time as lines without colours and movements."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-GJKSTm]", "", re.sub(r"\x1b\[1A\x1b\[2K", "", written))
    plain = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", plain)
    drawn = [line.rstrip() for line in plain.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    starts = [i for i, line in enumerate(drawn) if line.startswith("w  ")]
    return [drawn[a:b] for a, b in zip(starts, [*starts[1:], len(drawn)], strict=True)]


@pytest.fixture
def busy(project: Project) -> Project:
    project.agent(
        {"researcher": {"sleep": 0.8, "outcome": {"summary": EVIL}}, "research/b#1": {"exit": 3, "sleep": 0.3}}
    )
    return project


TASKS = """[{"command": "/report", "id": "a", "topic": "Sessions [bold]x[/bold]"},
 {"command": "/report", "id": "b", "topic": "Tokens"}, {"command": "/report", "id": "c", "topic": "Keys"}]"""
WORK = ("subagents", '{"phase": "research", "workflow_id": "w", "name": "Look [red]around[/red]"}', TASKS)


@pytest.mark.slow
def test_in_a_terminal_phases_agents_time_tokens_and_cost_are_seen_while_they_happen(busy: Project) -> None:
    written = in_terminal(busy, *WORK)

    seen = frames(written)
    assert len(seen) > 3
    at_work = next(f for f in seen if any("attempt 2" in line for line in f))
    assert at_work[0] == "w  Look [red]around[/red]: 3 tasks"
    assert re.fullmatch(r"\S research +\d/3 +0:0\d", at_work[1])
    assert any(re.search(r"researcher  Sessions \[bold\]x\[/bold\] +0:0\d$", line) for line in at_work)
    last = seen[-1]
    assert re.fullmatch(r"✓ research +3/3 +0:0\d", last[1])
    assert re.match(r"0:0\d  at least 30 tokens in, at least 15 out, cost at least 0.0030 USD", last[2])
    assert "w is done: merged into main" in written
    assert "\x1b[3" in written
    assert "\x07" not in written
    assert "\u202e" not in written


@pytest.mark.slow
def test_the_view_fits_a_narrow_and_low_terminal(busy: Project) -> None:
    seen = frames(in_terminal(busy, *WORK, columns=30, rows=8))

    live = [f for f in seen if any("researcher" in line for line in f)]
    assert live
    for frame in live:
        lines = [line for line in frame if line]
        assert all(len(line) <= 30 for line in lines)
        assert len(lines) < 8


@pytest.mark.slow
def test_no_color_and_dumb_terminals_are_respected(busy: Project) -> None:
    plain = in_terminal(busy, *WORK, NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", plain)
    assert "✓ research" in re.sub(r"\x1b\[[0-9;]*m", "", plain)

    busy.run("undo", "w")
    dumb = in_terminal(busy, "report", "Sessions", TERM="dumb")
    assert "\x1b" not in dumb
    assert "TASK_COMPLETED" in dumb


def test_elsewhere_each_event_is_a_line_without_a_colour(busy: Project) -> None:
    ran = busy.work(*WORK)

    first, *lines = ran.err.splitlines()
    assert first.startswith("Estimate, ")
    assert len(lines) == len(busy.events())
    assert all(re.match(r"\d\d:\d\d:\d\d [A-Z_]+ ", line) for line in lines)
    assert "\x1b" not in ran.err
    assert "\u202e" not in ran.err
    assert any("attempt 1: " in line and "exit code 3" in line for line in lines)
    assert any("Tokens (attempt 2)" in line for line in lines)


def test_an_event_is_told_with_its_subject_first() -> None:
    def event(kind: str, **data: object) -> Event:
        return Event(1, "e", kind, "w", "research", "2026-01-01T00:00:00.000Z", "s", "info", data)

    assert told(event("PHASE_STARTED")) == "PHASE_STARTED          research"
    assert told(event("TASK_STARTED", task_id="research/a", title="Look")).endswith("research/a               Look")
    assert told(event("TASK_FAILED", task_id="research/a", failure_reason="died")).endswith("given up: died")
    assert told(event("WORKFLOW_PAUSED", pause_reason="waits")).endswith("waits")
    assert told(event("ODD", title="x", results=None)).startswith("ODD")
