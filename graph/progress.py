"""How far workflows have come, folded from their events.

A workflow's progress is Σ weight · share over its phases ÷ Σ weight. The weight of a phase is how long it should take,
where that is known of each; else all are equal. Its share is 1 when it is completed or skipped; while it runs, the
tasks that are done of those it announced, or what was last told (`PHASE_PROGRESS`), else 0. It falls only when work is
done again. Of several workflows, progress is the mean, each weighted by its priority or by what was chosen.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from stretto.graph.coordinated import Coordinated
from stretto.graph.coordination import DONE, RUNNER
from stretto.graph.forecast import Forecaster, Phase
from stretto.graph.tracking import LEARNING
from stretto.state.figures import PhaseView, WorkflowView
from stretto.state.log import Log
from stretto.state.machine import ACTIVE, FINAL
from stretto.state.rows import WorkflowRow
from stretto.state.view import apply
from stretto.state.wire import Event

WEIGHTS: Mapping[str, float] = {"critical": 1.0, "high": 0.8, "medium": 0.6, "low": 0.4}


class Left(NamedTuple):
    """Seconds to the end: `likely`, between `low` and `high` where a forecast says so; None is unknown."""

    low: float | None
    likely: float | None
    high: float | None
    basis: str


class Progress(NamedTuple):
    """One workflow. `share` is between 0 and 1; `events` are the ids of those behind it."""

    workflow_id: str
    name: str
    status: str
    priority: str
    share: float
    phase: str
    done: int
    phases: int
    left: Left
    events: tuple[str, ...]


class Figures(NamedTuple):
    """What one reading of the log gave: a view and the counting events of each workflow, and what phases took."""

    views: dict[str, WorkflowView]
    told: dict[str, dict[str, float]]
    events: dict[str, list[str]]
    forecaster: Forecaster
    forecasts: bool = True
    """Whether anything may be forecast."""


_COUNTING = ("WORKFLOW_", "PHASE_", "TASK_", "CHECKPOINT_RESTORED")


def figures(events: Iterable[Event]) -> Figures:
    """Fold all events of a store, once. Nothing is learned of tests, nor of what ends while learning is off."""
    learning = forecasts = True
    tests: set[str] = set()
    found = Figures({}, {}, {}, Forecaster())
    for event in events:
        view = found.views.setdefault(event.workflow_id, WorkflowView())
        apply(view, event)
        if event.type.startswith(_COUNTING):
            found.events.setdefault(event.workflow_id, []).append(event.event_id)
        if event.type == "PHASE_PROGRESS" and isinstance(said := event.data.get("progress_percentage"), int | float):
            found.told.setdefault(event.workflow_id, {})[event.phase] = min(max(float(said) / 100, 0.0), 1.0)
        if event.type == "SETTINGS_CHANGED" and event.data.get("name") == LEARNING:
            chosen = event.data.get("value", {})
            learning = chosen.get("adaptive_tuning") != "off"
            forecasts = chosen.get("performance_prediction") != "disabled"
        if event.type == "WORKFLOW_CREATED" and event.data.get("test"):
            tests.add(event.workflow_id)
        learns = learning and event.workflow_id not in tests
        if learns and event.type in ("PHASE_COMPLETED", "PHASE_FAILED"):
            _learn(found.forecaster, view, event)
    return found._replace(forecasts=forecasts)


def _learn(forecaster: Forecaster, view: WorkflowView, event: Event) -> None:
    phase = view.phases.get(str(event.data.get("phase_id", event.phase)))
    if phase and (took := phase.seconds()):
        told = Phase(phase.name, workflow=event.workflow_id)
        forecaster.observe(told, took, finished=event.type == "PHASE_COMPLETED")


def progress(row: WorkflowRow, read: Figures, now: float) -> Progress:
    """How far one workflow has come."""
    view = read.views.get(row.id, WorkflowView())
    asked = Coordinated.model_validate(row.spec["coordination"]) if row.runner == RUNNER else None
    names = [p.name for p in asked.phases] if asked else [*view.phases]
    said = {name: asked.seconds_of(name) for name in names} if asked else dict[str, float | None]()
    weights = _weights(names, said)
    shares = {name: _share(name, view, read.told.get(row.id, {})) for name in names}
    total = sum(weights.values())
    share = sum(weights[n] * shares[n] for n in names) / total if total else 0.0
    if row.status in ("COMPLETED", "ARCHIVED"):
        share = 1.0
    return Progress(
        workflow_id=row.id,
        name=row.description,
        status=row.status,
        priority=asked.priority if asked else str(row.spec.get("priority", "medium")),
        share=share,
        phase=view.phase,
        done=sum(name in view.phases and view.phases[name].state in DONE for name in names),
        phases=len(names),
        left=_left(row, view, names, said, read, now),
        events=tuple(read.events.get(row.id, ())),
    )


def _weights(names: Sequence[str], said: Mapping[str, float | None]) -> dict[str, float]:
    known = {name: seconds for name in names if (seconds := said.get(name)) is not None}
    return known if names and len(known) == len(names) else dict.fromkeys(names, 1.0)


def _share(name: str, view: WorkflowView, told: Mapping[str, float]) -> float:
    phase = view.phases.get(name)
    if phase is None or phase.state in ("pending", "failed"):
        return 0.0
    if phase.state in DONE:
        return 1.0
    return max(_tasks_done(phase, view), told.get(name, 0.0))


def _tasks_done(phase: PhaseView, view: WorkflowView) -> float:
    """A task's id begins with its phase, and ends with `~N` in the phase's N-th run."""
    mine = [task for name, task in view.tasks.items() if name.partition("/")[0] == phase.name]
    expected = max(phase.expected or 0, len(mine))
    return sum(task.state == "completed" for task in mine) / expected if expected else 0.0


def _left(
    row: WorkflowRow,
    view: WorkflowView,
    names: Sequence[str],
    said: Mapping[str, float | None],
    read: Figures,
    now: float,
) -> Left:
    """By what was said of its phases; by past phases of the same names where nobody said anything."""
    if row.status in FINAL:
        return Left(0.0, 0.0, 0.0, "it has ended")
    open_ = [n for n in names if n not in view.phases or view.phases[n].state not in DONE]
    ran = {n: _ran(view.phases.get(n), now) for n in open_}
    known = {n: seconds for n in open_ if (seconds := said.get(n)) is not None}
    order = Coordinated.model_validate(row.spec["coordination"]).order() if row.runner == RUNNER else {}
    if len(known) == len(open_):
        likely = _longest({n: max(seconds - ran[n], 0.0) for n, seconds in known.items()}, order)
        return Left(None, likely, None, "what was said when it was made")
    if not read.forecasts:
        return Left(None, None, None, "forecasts are disabled by enable-learning")
    found = [read.forecaster.forecast(Phase(n, workflow=row.id, elapsed=ran[n])) for n in open_]
    if not found or any(f.likely is None for f in found):
        return Left(None, None, None, found[0].basis if found else "its phases are not known")
    low, likely, high = (
        _longest({n: max((value or 0.0) - ran[n], 0.0) for n, value in zip(open_, side, strict=True)}, order)
        for side in zip(*((f.low, f.likely, f.high) for f in found), strict=True)
    )
    return Left(low, likely, high, found[0].basis)


def _longest(seconds: Mapping[str, float], order: Mapping[str, Sequence[str]]) -> float:
    """The longest chain of phases; one after the other where no order is known."""
    if not order:
        return sum(seconds.values())
    ends: dict[str, float] = {}
    for name, before in order.items():  # a phase comes after those it waits for
        ends[name] = max((ends[b] for b in before), default=0.0) + seconds.get(name, 0.0)
    return max(ends.values(), default=0.0)


def _ran(phase: PhaseView | None, now: float) -> float:
    return (phase.seconds(now) or 0.0) if phase and phase.state == "in_progress" else 0.0


def overall(found: Sequence[Progress], chosen: Mapping[str, float] | None = None) -> float | None:
    """The weighted mean of what has not ended, and of what was chosen to be watched; None where there is nothing."""
    counted = [p for p in found if p.workflow_id in chosen] if chosen else [p for p in found if p.status in ACTIVE]
    weight = {p.workflow_id: (chosen or {}).get(p.workflow_id, WEIGHTS[p.priority]) for p in counted}
    total = sum(weight.values())
    return sum(weight[p.workflow_id] * p.share for p in counted) / total if total else None


def all_progress(log: Log, now: float) -> tuple[list[Progress], Figures]:
    """Every workflow of a store that is no test, oldest first, and the figures that it was read from."""
    read = figures(log.events())
    rows = [row for row in log.each_workflow() if not row.spec.get("coordination", {}).get("test")]
    return [progress(row, read, now) for row in rows], read
