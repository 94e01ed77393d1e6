"""Trials of the allocation: scenarios that are really run, in a store of their own and in simulated time.

    normal_load        two thirds of the agents are asked for on average; nothing fails
    high_contention    more is asked for than there is, for a while; workflows change the same files
    failure_recovery   as normal_load, and agents fail while their workflows run

Requests come at random (seeded, so that two runs agree), are admitted by the same code as everywhere, hold what they
were given for as long as they said, and give it back. What is reported is counted from what happened, and the log of
the trial is checked: at every event no more is held than there is, and no two hold one file.
"""

import heapq
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final, NamedTuple

from stretto.graph import admission, clashes, resolving
from stretto.graph.allocating import WAITS, Request, respond
from stretto.graph.failing import hand_out_again, isolate
from stretto.state import allocation, pool
from stretto.state.ledger import Ledger
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow
from stretto.state.transaction import Transaction

AGENTS: Final = 8
REQUESTS: Final = 60
_BEGIN: Final = 1_800_000_000.0
_REPAIR: Final = 1800.0
_LENGTHS: Final = (300.0, 600.0, 1200.0, 2400.0)
_PRIORITIES: Final = (("critical", 1), ("high", 2), ("medium", 5), ("low", 2))
_FILES: Final = tuple(f"src/part_{n}.py" for n in range(6))
SCENARIOS: Final = ("normal_load", "high_contention", "failure_recovery")
Noted = Callable[[Sequence[str], float], None]
"""Is told the ids of the events of a commit, and the monotonic time just before it began."""


def _nobody(ids: Sequence[str], before: float) -> None:
    del ids, before


_LOAD: Final = {"normal_load": 0.66, "high_contention": 1.3, "failure_recovery": 0.66}


class Accuracy(NamedTuple):
    """How the starts that were told at first compare with what happened; None where nobody had to wait.

    `within` is the share that started within a minute, or a tenth of its wait, of the first estimate.
    """

    granted: int
    requests: int
    estimated: int
    within: float | None
    mean_error_seconds: float | None


class Conflicts(NamedTuple):
    """Clashes that came up, and how many of them were resolved at once; None where none came up."""

    found: int
    resolved: int
    left: int

    @property
    def share(self) -> float | None:
        """Of those found."""
        return self.resolved / self.found if self.found else None


class Times(NamedTuple):
    """Milliseconds of real time that a decision took, and simulated seconds that requests waited, by their rank."""

    decision_p50_ms: float
    decision_p99_ms: float
    longest_wait: Mapping[str, float]


class Recovery(NamedTuple):
    """Agents that failed, how many of their workflows had others at once or later, and how long that took."""

    failed: int
    replaced: int
    longest_seconds: float | None


class Trial(NamedTuple):
    """What a scenario showed. `over_allocated` counts the events after which more was held than there was."""

    scenario: str
    accuracy: Accuracy
    conflicts: Conflicts
    times: Times
    recovery: Recovery
    over_allocated: int
    shared_files: int
    events: int


class _Asked(NamedTuple):
    at: float
    name: str
    priority: str
    agents: int
    seconds: float
    touches: tuple[str, ...]


class _Fate:
    """What became of one request."""

    def __init__(self, asked: _Asked) -> None:
        self.asked = asked
        self.estimate: float | None = None
        self.told = False
        self.started: float | None = None
        self.ended = False


def run(scenario: str, folder: Path, seed: int = 1, note: Noted = _nobody) -> Trial:
    """Run one scenario in an empty folder; `note` is told of each commit."""
    clock = [_BEGIN]
    with Log.open(folder, durability="process", clock=lambda: clock[0]) as log:
        return _Runner(scenario, log, clock, random.Random(seed)).run(note)  # noqa: S311 - no secret hangs on it


