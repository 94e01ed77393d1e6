"""What was asked for in the past, met again by the same scheduler in another order, or with more or less of everything.

A job is a request that was granted and given back: when it was asked for, its rank, what it held and for how long.
Simulated time only; the log is read, nothing is written.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

from stretto.graph import online
from stretto.graph.online import Policy, Running, Waiting
from stretto.state.allocation import amounts
from stretto.state.ledger import Ledger
from stretto.state.moments import moment
from stretto.state.wire import Event

MOST = 300
"""Jobs that are looked at: the newest."""


class Job(NamedTuple):
    """One request of the past; times in seconds since the epoch."""

    id: str
    priority: str
    asked: float
    demand: Mapping[str, float]
    seconds: float


class Outcome(NamedTuple):
    """What became of jobs: how long each waited, and the agent-seconds that were used of those that there were."""

    waits: tuple[float, ...]
    flows: tuple[float, ...]
    weights: tuple[float, ...]
    makespan: float
    utilisation: float

    @property
    def mean_flow(self) -> float:
        """Mean seconds from asking to giving back."""
        return fmean(self.flows)

    @property
    def weighted_flow(self) -> float:
        """The same, each by the weight of its rank."""
        return sum(f * w for f, w in zip(self.flows, self.weights, strict=True)) / sum(self.weights)

    def wait(self, share: float) -> float:
        """What this share of them waited for at most."""
        ranked = sorted(self.waits)
        return ranked[min(round(share * (len(ranked) - 1)), len(ranked) - 1)]


def jobs_of(events: Iterable[Event]) -> list[Job]:
    """The newest requests that were granted and given back, by when they were asked for."""
    ledger = Ledger()
    found: list[Job] = []
    for event in events:
        name = event.data.get("allocation_id")
        held = ledger.rows.get(name) if isinstance(name, str) else None
        ledger.apply(event)
        if event.type == "RESOURCE_DEALLOCATED" and held is not None and held.state == "active":
            lasted = moment(event.timestamp) - moment(held.since)
            if lasted > 0 and held.id not in ledger.rows:
                found.append(Job(held.id, held.priority, moment(held.requested), amounts(held.granted), lasted))
    return sorted(found, key=lambda job: (job.asked, job.id))[-MOST:]


def again(jobs: Sequence[Job], capacity: Mapping[str, float], policy: Policy, growth: float = 0.0) -> Outcome:
    """Meet them again; with `growth`, the same jobs come so much closer together. Those that never fit are left out."""
    jobs = [job for job in jobs if all(capacity.get(n, 0) >= size for n, size in job.demand.items())]
    first = jobs[0].asked if jobs else 0.0
    arrivals = sorted((((job.asked - first) / (1 + growth)), n) for n, job in enumerate(jobs))
    ends: list[tuple[float, int]] = []
    waiting: dict[str, Waiting] = {}
    running: dict[str, Running] = {}
    starts: dict[int, float] = {}
    number = {job.id: n for n, job in enumerate(jobs)}
    asked = {n: at for at, n in arrivals}
    while arrivals or ends:
        now = min(first[0] for first in (*arrivals[:1], *ends[:1]))
        while arrivals and arrivals[0][0] <= now:
            at, n = arrivals.pop(0)
            waiting[jobs[n].id] = _waiting(jobs[n], at)
        while ends and ends[0][0] <= now:
            running.pop(jobs[heapq.heappop(ends)[1]].id)
        for name in online.starting([*waiting.values()], [*running.values()], capacity, now, policy):
            n = number[name]
            waiting.pop(name)
            running[name] = Running(name, now, now + jobs[n].seconds, jobs[n].demand)
            starts[n] = now
            heapq.heappush(ends, (now + jobs[n].seconds, n))
    return _outcome(jobs, asked, starts, capacity, policy)


def _waiting(job: Job, at: float) -> Waiting:
    work = job.seconds * max(job.demand.get("agents", 1), 1)
    return Waiting(job.id, job.priority, work, at, job.demand, frozenset(), job.seconds)


def _outcome(
    jobs: Sequence[Job],
    asked: Mapping[int, float],
    starts: Mapping[int, float],
    capacity: Mapping[str, float],
    policy: Policy,
) -> Outcome:
    done = sorted(starts)
    waits = tuple(starts[n] - asked[n] for n in done)
    flows = tuple(starts[n] + jobs[n].seconds - asked[n] for n in done)
    makespan = max((starts[n] + jobs[n].seconds for n in done), default=0.0)
    work = sum(jobs[n].seconds * jobs[n].demand.get("agents", 0) for n in done)
    there = capacity.get("agents", 0) * makespan
    weights = tuple(policy.ranks[jobs[n].priority].weight for n in done)
    return Outcome(waits, flows, weights, makespan, work / there if there else 0.0)
