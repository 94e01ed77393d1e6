"""One stream of workflows carried out by the product under a simulated clock, with some of its savers switched on.

For bench_optimization.py, which tells what they are. Workflows are created through the hub and admitted by the
product's scheduler; workers start and end phases by the functions that the hub uses. All figures are folded from the
log.
"""

import heapq
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from workload import MEDIAN, Workflow, longest

from stretto.commands.app import App
from stretto.commands.cli import handle
from stretto.commands.parse import parse_line
from stretto.commands.scenario_time import BEGIN, Clock
from stretto.graph import admission, coordination, metrics
from stretto.graph.resource_settings import NAME as RESOURCES
from stretto.graph.schedule import tails
from stretto.state.chosen import choose
from stretto.state.log import Log
from stretto.state.transaction import Transaction
from stretto.state.usage import Meter
from stretto.state.view import fold

_ALIKE = {"weight": 1.0, "patience": 86_400.0}
BY_ARRIVAL = {"scheduler": {"strict": False, "ranks": {"critical": _ALIKE, "high": _ALIKE, "low": _ALIKE}}}
"""An order that knows neither priority nor length: who waits longest comes first, whoever fits may start."""
WARM = 0.25
"""The share of the stream that fills the system, and of which `optimize` learns; it is in no figure."""
PREFETCH_SECONDS = 3600.0


class Setup(NamedTuple):
    """What is switched on."""

    name: str
    barrier: bool = True
    order: bool = False
    prefetch: bool = False


SETUPS = (
    Setup("everything off"),
    Setup("no barrier", barrier=False),
    Setup("no barrier, order", barrier=False, order=True),
    Setup("everything on", barrier=False, order=True, prefetch=True),
)


class Measured(NamedTuple):
    """Of one stream: means over its workflows, and what the pool did.

    Time and waits are minutes, work agent-hours, efficiency, utilisation and pool per cent.
    """

    time: float
    agents: float
    efficiency: float
    utilisation: float
    queued: float
    running: float
    work: float
    pool: float


def waves(workflow: Workflow) -> list[list[int]]:
    """The steps by depth: each in the first wave in which all that it needs is in an earlier one."""
    depth: list[int] = []
    for step in workflow.steps:
        depth.append(1 + max((depth[i] for i in step.needs), default=-1))
    return [[i for i, d in enumerate(depth) if d == level] for level in range(max(depth) + 1)]


def widest(workflow: Workflow) -> int:
    """The agents of its widest wave: what it asks for in every setup."""
    return max(sum(workflow.steps[i].agents for i in wave) for wave in waves(workflow))


def in_waves(workflow: Workflow) -> float:
    """Seconds that it takes alone, in waves."""
    return sum(max(workflow.seconds[i] for i in wave) for wave in waves(workflow))


def run(workflows: Sequence[Workflow], setup: Setup, agents: int, folder: Path) -> Measured:
    """Carry a stream out in an empty folder."""
    (folder / ".git").mkdir(parents=True)
    (folder / ".stretto").mkdir()
    (folder / ".stretto" / "config.toml").write_text('durability = "process"\n', "utf-8")
    return _Stream(workflows, setup, agents, folder).run()


