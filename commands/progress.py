"""Progress on stderr while a workflow runs: a live view on a terminal, else one line an event, JSON for programs."""

import json
import os
import sys
import termios
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from stretto.commands.safe import one_line
from stretto.state.wire import Event


class Watcher(NamedTuple):
    """Who is told: `event` of every event, `note` of what is said to a person."""

    event: Callable[[Event], None]
    note: Callable[[str], None]


@contextmanager
def watcher(as_json: bool, logs: str, known: Iterable[Event] = ()) -> Generator[Watcher]:
    """The watcher that fits where stderr goes.

    A live view begins with the events that are `known` already, and tells from `logs` what the agents are at.
    """
    if as_json:
        yield Watcher(_json_line, _nothing)
    elif sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        with _live(logs, known) as watch:
            yield watch
    elif os.environ.get("CLAUDECODE") == "1":
        yield Watcher(_no_event, _say)  # an assistant reads it, when all is over, and every line costs
    else:
        yield Watcher(_plain_line, _say)


def _no_event(event: Event) -> None:
    del event


def _nothing(text: str) -> None:
    del text


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _json_line(event: Event) -> None:
    _say(json.dumps(event.envelope(), ensure_ascii=False))


def _plain_line(event: Event) -> None:
    _say(f"{_local_time(event.timestamp)} {told(event)}")


def _local_time(timestamp: str) -> str:
    try:
        return datetime.fromisoformat(timestamp).astimezone().strftime("%H:%M:%S")
    except (ValueError, OverflowError):
        return "unknown "


def told(event: Event) -> str:
    """An event as a line for people: its subject first, then what it says of it."""
    data: dict[str, Any] = event.data
    subject = str(data.get("task_id") or event.phase)
    return f"{event.type:<22} {subject:<24} {one_line(_about(event.type, data), 120)}".rstrip()


def _about(kind: str, data: dict[str, Any]) -> str:
    results: dict[str, Any] = data.get("results") or {}
    reason = next((str(v) for k, v in data.items() if k.endswith("_reason") or k == "reason"), "")
    if kind == "TASK_FAILED":
        what = "given up" if data.get("final") is not False else f"attempt {data.get('retry_count', 'unknown')}"
        return f"{what}: {reason}"
    if kind == "TASK_STARTED":
        again = f" (attempt {data['attempt']})" if data.get("attempt", 1) != 1 else ""
        return f"{data.get('title', '')}{again}"
    return str(reason or results.get("summary") or data.get("description") or "")


@contextmanager
def _live(logs: str, known: Iterable[Event]) -> Generator[Watcher]:
    """Phases, agents and what they are at, elapsed time, tokens and cost, redrawn four times a second."""
    from rich.console import Console
    from rich.live import Live

    from stretto.commands.screen import Screen

    screen = Screen(known, logs)
    with _no_echo(), Live(screen, console=Console(stderr=True), refresh_per_second=4, redirect_stdout=False):
        yield Watcher(screen.apply, screen.note)


@contextmanager
def _no_echo() -> Generator[None]:
    """The terminal writes `^C` where the cursor stands, which would push the live view down by a line."""
    try:
        before = termios.tcgetattr(sys.stderr.fileno())
    except (termios.error, OSError):
        yield
        return
    quiet = [*before]
    quiet[3] = before[3] & ~termios.ECHOCTL
    termios.tcsetattr(sys.stderr.fileno(), termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stderr.fileno(), termios.TCSANOW, before)