class _Runner:
    """Moves the clock from one thing that happens to the next."""

    def __init__(self, scenario: str, log: Log, clock: list[float], chance: random.Random) -> None:
        self.scenario, self.log, self.clock = scenario, log, clock
        self.fates = {one.name: _Fate(one) for one in _requests(scenario, chance)}
        self.agenda: list[tuple[float, int, str, str]] = []
        self.order = 0
        self.took: list[float] = []
        self.found = self.resolved = self.failed = self.replaced = 0
        self.repairs: list[float] = []
        self.asked_again: dict[str, float] = {}
        for one in self.fates.values():
            self._note(one.asked.at, "ask", one.asked.name)
        if scenario == "failure_recovery":
            for n in range(1, 6):
                self._note(_BEGIN + n * 2400, "fail", "")

    @property
    def now(self) -> float:
        return self.clock[0]

    def run(self, note: Noted) -> Trial:
        """To the end of the last request."""
        while self.agenda:
            at, _, what, name = heapq.heappop(self.agenda)
            self.clock[0] = max(at, self.now)
            began = time.perf_counter()
            with self.log.write() as tx:
                self._happen(tx, what, name)
                self._begin(tx)
                ids, before = list(tx.ids), time.monotonic()
            note(ids, before)
            self.took.append((time.perf_counter() - began) * 1000)
        return self._trial()

    def _note(self, at: float, what: str, name: str) -> None:
        self.order += 1
        heapq.heappush(self.agenda, (at, self.order, what, name))

    def _limits(self, tx: Transaction) -> dict[str, float]:
        return admission.capacity(tx.database, {"agents": AGENTS})

    def _happen(self, tx: Transaction, what: str, name: str) -> None:
        limits = self._limits(tx)
        if what == "ask":
            self._ask(tx, self.fates[name], limits)
        elif what == "end":
            self._end(tx, name)
        elif what == "fail":
            self._fail(tx, limits)
        else:
            agent = next(one for one in pool.agents(tx.database) if one.agent_id == name)
            pool.let_go(tx, [agent], "repaired")
        admission.admit(tx, self._limits(tx), self.now)
        self._settle_conflicts(tx)

    def _ask(self, tx: Transaction, fate: _Fate, limits: dict[str, float]) -> None:
        asked = fate.asked
        wanted: dict[str, Any] = {"agents": asked.agents, "seconds": asked.seconds, "specialization": "worker"}
        if asked.touches:
            wanted["touches"] = list(asked.touches)
        found = respond(tx, Request(asked.name, asked.priority, wanted, WAITS), limits, self.now)
        if found.status == "queued":
            fate.told, fate.estimate = True, found.start

    def _begin(self, tx: Transaction) -> None:
        """Note who has what they asked for."""
        for one in allocation.live_allocations(tx.database):
            fate = self.fates[one.workflow_id]
            if one.state != "active":
                continue
            if fate.started is None and one.granted.get("agents"):
                fate.started = self.now
                self._note(self.now + fate.asked.seconds, "end", one.workflow_id)
            if one.id in self.asked_again:
                self.replaced += 1
                self.repairs.append(self.now - self.asked_again.pop(one.id))

    def _end(self, tx: Transaction, name: str) -> None:
        self.fates[name].ended = True
        pool.let_go(tx, [a for a in pool.agents(tx.database) if a.workflow_id == name], "done")
        for one in allocation.live_allocations(tx.database, name):
            self.asked_again.pop(one.id, None)
            allocation.release(tx, one, "done")

    def _fail(self, tx: Transaction, limits: dict[str, float]) -> None:
        """One agent that works fails; it is repaired half an hour later."""
        busy = [one for one in pool.agents(tx.database) if one.state == "busy"]
        if not busy:
            return
        agent = busy[0]
        row = WorkflowRow(agent.workflow_id, "trial", "", "RUNNING", "work", {}, "trial", 1, tx.now, tx.now)
        done = isolate(tx, row, agent.agent_id, "isolate_and_recover", limits)
        self.failed += 1
        if done.asked:
            self.asked_again[done.asked] = self.now
        admission.admit(tx, self._limits(tx), self.now)
        hand_out_again(tx, row, done, agent.agent_id)
        self._note(self.now + _REPAIR, "repair", agent.agent_id)

    def _settle_conflicts(self, tx: Transaction) -> None:
        tried: set[str] = set()
        while left := [one for one in self._clashes(tx) if one.id not in tried]:
            tried.add(left[0].id)
            self.found += 1
            done = resolving.resolve(tx, left[0], "auto", self._limits(tx), self.now)
            self.resolved += done.state == "RESOLVED"

    def _clashes(self, tx: Transaction) -> list[clashes.Clash]:
        return clashes.find(allocation.live_allocations(tx.database), self._limits(tx), self.now, 1.0)

    def _trial(self) -> Trial:
        over, shared, count = _check(self.log)
        with_start = [f for f in self.fates.values() if f.started is not None]
        told = [f for f in with_start if f.told and f.estimate is not None]
        errors = [_error(f) for f in told]
        near = [abs(e) <= max(60.0, 0.1 * ((f.started or 0) - f.asked.at)) for e, f in zip(errors, told, strict=True)]
        waits: dict[str, float] = {}
        for fate in with_start:
            wait = (fate.started or 0) - fate.asked.at
            waits[fate.asked.priority] = max(waits.get(fate.asked.priority, 0.0), wait)
        ranked = sorted(self.took)
        return Trial(
            scenario=self.scenario,
            accuracy=Accuracy(
                sum(f.ended for f in self.fates.values()),
                len(self.fates),
                len(told),
                sum(near) / len(near) if near else None,
                fmean(map(abs, errors)) if errors else None,
            ),
            conflicts=Conflicts(self.found, self.resolved, self.found - self.resolved),
            times=Times(ranked[len(ranked) // 2], ranked[int(len(ranked) * 0.99)], waits),
            recovery=Recovery(self.failed, self.replaced, max(self.repairs) if self.repairs else None),
            over_allocated=over,
            shared_files=shared,
            events=count,
        )


def _error(fate: _Fate) -> float:
    return (fate.started or 0.0) - fate.asked.at - (fate.estimate or 0.0)


def _requests(scenario: str, chance: random.Random) -> Iterator[_Asked]:
    """As many agent-seconds asked for in a time as the load says, on average."""
    mean_work = fmean(_LENGTHS) * 2
    gap = mean_work / (AGENTS * _LOAD[scenario])
    at = _BEGIN
    names, weights = [name for name, _ in _PRIORITIES], [weight for _, weight in _PRIORITIES]
    for n in range(REQUESTS):
        at += chance.expovariate(1 / gap)
        files = chance.sample(_FILES, 2) if scenario == "high_contention" and chance.random() < 0.4 else []
        priority = chance.choices(names, weights)[0]
        yield _Asked(at, f"trial_{n:03d}", priority, chance.randint(1, 3), chance.choice(_LENGTHS), tuple(files))


def _check(log: Log) -> tuple[int, int, int]:
    """The events after which more was held than there is, those after which two held one file, and all."""
    ledger, failed = Ledger(), set[str]()
    over = shared = count = 0
    for event in log.events():
        count += 1
        before = ledger.rows
        ledger.apply(event)
        if event.type == "AGENT_DEALLOCATED":
            (failed.add if event.data.get("state") == "failed" else failed.discard)(event.data["agent_id"])
        active = [one for one in before.values() if one.state == "active"]
        over += sum(one.granted.get("agents", 0) for one in active) > AGENTS - len(failed)
        files = [path for one in active for path in one.granted.get("files", ())]
        shared += len(files) > len(set(files))
    return over, shared, count
