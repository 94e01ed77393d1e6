"""/progress-aggregator test-integration: workflows that really run in stores of their own, watched and forecast."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from stretto.commands.app import App
from stretto.commands.coordinating import reading, writing
from stretto.commands.coordination_hub import create
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.lag import Lag, Note, measure
from stretto.commands.parse import parse_line
from stretto.commands.progress_words import percent
from stretto.commands.replayed import hashes
from stretto.commands.reply import Reply
from stretto.commands.scenario_document import Example
from stretto.commands.scenario_ground import make
from stretto.commands.scenario_workload import groups
from stretto.commands.scenario_world import World
from stretto.graph import coordination, progress
from stretto.graph.accuracy import start_accuracy
from stretto.graph.coordinated import Coordinated, Needs, Stage
from stretto.graph.trials import run as run_trial
from stretto.state.log import Log

PARTS: Final = ("multi_workflow", "real_time_updates", "prediction_accuracy")
CONTENDED: Final = "high_contention"
_MOVED: Final = 5
_PHASES: Final = ("design", "build", "check", "describe", "review", "hand_over")
_PAUSE_SECONDS: Final = 0.004


class Ran(NamedTuple):
    """What became of the workload: how many there were, completed, and were under way at one time at most."""

    workflows: int
    completed: int
    most_at_once: int
    events: int
    overall_progress: float | None
    state_equals_replay: bool


def test_integration(invocation: Invocation, app: App) -> Reply:
    """`'{"multi_workflow": true, "real_time_updates": true, "prediction_accuracy": true}'`: in stores that go again."""
    del app
    fields = Fields(invocation.json[0] if invocation.json else {})
    on = {name: fields.flag(name, default=True) for name in PARTS}
    fields.close()
    with tempfile.TemporaryDirectory(prefix="stretto-integration-") as folder:
        ran, told = _workload(Path(folder) / "ground", several=on["multi_workflow"])
        lags = _lags(Path(folder), several=on["multi_workflow"]) if on["real_time_updates"] else {}
    sound = ran.completed == ran.workflows and ran.state_equals_replay and all(one.views_equal for one in lags.values())
    result: dict[str, Any] = {"test": True, "passed": sound, **on, "workflows": ran._asdict()}
    if lags:
        result["updates"] = {name: one._asdict() for name, one in lags.items()}
    if on["prediction_accuracy"]:
        result["predictions"] = told
    text = "\n".join(_table(ran, lags, told if on["prediction_accuracy"] else {}))
    steps = ("stretto progress-aggregator resource-prediction-accuracy",)
    found = Reply("progress-aggregator", text, result, invocation.operation, next_steps=steps)
    return found._replace(exit_code=0 if sound else 1)


def _table(ran: Ran, lags: Mapping[str, Lag], told: Mapping[str, Any]) -> list[str]:
    replay = "state equals replay" if ran.state_equals_replay else "STATE DIFFERS FROM REPLAY"
    rows = [
        (
            "workflows",
            f"{ran.completed} of {ran.workflows} completed, {ran.most_at_once} at once at most, overall progress"
            f" {percent(ran.overall_progress)}, {ran.events} events, {replay} (simulated time)",
        )
    ]
    rows += [(f"updates, {name}", one.told) for name, one in lags.items()]
    if told:
        phases, starts = told["phases"], told["starts"]
        rows += [
            (
                "phases forecast",
                f"{phases['n']}: {percent(phases['coverage'])} within their 80 % intervals, bias"
                f" {percent(phases['bias'])}",
            ),
            (
                "starts estimated",
                f"{starts['n']}: median error {percent(starts['median_error'])}, bias {percent(starts['bias'])}",
            ),
        ]
    widest = max(len(name) for name, _ in rows)
    return [f"{name:<{widest}}  {said}" for name, said in rows]


# ── a workload in simulated time ─────────────────────────────────────────────────────────────────────────────────────


def _workload(root: Path, *, several: bool) -> tuple[Ran, dict[str, Any]]:
    """Twenty workflows, four at a moment, for a pool that has not enough for all; or the first of them alone."""
    ground = make(root, Example("integration", 1, (), (), ()))
    world = World(ground)
    made = [*groups("test")] if several else [next(groups("test"))[:1]]
    for group in made:
        for line in group:
            create(parse_line(line, project=ground.app.folder), ground.app)
        world.end_moment()
        world.run_on()
    with reading(ground.app) as log:
        found, read = progress.all_progress(log, ground.clock.now())
        statuses = [row.status for row in log.workflows()]
        ran = Ran(
            workflows=len(statuses),
            completed=statuses.count("COMPLETED"),
            most_at_once=_most_at_once(log),
            events=log.last_seq(),
            overall_progress=progress.overall(found, {p.workflow_id: progress.WEIGHTS[p.priority] for p in found}),
            state_equals_replay=hashes(log).equal,
        )
        starts = start_accuracy(log.events())
    return ran, {"phases": read.forecaster.accuracy()._asdict(), "starts": starts._asdict()}


def _most_at_once(log: Log) -> int:
    running: set[str] = set()
    most = 0
    for event in log.events():
        if event.type == "WORKFLOW_STARTED":
            running.add(event.workflow_id)
        elif event.type == "WORKFLOW_COMPLETED":
            running.discard(event.workflow_id)
        most = max(most, len(running))
    return most


# ── the lag of a view ────────────────────────────────────────────────────────────────────────────────────────────────


def _lags(folder: Path, *, several: bool) -> dict[str, Lag]:
    """While workflows are moved one step after the other; and, where there are several, under the highest load."""
    found = {"one by one": measure(folder / "moved", lambda store, note: _moved(store, note, several=several))}
    if several:
        found[CONTENDED] = measure(folder / "contended", _contended)
    return found


def _contended(store: Path, note: Note) -> None:
    run_trial(CONTENDED, store, note=note)


def _moved(store: Path, note: Note, *, several: bool) -> None:
    app = App(str(store.parent), str(store), window=None)
    names = [f"moved_{number:03d}" for number in range(1, (_MOVED if several else 1) + 1)]
    stages = tuple(Stage(name=one) for one in _PHASES)
    for name in names:
        asked = Coordinated(name=name, phases=stages, resources=Needs(agents=0), test=True)
        with writing(app) as desk:
            coordination.create(desk.tx, name, asked, desk.capacity)
            ids, before = list(desk.tx.ids), time.monotonic()
        note(ids, before)
    for phase in _PHASES:
        for name in names:
            _step(app, note, name, phase)


def _step(app: App, note: Note, name: str, phase: str) -> None:
    """One phase begins and ends: two commits, and a moment between them."""
    for ends in (False, True):
        with writing(app) as desk:
            desk.admit()
            row = coordination.row_of(desk.tx, name)
            if ends:
                coordination.end_phase(desk.tx, row, phase)
            else:
                coordination.start_phase(desk.tx, row, phase)
            ids, before = list(desk.tx.ids), time.monotonic()
        note(ids, before)
        time.sleep(_PAUSE_SECONDS)
