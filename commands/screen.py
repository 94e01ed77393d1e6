"""The live view: a workflow's phases and the agents at work in them, folded from events."""

import time

from rich.console import Group, RenderableType
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from stretto.commands.safe import one_line
from stretto.state.figures import PhaseView, TaskView, WorkflowView
from stretto.state.show import progress, used

_MARKS = {"completed": "[green]✓[/]", "failed": "[red]✗[/]", "pending": "[dim]·[/]", "interrupted": "[yellow]‖[/]"}
_SHOWN = 12


class Screen:
    """Draws a view as it stands; rich asks for it four times a second."""

    def __init__(self, view: WorkflowView) -> None:
        self._view = view
        self._spinner = Spinner("dots")

    def __rich__(self) -> RenderableType:
        """Headline, phases with their tasks, totals."""
        view, now = self._view, time.time()
        table = Table.grid(padding=(0, 2))
        for phase in view.phases.values():
            self._phase(table, phase, now)
        head = Text(one_line(f"{view.workflow_id}  {view.description}"))
        return Group(head, table, Text.from_markup(_totals(view, now)))

    def _phase(self, table: Table, phase: PhaseView, now: float) -> None:
        tasks = [t for t in self._view.tasks.values() if t.phase == phase.name]
        done, known = progress(phase, self._view)
        count = f"{done}/{'?' if known is None else known}" if tasks else ""
        table.add_row(self._mark(phase.state), f"[bold]{phase.name}[/]", count, _clock(phase.seconds(now)))
        if phase.state in {"in_progress", "failed"}:
            for task in tasks[-_SHOWN:]:
                self._task(table, task, now)

    def _task(self, table: Table, task: TaskView, now: float) -> None:
        again = f" [yellow]attempt {task.attempts}[/]" if task.attempts > 1 else ""
        name = Text(f"  {one_line(f'{task.agent} {task.title}', 72)}") + Text.from_markup(again)
        table.add_row(self._mark(task.state), name, "", _clock(task.seconds(now)))

    def _mark(self, state: str) -> RenderableType:
        return Text.from_markup(_MARKS[state]) if state in _MARKS else self._spinner


def _totals(view: WorkflowView, now: float) -> str:
    return f"[dim]{_clock(view.elapsed(now))} elapsed · {used(view.usage)}[/]"


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
