"""The world of a scenario: what goes on while nobody types. Simulated time, and workers who do what is to be done.

Creations of one moment are admitted together, when the moment ends. After the last line of an example the workers go
on until nothing is left to do: they start what is scheduled, end each phase when its time is over, complete what is
done. All of it by the functions that the commands use, which write the events.
"""

from collections.abc import Callable
from typing import Final

from stretto.commands.coordinating import Desk, reading, writing
from stretto.commands.scenario_ground import Ground
from stretto.commands.scenario_workload import stretched
from stretto.graph import coordination
from stretto.state.queries import workflows
from stretto.state.rows import WorkflowRow
from stretto.state.view import fold

PHASE_SECONDS: Final = 1800.0
"""How long a phase takes of which nobody said how long."""
LINE_SECONDS: Final = 1.0
"""How long somebody takes to type the next line."""
MOST_STEPS: Final = 10_000
"""Ends of phases after which a world that never comes to rest is given up."""


class World:
    """Moves one ground through time."""

    def __init__(self, ground: Ground) -> None:
        self._app = ground.app
        self._clock = ground.clock

    def end_moment(self) -> None:
        """Admit what was created, and let the time of one line pass."""
        with writing(self._app) as desk:
            desk.admit()
        self.type_a_line()

    def type_a_line(self) -> None:
        """Let the time of one line pass."""
        self._clock.pass_to(self._clock.now() + LINE_SECONDS)

    def run_on(self, until: Callable[[], bool] = lambda: False) -> None:
        """Let the workers go on until nothing is left to do, or `until` says so."""
        for _ in range(MOST_STEPS):
            self._start_what_can()
            due = None if until() else self._next_end()
            if due is None:
                return
            at, workflow, phase = due
            self._clock.pass_to(at)
            with writing(self._app) as desk:
                coordination.end_phase(desk.tx, coordination.row_of(desk.tx, workflow), phase)

    def fail(self, workflow: str, phase: str, error: str) -> None:
        """Let the workers go on until a phase is in progress, and fail it.

        Raises:
            InvalidTransition: It does not come to that.
        """
        self.run_on(lambda: self._in_progress(workflow, phase))
        with writing(self._app) as desk:
            row = coordination.row_of(desk.tx, workflow)
            coordination.end_phase(
                desk.tx, row, coordination.phase_named(row, phase), "failed", {"failure_reason": error}
            )

    def _in_progress(self, workflow: str, phase: str) -> bool:
        with reading(self._app) as log:
            found = fold(log.events(workflow)).phases.get(phase)
        return found is not None and found.state == "in_progress"

    def _start_what_can(self) -> None:
        """Complete what is done, admit, start what is scheduled and every phase that is ready; again while it helps."""
        with writing(self._app) as desk:
            while sum(_went_on(desk, row) for row in _ours(desk)):
                desk.admit()

    def _next_end(self) -> tuple[float, str, str] | None:
        """The phase in progress that ends first."""
        with reading(self._app) as log:
            ends: list[tuple[float, str, str]] = []
            for row in log.workflows():
                if row.runner != coordination.RUNNER or row.status != "RUNNING":
                    continue
                asked = coordination.coordinated(row)
                for phase in fold(log.events(row.id)).phases.values():
                    if phase.state == "in_progress":
                        lasts = (asked.seconds_of(phase.name) or PHASE_SECONDS) * stretched(row.id, phase.name)
                        ends.append(((phase.started or self._clock.now()) + lasts, row.id, phase.name))
        return min(ends, default=None)


def _ours(desk: Desk) -> list[WorkflowRow]:
    """The workflows that the workers may move."""
    rows = workflows(desk.tx.database)
    return [r for r in rows if r.runner == coordination.RUNNER and r.status in ("SCHEDULED", "RUNNING")]


def _went_on(desk: Desk, row: WorkflowRow) -> bool:
    """Whether a workflow could go on without time: it was completed, or phases of it were started."""
    view = coordination.view_of(desk.tx, row.id)
    if row.status == "RUNNING" and not coordination.unfinished(row, view):
        coordination.complete(desk.tx, row)
        return True
    ready = [
        n for n in coordination.ready_phases(row, view) if n not in view.phases or view.phases[n].state != "failed"
    ]
    for name in ready:
        coordination.start_phase(desk.tx, coordination.row_of(desk.tx, row.id), name)
    return bool(ready)
