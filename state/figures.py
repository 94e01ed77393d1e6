"""What a view is made of: a workflow, its phases and tasks, and sums that know what was not measured."""

from __future__ import annotations

from collections.abc import Mapping

from stretto.state.light import cast
from stretto.state.wire import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UNKNOWN = "UNKNOWN"
_ABSURD = 1e18


class Count:
    """A sum of which parts may not have been measured."""

    __slots__ = ("known", "unknown")

    def __init__(self) -> None:
        self.known: float | None = None
        """The sum of what was measured; None if nothing was."""
        self.unknown = 0
        """How many parts were not."""

    @property
    def total(self) -> float | None:
        """The sum, or None when a part of it is unknown."""
        return self.known if not self.unknown else None

    def add(self, part: object) -> None:
        """Count one part; anything but a number that can be one is unknown."""
        if isinstance(part, int | float) and not isinstance(part, bool) and 0 <= part < _ABSURD:
            self.known = part if self.known is None else self.known + part
        else:
            self.unknown += 1


class Usage:
    """What the ended attempts used."""

    __slots__ = ("cost_usd", "input_tokens", "output_tokens")

    def __init__(self) -> None:
        self.input_tokens = Count()
        self.output_tokens = Count()
        self.cost_usd = Count()

    def add(self, usage: object) -> None:
        """Count one attempt."""
        parts: Mapping[str, object] = cast("Mapping[str, object]", usage) if isinstance(usage, Mapping) else {}
        self.input_tokens.add(parts.get("input_tokens"))
        self.output_tokens.add(parts.get("output_tokens"))
        self.cost_usd.add(parts.get("cost_usd"))


class Span:
    """Something with a beginning and an end: seconds since the epoch, None while unknown or still to come."""

    __slots__ = ("finished", "started")

    def __init__(self) -> None:
        self.started: float | None = None
        self.finished: float | None = None

    def seconds(self, now: float | None = None) -> float | None:
        """How long it took, or has taken until `now`; None if that is not known or the clock went backwards."""
        end = self.finished if self.finished is not None else now
        if self.started is None or end is None or end < self.started:
            return None
        return end - self.started


class PhaseView(Span):
    """A phase: `pending`, `in_progress`, `completed`, `failed` or `skipped`.

    `expected` is how many tasks it announced; `generation` how often it ran.
    """

    __slots__ = ("commit", "expected", "generation", "metrics", "name", "reason", "state")

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.state = "pending"
        self.expected: int | None = None
        self.generation = 0
        self.commit = ""
        self.metrics: Mapping[str, Any] = {}
        self.reason = ""


class TaskView(Span):
    """A task: `waiting`, `running`, `retrying`, `interrupted` (its driver stopped under it), `completed` or `failed`.

    `order` is the work order by which somebody outside carries it out: it waits to be taken, then runs, whether or not
    a driver lives.
    """

    __slots__ = (
        "agent",
        "attempts",
        "order",
        "phase",
        "reason",
        "role",
        "state",
        "summary",
        "task_id",
        "title",
        "usage",
        "writes",
    )

    def __init__(self, task_id: str, phase: str) -> None:
        super().__init__()
        self.task_id = task_id
        self.phase = phase
        self.state = "running"
        self.attempts = 0
        self.agent = ""
        self.role = ""
        self.title = ""
        self.order = ""
        self.reason = ""
        self.summary = ""
        self.writes: tuple[str, ...] = ()
        self.usage = Usage()


class WorkflowView(Span):
    """A workflow as its events tell it. `status` is `UNKNOWN` before its first one."""

    __slots__ = (
        "commits", "description", "last", "phase", "phases", "reason", "seq", "status", "tasks", "type", "updated",
        "usage", "warnings", "workflow_id",
    )  # fmt: skip

    def __init__(self, workflow_id: str = "") -> None:
        super().__init__()
        self.workflow_id = workflow_id
        self.status = UNKNOWN
        self.description = ""
        self.type = ""
        self.phase = ""
        self.phases: dict[str, PhaseView] = {}
        self.tasks: dict[str, TaskView] = {}
        self.usage = Usage()
        self.commits: list[tuple[str, str]] = []
        """Phase and commit, in order."""
        self.warnings: list[str] = []
        self.reason = ""
        """Why it paused, failed or was cancelled."""
        self.last: list[Event] = []
        """The newest events, at most ten."""
        self.seq = 0
        self.updated: float | None = None
        """When the newest event was written."""

    def elapsed(self, now: float | None = None) -> float | None:
        """Seconds from its start to its end; while it has none, to `now`, by default the newest event."""
        return self.seconds(self.updated if now is None else now)
