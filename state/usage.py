"""How much of the agents' time was allocated, and how much of that was work: folded from events.

Capacity is what was chosen (else the default given), less the agents that have failed. Allocated is what the ledger
held. Busy are, of what a workflow holds, as many agents as it has tasks at work; where nobody tells of tasks, as many
as its phases in progress have; none while it is paused.
"""

from __future__ import annotations

from collections.abc import Iterable

from stretto.state.ledger import Ledger
from stretto.state.light import NamedTuple
from stretto.state.moments import moment
from stretto.state.wire import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_TASK_ENDS = frozenset({"TASK_COMPLETED", "TASK_FAILED", "TASK_TIMEOUT"})
_PHASE_ENDS = frozenset({"PHASE_COMPLETED", "PHASE_FAILED", "PHASE_SKIPPED"})
_STOPS = frozenset({"WORKFLOW_PAUSED", "WORKFLOW_COMPLETED", "WORKFLOW_FAILED", "WORKFLOW_CANCELLED"})


class Utilisation(NamedTuple):
    """Agent-seconds of a window. Shares are None where there is nothing to divide by.

    `ran`: a task or a phase has begun, so that something is known of work.
    """

    since: float
    until: float
    capacity: float
    allocated: float
    busy: float
    ran: bool

    @property
    def allocated_share(self) -> float | None:
        """Allocated of capacity; None before anything was allocated."""
        return self.allocated / self.capacity if self.capacity and self.allocated else None

    @property
    def busy_share(self) -> float | None:
        """Busy of capacity; None before anything ran."""
        return self.busy / self.capacity if self.capacity and self.ran else None

    @property
    def efficiency(self) -> float | None:
        """Busy of allocated; None before anything ran."""
        return self.busy / self.allocated if self.allocated and self.ran else None


class Meter:
    """Adds up agent-seconds, one event at a time; `only` counts the allocations of one workflow alone."""

    def __init__(self, agents: float, since: float, until: float, only: str | None = None) -> None:
        self.since, self.until, self.only = since, until, only
        self.default = self.agents = agents
        self.at: float | None = None
        self.ledger = Ledger()
        self.failed: set[str] = set()
        self.tasks: dict[str, set[str]] = {}
        self.phases: dict[str, dict[str, float]] = {}
        self.paused: set[str] = set()
        self.capacity = self.allocated = self.busy = 0.0
        self.ran = False
        self.counted: list[str] = []
        """The ids of the events that changed what is counted inside the window."""

    def apply(self, event: Event) -> None:
        """Take one more event."""
        at = moment(event.timestamp)
        self._pass(at)
        before = self._now()
        self._learn(event)
        if self._now() != before and self.since <= at <= self.until:
            self.counted.append(event.event_id)

    def total(self) -> Utilisation:
        """What it came to by the end of the window."""
        self._pass(self.until)
        return Utilisation(self.since, self.until, self.capacity, self.allocated, self.busy, self.ran)

    def _pass(self, at: float) -> None:
        if self.at is not None:
            seconds = min(at, self.until) - max(self.at, self.since)
            if seconds > 0:
                capacity, allocated, busy = self._now()
                self.capacity += capacity * seconds
                self.allocated += allocated * seconds
                self.busy += busy * seconds
        self.at = at if self.at is None else max(at, self.at)

    def _now(self) -> tuple[float, float, float]:
        """Agents that there are, that are allocated, that are busy."""
        held: dict[str, float] = {}
        for one in self.ledger.rows.values():
            if one.state == "active" and self.only in (None, one.workflow_id):
                held[one.workflow_id] = held.get(one.workflow_id, 0) + one.granted.get("agents", 0)
        busy = sum(min(self._busy(name), most) for name, most in held.items())
        return max(self.agents - len(self.failed), 0), sum(held.values()), busy

    def _busy(self, workflow: str) -> float:
        if workflow in self.paused:
            return 0
        if workflow in self.tasks:
            return len(self.tasks[workflow])
        return sum(self.phases.get(workflow, {}).values())

    def _learn(self, event: Event) -> None:
        self.ledger.apply(event)
        data, name = event.data, event.workflow_id
        self.ran |= event.type in ("TASK_STARTED", "PHASE_STARTED") and self.only in (None, name)
        if event.type == "TASK_STARTED":
            self.tasks.setdefault(name, set()).add(str(data.get("task_id")))
        elif event.type in _TASK_ENDS and name in self.tasks:
            self.tasks[name].discard(str(data.get("task_id")))
        elif event.type == "PHASE_STARTED":
            self.phases.setdefault(name, {})[str(data.get("phase_id", event.phase))] = _amount(data.get("agents"))
        elif event.type in _PHASE_ENDS:
            self.phases.get(name, {}).pop(str(data.get("phase_id", event.phase)), None)
        elif event.type in _STOPS:
            self.paused.add(name)
        elif event.type in ("WORKFLOW_STARTED", "WORKFLOW_RESUMED"):
            self.paused.discard(name)
        elif event.type == "AGENT_DEALLOCATED":
            self._agent(str(data.get("agent_id")), data.get("state") == "failed")
        elif event.type == "SETTINGS_CHANGED" and data.get("name") == "capacity":
            value: dict[str, Any] = data.get("value") or {}
            self.agents = value.get("agents", self.default)

    def _agent(self, name: str, failed: bool) -> None:
        if failed:
            self.failed.add(name)
        else:
            self.failed.discard(name)


def _amount(value: object) -> float:
    """A phase that nobody gave a number of agents keeps all that its workflow holds busy."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("inf")


def measure(
    events: Iterable[Event], agents: float, since: float, until: float, only: str | None = None
) -> tuple[Utilisation, tuple[str, ...]]:
    """The agent-seconds from `since` to `until`, and the ids of the events behind them.

    Args:
        events: All events of the store, from the first on: who holds what when the window opens is in the older ones.
        agents: How many there are where nobody chose a number.
        since: Seconds since the epoch; what lies before the first event is not counted.
        until: Seconds since the epoch.
        only: Count the allocations of this workflow alone.
    """
    meter = Meter(agents, since, until, only)
    first: float | None = None
    for event in events:
        first = moment(event.timestamp) if first is None else first
        meter.apply(event)
    found = meter.total()
    return found._replace(since=max(since, first) if first is not None else until), tuple(meter.counted)
