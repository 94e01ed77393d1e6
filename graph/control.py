"""Control: how the outside tells a running workflow to drain, or to stop at once."""

import asyncio
from collections.abc import Callable


class Control:
    """One workflow's levers. `drain` lets running tasks finish; `cut` ends them; both leave a resumable workflow."""

    def __init__(self) -> None:
        self._on_drain: list[Callable[[], None]] = []
        self._task: asyncio.Task[object] | None = None
        self.draining = False
        self.cutting = False
        self.cancelled = False

    def attach(self, task: "asyncio.Task[object]", on_drain: Callable[[], None]) -> None:
        """Bind the levers to a run; an order given before now takes effect now."""
        self._task = task
        self._on_drain.append(on_drain)
        if self.draining:
            on_drain()
        if self.cutting:
            task.cancel()

    def drain(self) -> None:
        """Start nothing new; stop when what runs has ended."""
        self.draining = True
        for tell in self._on_drain:
            tell()

    def cut(self) -> None:
        """End what runs. An attempt that is cut off runs again on resume, under the same key."""
        self.cutting = True
        if self._task:
            self._task.cancel()

    def cancel(self) -> None:
        """End what runs, for good."""
        self.cancelled = True
        self.cut()
