"""A simulator: a labelled plan carried out by scripted agents, solo, serial or in parallel, without git or processes.

What it does is what the engine does: the ready task of the longest tail takes the next slot, an attempt works on the
files as they were when it began, lands when it ends, and is sent back if what landed meanwhile changed the same lines
or what its own lines depend on. engine_plans.py runs the same agents through the engine itself and is compared with it.
"""

import heapq
import random
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from labelled_plans import ATTEMPTS, SLOTS, Job, Labelled, Place, line

from stretto.agents.loop import instructions
from stretto.agents.roles import load_role
from stretto.agents.task import Brief
from stretto.graph import dag
from stretto.graph.mode_cost import Cost
from stretto.graph.schedule import tails
from stretto.graph.solo import together
from stretto.graph.spec import TaskSpec

Mode = Literal["solo", "serial", "parallel"]
TOOLS = 1_200
"""Tokens of the tools' schemas."""
LATENCY, SPEED = 3.0, 50.0
READ, EDIT, FINISH = 40, 60, 80


class Turn(NamedTuple):
    """One turn of a scripted agent: what it does, the output tokens, and characters of what it is answered."""

    does: str
    output: int
    path: str = ""
    place: Place | None = None
    job: Job | None = None


def turns(plan: Labelled, specs: Sequence[TaskSpec]) -> list[Turn]:
    """What a scripted agent does: read what is there to read, think, change its lines, end."""
    paths = dict.fromkeys(p for s in specs for p in (*s.reads, *s.writes, *(e.path for e in plan.jobs[s.id].edits)))
    found = [Turn("read", READ, path) for path in paths]
    for job in sorted((plan.jobs[s.id] for s in specs), key=lambda j: j.watches is not None):
        thinking = job.turns - len(job.edits)
        found += [Turn("think", job.output, job.edits[0].path)] * max(0, thinking)
        found += [Turn("edit", EDIT if thinking > 0 else job.output, e.path, e, job) for e in job.edits]
    return [*found, Turn("finish", FINISH)]


class Ran(NamedTuple):
    """A plan that was carried out: its cost, attempts, how many slipped or were sent back, and whether it was done."""

    cost: Cost
    attempts: int
    slipped: int
    sent_back: int
    done: bool


class _Attempt(NamedTuple):
    ends: float
    order: int
    specs: tuple[TaskSpec, ...]
    began: float
    number: int


def replay(plan: Labelled, mode: Mode) -> Ran:
    """Carry a plan out."""
    return _Replay(plan, mode).run()


class _Replay:
    def __init__(self, plan: Labelled, mode: Mode) -> None:
        self.plan, self.mode = plan, mode
        named = {s.id: s for s in plan.specs}
        order = dag.ordered(list(named), {s.id: s.depends_on for s in plan.specs}, "tasks")
        whole = tuple(named[n] for n in order)
        self.units = [whole] if mode == "solo" else [(s,) for s in plan.specs]
        self.needs = {u[0].id: set[str]() if mode == "solo" else set(u[0].depends_on) for u in self.units}
        self.tails = tails(dict.fromkeys(self.needs, 1.0), self.needs)
        self.landed: list[tuple[float, frozenset[Place]]] = []
        self.sent = self.resent = self.said = 0.0
        self.counts = {"attempts": 0, "slipped": 0, "sent_back": 0}
        self.failed = False

    def run(self) -> Ran:
        slots = SLOTS if self.mode == "parallel" else 1
        ready = [(-self.tails[u[0].id], i, u) for i, u in enumerate(self.units) if not self.needs[u[0].id]]
        heapq.heapify(ready)
        running: list[_Attempt] = []
        now, arrivals = 0.0, len(self.units)
        while ready or running:
            while ready and len(running) < slots:
                _, _, unit = heapq.heappop(ready)
                heapq.heappush(running, self._begin(unit, now, 1))
            attempt = heapq.heappop(running)
            now = attempt.ends
            if why := self._refused(attempt):
                self.counts[why] += 1
                if attempt.number == ATTEMPTS:
                    self.failed = True
                    continue
                heapq.heappush(running, self._begin(attempt.specs, now, attempt.number + 1))
                continue
            for unit in self._freed(attempt):
                heapq.heappush(ready, (-self.tails[unit[0].id], arrivals, unit))
                arrivals += 1
        cost = Cost(self.sent, self.resent, self.said, now)
        return Ran(cost, **self.counts, done=not self.failed)

    def _begin(self, specs: tuple[TaskSpec, ...], now: float, number: int) -> _Attempt:
        self.counts["attempts"] += 1
        return _Attempt(now + self._converse(specs, number), self.counts["attempts"], specs, now, number)

    def _converse(self, specs: tuple[TaskSpec, ...], number: int) -> float:
        """The seconds of an attempt; its tokens are counted as they are sent."""
        context, known, seconds = float(TOOLS + opening(specs, number)), 0.0, 0.0
        for position, turn in enumerate(turns(self.plan, specs)):
            self.sent, self.resent, self.said = self.sent + context, self.resent + known, self.said + turn.output
            known, context = context, context + turn.output + answer(self.plan, turn)
            seconds += took(specs[0].id, number, position, turn.output)
        return seconds

    def _refused(self, attempt: _Attempt) -> str:
        jobs = [self.plan.jobs[s.id] for s in attempt.specs]
        if any(attempt.number in job.slips for job in jobs):
            return "slipped"
        meanwhile = set[Place]().union(*(places for at, places in self.landed if at > attempt.began))
        touched = {e for job in jobs for e in job.edits}
        watched = {job.watches for job in jobs if job.watches}
        if meanwhile & touched or meanwhile & watched:
            return "sent_back"
        self.landed.append((attempt.ends, frozenset(touched)))
        return ""

    def _freed(self, attempt: _Attempt) -> Iterator[tuple[TaskSpec, ...]]:
        done = attempt.specs[0].id
        for unit in self.units:
            waits = self.needs[unit[0].id]
            if done in waits:
                waits.remove(done)
                if not waits:
                    yield unit


def took(name: str, number: int, position: int, output: int) -> float:
    """Seconds of a turn: never twice the same, so that no two attempts end in one moment."""
    noise = random.Random(f"{name}/{number}/{position}").uniform(0.8, 1.2)
    return noise * (LATENCY + output / SPEED)


def answer(plan: Labelled, turn: Turn) -> float:
    """Tokens of what a tool answers."""
    if turn.does == "read":
        return plan.sizes.get(turn.path, 0) / 4
    return {"think": 22.0, "edit": 5.0}.get(turn.does, 0.0)


def opening(specs: tuple[TaskSpec, ...], number: int) -> float:
    """Tokens of the role and the brief."""
    spec = specs[0] if len(specs) == 1 else together(specs, 1800)
    feedback = "The check failed, or another task changed the same places first. " * 4 if number > 1 else ""
    brief = Brief(
        workflow_id="w",
        phase="implementation",
        task_id=spec.id,
        attempt=number,
        idempotency_key="",
        role=spec.role,
        title=spec.title,
        prompt=spec.prompt,
        cwd="",
        reads=spec.reads,
        writes=spec.writes,
        checks=spec.checks,
        feedback=feedback,
    )
    return (len(load_role(spec.role).prompt) + len(instructions(brief))) / 4


__all__ = ["Ran", "Turn", "line", "replay", "turns"]
