"""What finished workflows took, counted from their events, and comparisons of two sets of them.

time          seconds from WORKFLOW_CREATED to WORKFLOW_COMPLETED
agents        agent-seconds that were allocated ÷ time: how many agents it held on average
utilisation   agent-seconds at work ÷ agent-seconds allocated
efficiency    seconds in which at least one phase ran ÷ time: what was not waiting
quality       of its tasks (phases, where nobody told of tasks), the share that was done without a failure before
reliability   1 if nothing failed on its way, else 0; over several, the share

Means have 95 % intervals by Student's t; two sets are compared by Welch's test (B. L. Welch, Biometrika 34, 1947). What
was not counted is None: a share of nothing is no number.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean, variance
from typing import NamedTuple

from stretto.graph import student
from stretto.state.log import Log
from stretto.state.moments import moment
from stretto.state.rows import WorkflowRow
from stretto.state.usage import Meter
from stretto.state.view import fold
from stretto.state.wire import Event

NAMES = ("time", "agents", "utilisation", "efficiency", "quality", "reliability")
ALIASES: Mapping[str, tuple[str, ...]] = {
    "execution_time": ("time",),
    "resources": ("agents", "utilisation"),
    "resource_utilization": ("utilisation",),
    "agent_efficiency": ("efficiency",),
    **{name: (name,) for name in NAMES},
}
"""What people ask for, and the metrics that answer."""
_ENDS = frozenset({"WORKFLOW_CREATED", "WORKFLOW_COMPLETED"})
_HELD = _ENDS | {"RESOURCE_ALLOCATED", "RESOURCE_DEALLOCATED"}
_PHASES = frozenset({"PHASE_STARTED", "PHASE_COMPLETED", "PHASE_FAILED", "PHASE_SKIPPED"})
_TASKS = frozenset({"TASK_STARTED", "TASK_COMPLETED", "TASK_FAILED"})
_TROUBLE = frozenset({"PHASE_FAILED", "TASK_FAILED", "ERROR_ENCOUNTERED", "WORKFLOW_FAILED"})
BEHIND: Mapping[str, frozenset[str]] = {
    "time": _ENDS,
    "agents": _HELD,
    "utilisation": _HELD
    | _PHASES
    | _TASKS
    | {"AGENT_DEALLOCATED", "WORKFLOW_STARTED", "WORKFLOW_RESUMED", "WORKFLOW_PAUSED"},
    "efficiency": _ENDS | _PHASES,
    "quality": _TASKS | _PHASES,
    "reliability": _TROUBLE | {"WORKFLOW_COMPLETED"},
}
"""The types of the events from which each metric is counted."""
_INTERVAL = 0.975
_LEAST_FREEDOM = 3


class Metrics(NamedTuple):
    """One finished workflow. `finished` is in seconds since the epoch; `events` are the ids and types of its own."""

    workflow_id: str
    kind: str
    complexity: str
    finished: float
    time: float | None
    agents: float | None
    utilisation: float | None
    efficiency: float | None
    quality: float | None
    reliability: float | None
    events: tuple[tuple[str, str], ...]

    def behind(self, metric: str = "") -> list[str]:
        """The ids of the events from which one metric is counted, or any."""
        types = BEHIND[metric] if metric else frozenset[str]().union(*BEHIND.values())
        return [name for name, kind in self.events if kind in types]


class Mean(NamedTuple):
    """The mean of `n` values, with the interval that holds it at 95 %; None where there is too little."""

    n: int
    mean: float | None
    low: float | None
    high: float | None


class Difference(NamedTuple):
    """Two means, their difference relative and in points, its 95 % interval, and the probability of it by chance."""

    baseline: Mean
    current: Mean
    relative: float | None
    points: float | None
    low: float | None
    high: float | None
    p: float | None


def finished(log: Log, capacity: float, keep: Callable[[WorkflowRow], bool] = lambda _: True) -> list[Metrics]:
    """The metrics of every completed workflow that is no test of the system itself, in the order of their ends."""
    rows = [row for row in log.each_workflow() if row.status in ("COMPLETED", "ARCHIVED") and keep(row)]
    found = [m for row in rows if not row.spec.get("coordination", {}).get("test") and (m := _of(log, row, capacity))]
    return sorted(found, key=lambda m: (m.finished, m.workflow_id))


def _of(log: Log, row: WorkflowRow, capacity: float) -> Metrics | None:
    events = list(log.events(row.id))
    view = fold(events)
    made = next((e for e in events if e.type == "WORKFLOW_CREATED"), None)
    if made is None or view.finished is None:
        return None
    began = moment(made.timestamp)
    took = view.finished - began
    meter = Meter(capacity, began, view.finished, row.id)
    for event in events:
        meter.apply(event)
    used = meter.total()
    allocated = used.allocated if any(e.type == "RESOURCE_ALLOCATED" for e in events) else None
    clean = not any(e.type in _TROUBLE for e in events)
    return Metrics(
        workflow_id=row.id,
        kind=row.kind,
        complexity=str(row.spec.get("complexity") or row.spec.get("coordination", {}).get("complexity", "")),
        finished=view.finished,
        time=took,
        agents=allocated / took if allocated is not None and took > 0 else None,
        utilisation=used.busy / allocated if allocated else None,
        efficiency=_running(events, view.finished) / took if took > 0 and view.phases else None,
        quality=_first_time(events),
        reliability=float(clean),
        events=tuple((e.event_id, e.type) for e in events),
    )


def _running(events: Iterable[Event], end: float) -> float:
    """Seconds in which at least one phase was in progress."""
    open_: set[str] = set()
    since, total = 0.0, 0.0
    for event in events:
        name, before = str(event.data.get("phase_id", event.phase)), bool(open_)
        if event.type == "PHASE_STARTED":
            open_.add(name)
        elif event.type in ("PHASE_COMPLETED", "PHASE_FAILED", "PHASE_SKIPPED"):
            open_.discard(name)
        if open_ and not before:
            since = moment(event.timestamp)
        elif before and not open_:
            total += moment(event.timestamp) - since
    return total + (end - since if open_ else 0.0)


def _first_time(events: Sequence[Event]) -> float | None:
    """Of the tasks, else the phases, that were done: the share that had not failed before."""
    for kind, key in (("TASK", "task_id"), ("PHASE", "phase_id")):
        done = {str(e.data.get(key, e.phase)) for e in events if e.type == f"{kind}_COMPLETED"}
        failed = {str(e.data.get(key, e.phase)) for e in events if e.type == f"{kind}_FAILED"}
        if done:
            return len(done - failed) / len(done)
    return None


def mean(values: Sequence[float | None]) -> Mean:
    """The mean of those that are known; an interval from four values on."""
    known = [v for v in values if v is not None]
    n = len(known)
    if not n:
        return Mean(0, None, None, None)
    middle = fmean(known)
    if n <= _LEAST_FREEDOM:
        return Mean(n, middle, None, None)
    half = student.quantile(_INTERVAL, n - 1) * math.sqrt(variance(known, middle) / n)
    return Mean(n, middle, middle - half, middle + half)


def compare(baseline: Sequence[float | None], current: Sequence[float | None]) -> Difference:
    """What changed from one set to the other; no test with fewer than four on a side."""
    one, two = mean(baseline), mean(current)
    if one.mean is None or two.mean is None:
        return Difference(one, two, None, None, None, None, None)
    points = two.mean - one.mean
    relative = points / one.mean if one.mean else None
    tested = _welch([v for v in baseline if v is not None], [v for v in current if v is not None])
    if tested is None:
        return Difference(one, two, relative, points, None, None, None)
    half, p = tested
    return Difference(one, two, relative, points, points - half, points + half, p)


def _welch(baseline: Sequence[float], current: Sequence[float]) -> tuple[float, float] | None:
    """Half the width of the 95 % interval of the difference, and the two-sided probability."""
    n, m = len(baseline), len(current)
    if min(n, m) <= _LEAST_FREEDOM:
        return None
    a, b = variance(baseline) / n, variance(current) / m
    points = fmean(current) - fmean(baseline)
    if a + b == 0:
        return 0.0, 1.0 if points == 0 else 0.0
    freedom = max((a + b) ** 2 / (a * a / (n - 1) + b * b / (m - 1)), float(_LEAST_FREEDOM))
    error = math.sqrt(a + b)
    return student.quantile(_INTERVAL, freedom) * error, 2 * (1 - student.cdf(abs(points) / error, freedom))