class _Stream:
    """Moves the clock from one arrival or end to the next."""

    def __init__(self, workflows: Sequence[Workflow], setup: Setup, agents: int, folder: Path) -> None:
        self.workflows = {w.id: w for w in workflows}
        self.setup, self.agents = setup, agents
        self.clock = Clock()
        self.app = App(str(folder), clock=self.clock.now, window=None)
        self.log = Log.open(self.app.directory, durability="process", clock=self.clock.now)
        self.limits = {"agents": float(agents), "workflows": 1000.0}
        self.busy: dict[str, dict[str, int]] = {}
        self.agenda: list[tuple[float, int, str, str]] = []
        self.order = 0
        warm = round(len(workflows) * WARM)
        self.first = workflows[warm].id if setup.order else ""
        self.measured = [w.id for w in workflows[warm:]]
        for one in workflows:
            self._note(BEGIN + one.arrival, one.id, "")

    def run(self) -> Measured:
        """To the end of the last workflow."""
        with self.log:
            with self.log.write() as tx:
                choose(tx, admission.CAPACITY, self.limits)
                if not self.setup.order:
                    choose(tx, RESOURCES, BY_ARRIVAL)
            prefetched = BEGIN
            while self.agenda:
                at, _, name, phase = heapq.heappop(self.agenda)
                self.clock.pass_to(at)
                if self.setup.prefetch and at - prefetched >= PREFETCH_SECONDS:
                    prefetched = at
                    self._line("/resource-manager prefetch")
                self._arrived(name) if not phase else self._ended(name, phase)
                self._go_on()
            return self._figures()

    def _note(self, at: float, name: str, phase: str) -> None:
        self.order += 1
        heapq.heappush(self.agenda, (at, self.order, name, phase))

    def _line(self, line: str) -> None:
        reply = handle(parse_line(line, project=self.app.folder), self.app)
        assert reply.exit_code == 0, reply.text

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _arrived(self, name: str) -> None:
        if name == self.first:
            asked = {"strategy": "predictive_adaptive", "learning_enabled": True, "optimization_target": "total_time"}
            self._line(f"/resource-manager optimize '{json.dumps(asked)}'")
        self._line(f"/coordination-hub create-workflow '{json.dumps(self._body(self.workflows[name]))}'")

    def _body(self, one: Workflow) -> dict[str, Any]:
        expected = [MEDIAN[step.kind] * one.hint for step in one.steps]
        depth = {i: level for level, wave in enumerate(waves(one)) for i in wave}
        before = {i: [f"s{j}" for j, d in depth.items() if d == depth[i] - 1] for i in depth}
        phases: list[dict[str, Any]] = []
        for i, step in enumerate(one.steps):
            after = before[i] if self.setup.barrier else [f"s{j}" for j in step.needs]
            phases.append({"name": f"s{i}", "after": after, "agents": step.agents})
        needs: dict[str, Any] = {"agents": widest(one)}
        if self.setup.order:
            needs["duration"] = f"{max(1, round(longest(one.steps, expected)))}s"
            phases = [{**p, "duration": f"{max(1, round(e))}s"} for p, e in zip(phases, expected, strict=True)]
        return {
            "workflow_id": one.id,
            "type": "feature_development",
            "priority": one.priority,
            "phases": phases,
            "resource_requirements": needs,
        }

    def _ended(self, name: str, phase: str) -> None:
        del self.busy[name][phase]
        with self.log.write() as tx:
            row = coordination.row_of(tx, name)
            coordination.end_phase(tx, row, phase)
            if not coordination.unfinished(row, coordination.view_of(tx, name)):
                coordination.complete(tx, coordination.row_of(tx, name))
                del self.busy[name]

    def _go_on(self) -> None:
        """Admit, and start every phase that is ready and has agents of its workflow free."""
        with self.log.write() as tx:
            for one in admission.admit(tx, self.limits, self.clock.now()):
                if one.admitted and one.workflow_id in self.workflows:
                    self.busy.setdefault(one.workflow_id, {})
            for name in [*self.busy]:
                self._start(tx, self.workflows[name])
            admission.admit(tx, self.limits, self.clock.now())  # what was reserved for a phase is used as it begins

    def _start(self, tx: Transaction, one: Workflow) -> None:
        """The phases with the longest chain behind them first, by what is expected of them."""
        row = coordination.row_of(tx, one.id)
        needs = {f"s{i}": [f"s{j}" for j in step.needs] for i, step in enumerate(one.steps)}
        behind = tails({f"s{i}": float(MEDIAN[step.kind]) for i, step in enumerate(one.steps)}, needs)
        for phase in sorted(coordination.ready_phases(row, coordination.view_of(tx, one.id)), key=lambda p: -behind[p]):
            number = int(phase[1:])
            took = one.steps[number].agents
            if sum(self.busy[one.id].values()) + took > widest(one):
                continue
            coordination.start_phase(tx, coordination.row_of(tx, one.id), phase)
            self.busy[one.id][phase] = took
            self._note(self.clock.now() + one.seconds[number], one.id, phase)

    # ── what it came to ──────────────────────────────────────────────────────────────────────────────────────────────

    def _figures(self) -> Measured:
        found = {m.workflow_id: m for m in metrics.finished(self.log, self.agents)}
        kept = [found[name] for name in self.measured]
        began = {name: fold(self.log.events(name)).started for name in self.measured}
        running = [m.finished - (began[m.workflow_id] or m.finished) for m in kept]
        busy = [self._work(name) for name in self.measured]
        begin = min(m.finished - (m.time or 0) for m in kept)
        meter = Meter(self.agents, begin, self._last_arrival())
        for event in self.log.events():
            meter.apply(event)
        return Measured(
            time=fmean(m.time or 0 for m in kept) / 60,
            agents=fmean(m.agents or 0 for m in kept),
            efficiency=100 * fmean(m.efficiency or 0 for m in kept),
            utilisation=100 * fmean(m.utilisation or 0 for m in kept),
            queued=fmean((m.time or 0) - r for m, r in zip(kept, running, strict=True)) / 60,
            running=fmean(running) / 60,
            work=fmean(busy) / 3600,
            pool=100 * (meter.total().busy_share or 0),
        )

    def _last_arrival(self) -> float:
        return BEGIN + max(w.arrival for w in self.workflows.values())

    def _work(self, name: str) -> float:
        """Agent-seconds at work, by the log."""
        meter = Meter(self.agents, BEGIN, self.clock.now(), name)
        for event in self.log.events(name):
            meter.apply(event)
        return meter.total().busy
