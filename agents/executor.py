"""The executor seam: a node awaits `Executor.run(task, inputs)` and knows nothing of where or how the task runs."""

from collections.abc import Mapping
from typing import Protocol

from stretto.agents.task import Outcome, Task


class Drained(Exception):
    """The workflow stops at the next safe point: nothing new may start. Control flow, never shown."""


class Pending(Exception):
    """The task waits for a report from outside, or for a task that does. Control flow, never shown."""


class Executor(Protocol):
    """Runs one task to its end, attempts included.

    Task ids are deterministic and payloads are JSON, so an implementation may sit on another machine.
    """

    def ahead(self, task: Task) -> bool:
        """Whether the task has had its turn already: somebody outside works on it, and it keeps its place."""
        ...

    async def run(self, task: Task, inputs: Mapping[str, Outcome]) -> Outcome:
        """Return a completed outcome, or a failed one that says why. Never raises for an agent's failure.

        `inputs` are the outcomes of the tasks named in `task.after`. A task without a prompt has no agent: its checks
        run, or the project's own tests where it names none, and the outcome's `data` holds their report.
        `data["fatal"]` of a failed outcome says that the runner itself cannot work: no other task need be tried.

        Raises:
            Drained: The order to stop came before the next attempt began.
            Pending: Somebody outside works on it; asked again when a report has come, it goes on.
        """
        ...
