"""Faults told to the workflows of an isolated store, under a simulated clock, and recovered from.

A fault is written as the events that tell of it, and what it takes is taken: the agent leaves the pool, the pool is
full, a write that comes too late is made and refused. No process is killed and no connection is cut.

The workload: two workflows of six phases of ten minutes, each with one agent of four; where the pool is to be
exhausted, a third that holds the other two until half a minute after the fault. The fault comes in the second phase of
the first; the greater its impact, the later in the phase, so the more work is lost. The same workload without a fault
is what it is compared with.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from stretto.commands.coordinating import Desk, reading, writing
from stretto.commands.scenario_document import Example
from stretto.commands.scenario_ground import Ground, make
from stretto.commands.scenario_world import World
from stretto.graph import coordination, failing, recovery
from stretto.graph.coordinated import Coordinated, Needs, Stage
from stretto.graph.savepoints import digest
from stretto.state.care_fold import Story, Told
from stretto.state.errors import StateConflict
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow
from stretto.state.view import fold

PHASES, PHASE_SECONDS = 6, 600.0
GROUND = (
    "simulated: each fault is told as its events, once; no process is killed, no connection cut; of"
    f" {PHASES} phases of {PHASE_SECONDS / 60:.0f} min at most one is lost ({1 / PHASES:.0%})"
)
"""What the figures stand on, for whoever reads them."""
VICTIM, AGENT, PHASE = "victim_001", "agent_001", "step_2"
IMPACTS: Final[Mapping[str, float]] = {"low": 0.25, "medium": 0.5, "high": 0.75, "critical": 1.0}
"""How far into its phase a fault of each impact comes."""
_BUSY_AFTER = 30.0
"""Seconds for which the pool is exhausted after the fault."""


class Injected(NamedTuple):
    """One fault. Seconds: `waited` of simulated time until the phase ran again, `worked` of real time by the commands.

    `makespan` and `undisturbed` are simulated: how long the workflow took with the fault and without.
    """

    error_type: str
    impact: str
    cause: str
    recovered: bool
    waited: float
    worked: float
    rows_hash: str
    replay_hash: str
    chain_sound: bool
    stale_writes_refused: int
    makespan: float
    undisturbed: float

    @property
    def recovery_seconds(self) -> float:
        """Until the phase ran again."""
        return self.waited + self.worked

    @property
    def consistent(self) -> bool:
        """Whether the rows are what a replay of the log gives."""
        return self.rows_hash == self.replay_hash and self.chain_sound

    @property
    def degradation(self) -> float:
        """How much longer it took, as a share."""
        return self.makespan / self.undisturbed - 1

    def told(self) -> dict[str, Any]:
        """For programs."""
        own = {"recovery_seconds": self.recovery_seconds, "consistent": self.consistent}
        return {**self._asdict(), **own, "degradation": self.degradation}


def inject(error_type: str, impact: str) -> Injected:
    """Run the workload without a fault, then with one, each in a store of its own that is gone afterwards."""
    moment = IMPACTS[impact] * PHASE_SECONDS - 1
    with tempfile.TemporaryDirectory(prefix="stretto-fault-") as folder:
        calm = _Run(Path(folder) / "calm", moment, error_type)
        calm.world.run_on()
        struck = _Run(Path(folder) / "struck", moment, error_type)
        return struck.strike(impact, calm.makespan())


class _Run:
    """One workload on its ground."""

    def __init__(self, root: Path, moment: float, error_type: str) -> None:
        root.mkdir()
        self.ground: Ground = make(root, Example("fault", 1, (), (), ()))
        self.world = World(self.ground)
        self.moment, self.error_type = moment, error_type
        with writing(self.ground.app) as desk:
            for name in (VICTIM, "other_002"):
                stages = tuple(Stage(name=f"step_{i}", seconds=PHASE_SECONDS) for i in range(1, PHASES + 1))
                self._create(desk, name, stages, agents=1)
            if error_type == "resource_exhaustion":
                busy = PHASE_SECONDS + moment + _BUSY_AFTER
                self._create(desk, "busy_003", (Stage(name="busy", seconds=busy),), agents=2)
            desk.admit()
            row = coordination.row_of(desk.tx, VICTIM)
            coordination.assign(desk.tx, row, [(AGENT, "worker")], round(desk.capacity["agents"]))

    def _create(self, desk: Desk, name: str, stages: tuple[Stage, ...], *, agents: int) -> None:
        asked = Coordinated(name=name, phases=stages, resources=Needs(agents=agents), test=True)
        coordination.create(desk.tx, name, asked, desk.capacity)

    def makespan(self) -> float:
        """From the creation of the one that is struck to its end."""
        with reading(self.ground.app) as log:
            view = fold(log.events(VICTIM))
        return view.seconds() or 0.0

    def strike(self, impact: str, undisturbed: float) -> Injected:
        """Let the fault happen, recover, and let the workload run to its end."""
        app, clock = self.ground.app, self.ground.clock
        self.world.run_on(lambda: self._at_work(PHASE))
        clock.pass_to(clock.now() + self.moment)
        failed_at = clock.now()
        began = time.perf_counter()
        with writing(app) as desk:
            row = coordination.row_of(desk.tx, VICTIM)
            version = row.state_version
            _FAULTS[self.error_type](desk, row)
            coordination.end_phase(desk.tx, row, PHASE, "failed", {"failure_reason": "as told before"})
            analysis = recovery.noticed(desk.tx, row)
            recovery.begin(desk.tx, row, _STRATEGIES[self.error_type], ("manual_intervention",), keep=True)
        with writing(app) as desk:
            row = coordination.row_of(desk.tx, VICTIM)
            done = failing.isolate(desk.tx, row, AGENT, "isolate_and_recover", desk.capacity)
            desk.admit()
            failing.hand_out_again(desk.tx, row, done, AGENT)
        self.world.run_on(self._has_agent)
        with writing(app) as desk:
            coordination.start_phase(desk.tx, coordination.row_of(desk.tx, VICTIM), PHASE)
        worked, waited = time.perf_counter() - began, clock.now() - failed_at
        refused = self._late(version) if self.error_type == "network_partition" else 0
        self.world.run_on()
        with reading(app) as log:
            view, rows, replay = fold(log.events(VICTIM)), *_hashes(log)
            sound = log.verify() > 0
        return Injected(
            error_type=self.error_type,
            impact=impact,
            cause=analysis.cause.kind if analysis else "unknown",
            recovered=view.status == "COMPLETED",
            waited=waited,
            worked=worked,
            rows_hash=rows,
            replay_hash=replay,
            chain_sound=sound,
            stale_writes_refused=refused,
            makespan=self.makespan(),
            undisturbed=undisturbed,
        )

    def _at_work(self, phase: str) -> bool:
        with reading(self.ground.app) as log:
            found = fold(log.events(VICTIM)).phases.get(phase)
        return found is not None and found.state == "in_progress"

    def _has_agent(self) -> bool:
        with reading(self.ground.app) as log:
            held = log.allocations(VICTIM, live=True)
        return any(a.granted.get("agents", 0) >= 1 for a in held if a.state == "active")

    def _late(self, version: int) -> int:
        """What was cut off comes back and writes from what it knew: it must be refused."""
        try:
            with writing(self.ground.app) as desk:
                desk.tx.set_status(VICTIM, "COMPLETED", {"success": True}, expect=version)
        except StateConflict:
            return 1
        return 0


def _agent(desk: Desk, row: WorkflowRow) -> None:
    data = {"agent_id": AGENT, "error_type": "agent_failure", "error_details": "the agent was killed at its work"}
    desk.tx.event("AGENT_ERROR", row.id, PHASE, data, severity="critical")


def _pool(desk: Desk, row: WorkflowRow) -> None:
    data = {"error": "resource_exhaustion", "message": "its agent ran out of memory, and no other is free"}
    desk.tx.event("ERROR_ENCOUNTERED", row.id, PHASE, data, severity="critical")


def _cut(desk: Desk, row: WorkflowRow) -> None:
    data = {"agent_id": AGENT, "timeout_duration": "0s", "error": "network_partition"}
    desk.tx.event("AGENT_TIMEOUT", row.id, PHASE, data, severity="critical")


_FAULTS: Final[Mapping[str, Callable[[Desk, WorkflowRow], None]]] = {
    "agent_failure": _agent,
    "resource_exhaustion": _pool,
    "network_partition": _cut,
}
_STRATEGIES: Final = {
    "agent_failure": "agent_reallocation",
    "resource_exhaustion": "graceful_degradation",
    "network_partition": "isolate_and_recover",
}
ERRORS: Final = tuple(_FAULTS)


def _hashes(log: Log) -> tuple[str, str]:
    """Of the rows as they are, and of what a replay of the log makes of them."""
    rows: dict[str, Any] = {}
    replay: dict[str, Any] = {}
    for row in log.workflows():
        story = Story()
        for e in log.events(row.id):
            story.take(Told(e.type, e.workflow_id, e.phase, e.timestamp, e.data))
        told, held = story.columns(), row._asdict()
        rows[row.id] = {name: held[name] for name in told}
        replay[row.id] = told
    return digest(rows), digest(replay)
