"""The live view: a workflow's phases and the agents at work in them, folded from events."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderableType
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from stretto.commands.at_work import doing
from stretto.commands.safe import one_line
from stretto.state.figures import PhaseView, TaskView, WorkflowView
from stretto.state.show import progress, used
from stretto.state.view import apply, fold
from stretto.state.wire import Event

_WIDEST = 100
_AROUND = 4
"""Lines that are no phase and no task: the headline, the totals, a note, and the cursor's."""
_FEWEST = 3
_LOOK_SECONDS = 1.0
_MARKS = {
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "pending": ("·", "dim"),
    "skipped": ("-", "dim"),
    "interrupted": ("‖", "yellow"),
    "waiting": ("○", "dim"),
}
_STOPPED = frozenset({"PAUSED", "FAILED", "CANCELLED"})
_URGENCY = {"running": 0, "waiting": 1, "retrying": 2, "failed": 3, "interrupted": 4, "completed": 5}


class _Row(NamedTuple):
    state: str
    name: Text
    tally: str = ""
    clock: str = ""


class Screen:
    """Draws a view as it stands, from the events that are `known`. More come in one thread; rich draws in another.

    What an agent is at stands behind its task, read from `logs` once a second.
    """

    def __init__(self, known: Iterable[Event] = (), logs: str = "") -> None:
        self._view = fold(known)
        self._logs = logs
        self._doing: dict[str, str] = {}
        self._looked = 0.0
        self._note = ""
        self._spinner = Spinner("dots")
        self._lock = threading.Lock()

    def apply(self, event: Event) -> None:
        """Take one more event into the view."""
        with self._lock:
            apply(self._view, event)

    def note(self, text: str) -> None:
        """Show a sentence below the rest."""
        with self._lock:
            self._note = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Headline, phases with the tasks of those that run, totals; no wider and no higher than the terminal."""
        with self._lock:
            width = min(options.max_width, _WIDEST)
            now = time.time()
            self._look(now)
            yield _cut(Text.assemble((self._view.workflow_id, "bold"), f"  {one_line(self._view.description)}"), width)
            yield self._table(width, console.height - _AROUND, now)
            yield _cut(Text(_totals(self._view, now), "dim"), width)
            if self._note:
                yield _cut(Text(self._note, "yellow"), width)

    def _table(self, width: int, height: int, now: float) -> Table:
        table = Table.grid(padding=(0, 1), expand=True)
        table.width = width
        table.add_column(width=1)
        table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column(no_wrap=True, justify="right")
        table.add_column(no_wrap=True, justify="right", width=6)
        for row in _rows(self._view, self._doing, height, now):
            table.add_row(self._mark(row.state), row.name, row.tally, row.clock)
        return table

    def _look(self, now: float) -> None:
        if self._logs and not 0 <= now - self._looked < _LOOK_SECONDS:
            self._looked = now
            busy = [task for task in self._view.tasks.values() if task.state == "running" and not task.order]
            found = ((t.task_id, doing(self._logs, self._view.workflow_id, t.task_id, t.attempts)) for t in busy)
            self._doing = {name: seen["what"] for name, seen in found if seen}

    def _mark(self, state: str) -> RenderableType:
        if not state:
            return ""
        return Text(*_MARKS[state]) if state in _MARKS else self._spinner


def _totals(view: WorkflowView, now: float) -> str:
    counts = (view.usage.input_tokens, view.usage.output_tokens, view.usage.cost_usd)
    told = any(c.known is not None or c.unknown for c in counts)
    return "  ".join(filter(None, [_clock(view.elapsed(now)), used(view.usage) if told else ""]))


def _cut(text: Text, width: int) -> Text:
    text.truncate(width, overflow="ellipsis")
    return text


def _rows(view: WorkflowView, at: Mapping[str, str], height: int, now: float) -> Iterator[_Row]:
    at_work = [p for p in view.phases.values() if p.state in {"in_progress", "failed"}]
    room = max(_FEWEST, (height - len(view.phases)) // max(1, len(at_work)))
    for phase in view.phases.values():
        yield _phase(view, phase, now)
        if phase in at_work:
            yield from _tasks(view, phase, at, room, now)


def _phase(view: WorkflowView, phase: PhaseView, now: float) -> _Row:
    if phase.state == "pending":
        return _Row(phase.state, Text(one_line(phase.name), "dim"))
    done, known = progress(phase, view)
    name = Text(one_line(phase.name), "bold")
    if phase.generation > 1:
        name.append(f"  pass {phase.generation}", "yellow")
    stopped = phase.state == "in_progress" and view.status in _STOPPED
    return _Row(
        "interrupted" if stopped else phase.state,
        name,
        f"{done}/{'?' if known is None else known}",
        _clock(phase.seconds(now)),
    )


def _tasks(view: WorkflowView, phase: PhaseView, at: Mapping[str, str], room: int, now: float) -> Iterator[_Row]:
    """The tasks of a phase, those at work first; those without room are only counted."""
    mine = [t for t in view.tasks.values() if t.phase == phase.name]
    shown = sorted(mine, key=lambda t: _URGENCY.get(t.state, 0))
    keep = room if len(shown) <= room else room - 1
    yield from (_task(t, at.get(t.task_id, ""), now) for t in shown[:keep])
    if (hidden := len(shown) - keep) > 0:
        yield _Row("", Text(f"  and {hidden} more", "dim"))


def _task(task: TaskView, at: str, now: float) -> _Row:
    name = Text(
        f"  {one_line(task.agent or task.role)}  {one_line(task.title)}", "" if task.state == "running" else "dim"
    )
    if task.attempts > 1:
        name.append(f"  attempt {task.attempts}", "yellow")
    if task.state in {"failed", "retrying"} and task.reason:
        name.append(f"  {one_line(task.reason)}", "red")
    if task.state == "running" and at:
        name.append(f"  {one_line(at)}", "dim")
    return _Row(task.state, name, "", _clock(task.seconds(now)))


def _clock(seconds: float | None) -> str:
    """`0:07`, `12:30`, `2:05:00`; nothing for what is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
