"""Progress on stderr while a workflow runs: a live view on a terminal, else one line an event, JSON for programs."""

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from stretto.state.view import apply, fold
from stretto.state.wire import Event

Show = Callable[[Event], None]


@contextmanager
def watcher(as_json: bool) -> Generator[Show]:
    """The listener that fits where stderr goes."""
    if as_json:
        yield _json_line
    elif sys.stderr.isatty():
        with _live() as show:
            yield show
    else:
        yield _plain_line


def _json_line(event: Event) -> None:
    sys.stderr.write(json.dumps(event.envelope(), ensure_ascii=False) + "\n")
    sys.stderr.flush()


def _plain_line(event: Event) -> None:
    sys.stderr.write(f"{event.timestamp[11:19]} {told(event)}\n")
    sys.stderr.flush()


def told(event: Event) -> str:
    """An event as a line for people: its subject first."""
    data: dict[str, Any] = event.data
    subject = data.get("task_id") or event.phase
    results: dict[str, Any] = data.get("results") or {}
    about = data.get("failure_reason") or results.get("summary") or data.get("title") or ""
    first = str(about).strip().splitlines()[:1]
    return f"{event.type:<22} {subject}" + (f"  {first[0][:100]}" if first else "")


@contextmanager
def _live() -> Generator[Show]:
    """Phases, agents, elapsed time, tokens and cost, redrawn four times a second."""
    from rich.console import Console
    from rich.live import Live

    from stretto.commands.screen import Screen

    view = fold(())
    screen = Screen(view)
    with Live(screen, console=Console(stderr=True), refresh_per_second=4, transient=False):

        def show(event: Event) -> None:
            apply(view, event)

        yield show
