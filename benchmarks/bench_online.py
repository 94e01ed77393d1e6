"""How much waiting the order of admission removes, beside first come first served and beside a clairvoyant.

    python benchmarks/bench_online.py [--seeds 30] [--workflows 500] [--agents 8] [--loads 0.7 0.85 0.95] [--quick]
                                      [--check]

Streams of workflows (workload.py) share the agents; phases are not interrupted. `fifo` starts whatever fits, first come
first served. `clairvoyant` knows how much work each workflow really has left and takes the least first: a bound in
practice on what an order can gain. `ours` is `stretto.graph.online` with the work that `stretto.graph.forecast`
expects, learned as the stream goes; `strict` the same with priorities first. Every policy sees the same streams; the
differences are of pairs, with 95 % intervals over the seeds. `--check` ends with 1 when a goal is missed.
"""

import argparse
import heapq
import math
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

from workload import Outcome, Step, Workflow, stream

from stretto.graph.forecast import Forecaster, Phase
from stretto.graph.online import STRICT, WEIGHTED, Policy, Running, Waiting, starting

SHARE_OF_CLAIRVOYANT, P95_WORSE, CRITICAL_MISSES = 0.8, 2.0, 0.5


class Live(NamedTuple):
    """A workflow on its way, and which of its phases have ended."""

    workflow: Workflow
    done: set[int]

    def left(self) -> Iterator[tuple[int, Step]]:
        """The phases that have not ended."""
        return ((i, step) for i, step in enumerate(self.workflow.steps) if i not in self.done)


class Ready(NamedTuple):
    """A phase that could start, and since when."""

    live: Live
    number: int
    since: float

    @property
    def step(self) -> Step:
        """The phase itself."""
        return self.live.workflow.steps[self.number]


class Rule(Protocol):
    """A policy under test."""

    def choose(self, ready: Sequence[Ready], running: Sequence[Running], now: float) -> list[int]:
        """Places in `ready` of those that start now."""
        ...

    def ended(self, live: Live, step: int) -> None:
        """Learn how long a phase took."""
        ...


class Greedy:
    """Starts whatever fits, by a key."""

    def __init__(self, agents: int, key: Callable[[Ready], float]) -> None:
        self.agents = agents
        self.key = key

    def choose(self, ready: Sequence[Ready], running: Sequence[Running], now: float) -> list[int]:
        """Smallest key first."""
        del now
        free = self.agents - sum(one.demand["agents"] for one in running)
        found: list[int] = []
        for i in sorted(range(len(ready)), key=lambda i: (self.key(ready[i]), ready[i].number)):
            if ready[i].step.agents <= free:
                free -= ready[i].step.agents
                found.append(i)
        return found

    def ended(self, live: Live, step: int) -> None:
        """Nothing to learn."""


class Ours:
    """Admission as the product does it, with forecasts learned from the phases that have ended."""

    def __init__(self, agents: int, policy: Policy) -> None:
        self.capacity = {"agents": float(agents)}
        self.policy = policy
        self.forecaster = Forecaster()
        self.remaining: dict[str, float | None] = {}

    def choose(self, ready: Sequence[Ready], running: Sequence[Running], now: float) -> list[int]:
        """As `starting` says."""
        waiting = [
            Waiting(str(i), w.live.workflow.priority, self._remaining(w.live), w.since, {"agents": w.step.agents})
            for i, w in enumerate(ready)
        ]
        return [int(name) for name in starting(waiting, running, self.capacity, now, self.policy)]

    def ended(self, live: Live, step: int) -> None:
        """Learn, and forecast what is left of this workflow anew."""
        self.forecaster.observe(_phase(live.workflow, live.workflow.steps[step]), live.workflow.seconds[step])
        self.remaining.pop(live.workflow.id, None)

    def _remaining(self, live: Live) -> float | None:
        name = live.workflow.id
        if name not in self.remaining:
            expected = [(self.forecaster.mean(_phase(live.workflow, step)), step.agents) for _, step in live.left()]
            known = [mean * agents for mean, agents in expected if mean is not None]
            self.remaining[name] = sum(known) if len(known) == len(expected) else None
        return self.remaining[name]


def _phase(workflow: Workflow, step: Step) -> Phase:
    return Phase(step.kind, workflow=workflow.id, size=workflow.hint)


def _true_work(live: Live) -> float:
    return sum(live.workflow.seconds[i] * step.agents for i, step in live.left())


def run(workflows: Sequence[Workflow], rule: Rule, agents: int) -> Outcome:
    """Carry a stream out; also sees to it that no policy uses more agents than there are."""
    coming = [(w.arrival, number, -1) for number, w in enumerate(workflows)]
    heapq.heapify(coming)
    lives = [Live(w, set()) for w in workflows]
    ready: list[Ready] = []
    running: dict[tuple[int, int], Running] = {}
    ended: dict[str, float] = {}
    numbers = {w.id: number for number, w in enumerate(workflows)}
    while coming:
        now = coming[0][0]
        while coming and coming[0][0] == now:
            _, number, step = heapq.heappop(coming)
            live = lives[number]
            if step >= 0:
                running.pop((number, step))
                live.done.add(step)
                rule.ended(live, step)
            if len(live.done) == len(live.workflow.steps):
                ended[live.workflow.id] = now
            ready += (Ready(live, i, now) for i in _freed(live, step))
        chosen = rule.choose(ready, list(running.values()), now)
        for one in (ready[place] for place in chosen):
            number = numbers[one.live.workflow.id]
            running[number, one.number] = Running(f"{number}/{one.number}", now, None, {"agents": one.step.agents})
            heapq.heappush(coming, (now + one.live.workflow.seconds[one.number], number, one.number))
        ready = [one for place, one in enumerate(ready) if place not in set(chosen)]
        assert sum(one.demand["agents"] for one in running.values()) <= agents
    return Outcome(workflows, ended)


def _freed(live: Live, ended: int) -> list[int]:
    """The phases that waited for nothing but this one; at the arrival (-1) those that wait for none."""
    steps = live.workflow.steps
    if ended < 0:
        return [i for i, step in enumerate(steps) if not step.needs]
    return [i for i, step in enumerate(steps) if ended in step.needs and live.done.issuperset(step.needs)]


class Line(NamedTuple):
    """A policy at one load, beside first come first served: per cent with the half-width of the interval."""

    name: str
    mean: float
    change: float
    error: float
    p95: float
    critical: float
    low: float
    slowest: float
    missed: float


def compare(load: float, args: argparse.Namespace) -> list[Line]:
    """All policies on the same streams."""
    typical = statistics.fmean(w.work for w in stream(2000, 1, 1))
    rate = load * args.agents / typical
    outcomes: dict[str, list[Outcome]] = {}
    for seed in range(args.seeds):
        workflows = stream(args.workflows, rate, args.first_seed + seed, args.noise)
        rules: dict[str, Rule] = {
            "fifo": Greedy(args.agents, lambda one: one.live.workflow.arrival),
            "clairvoyant": Greedy(args.agents, lambda one: _true_work(one.live)),
            "ours": Ours(args.agents, WEIGHTED),
            "strict": Ours(args.agents, STRICT),
        }
        for name, rule in rules.items():
            outcomes.setdefault(name, []).append(run(workflows, rule, args.agents))
    return [_line(name, found, outcomes["fifo"]) for name, found in outcomes.items()]


def _line(name: str, found: Sequence[Outcome], base: Sequence[Outcome]) -> Line:
    changes = [100 * (one.mean / other.mean - 1) for one, other in zip(found, base, strict=True)]
    tails = [100 * (one.p95 / other.p95 - 1) for one, other in zip(found, base, strict=True)]
    missed = [one.missed("critical") for one in found]
    return Line(
        name,
        statistics.fmean(one.mean for one in found) / 60,
        statistics.fmean(changes),
        1.96 * statistics.stdev(changes) / math.sqrt(len(changes)) if len(changes) > 1 else math.nan,
        statistics.fmean(tails),
        statistics.fmean(one.of("critical") for one in found) / 60,
        statistics.fmean(one.of("low") for one in found) / 60,
        statistics.fmean(one.slowest for one in found),
        100 * sum(count for count, _ in missed) / sum(of for _, of in missed),
    )


def faults(load: float, lines: Sequence[Line]) -> Iterator[str]:
    """Which goals `ours` misses."""
    of = {line.name: line for line in lines}
    ours, base, best = of["ours"], of["fifo"], of["clairvoyant"]
    if (share := ours.change / best.change) < SHARE_OF_CLAIRVOYANT:
        yield f"load {load}: {share:.0%} of the clairvoyant's gain"
    if ours.p95 > P95_WORSE:
        yield f"load {load}: p95 {ours.p95:+.1f} %"
    if ours.missed > CRITICAL_MISSES * base.missed:
        yield f"load {load}: {ours.missed:.1f} % of critical deadlines missed, {base.missed:.1f} % by fifo"


def main() -> int:
    """Print a table for each load."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first-seed", type=int, default=5000, help="weights were chosen on 1000 to 1029")
    parser.add_argument("--workflows", type=int, default=500)
    parser.add_argument("--agents", type=int, default=8)
    parser.add_argument("--noise", type=float, default=0.7, help="deviation of the logarithm of a phase's duration")
    parser.add_argument("--loads", type=float, nargs="+", default=[0.7, 0.85, 0.95])
    parser.add_argument("--quick", action="store_true", help="two short streams: shows that it runs, and no more")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.workflows = 2, 60
    missed: list[str] = []
    print("load policy       mean min   change %       p95 %  critical min  low min  worst slowdown  critical missed %")
    for load in args.loads:
        lines = compare(load, args)
        for line in lines:
            print(
                f"{load:4} {line.name:12} {line.mean:8.1f} {line.change:+7.1f} ±{line.error:4.1f} {line.p95:+9.1f}"
                f" {line.critical:13.1f} {line.low:8.1f} {line.slowest:15.1f} {line.missed:18.1f}",
                flush=True,
            )
        of = {line.name: line.change for line in lines}
        print(f"     share of the clairvoyant's gain: {of['ours'] / of['clairvoyant']:.0%}")
        missed += faults(load, lines)
    print("\n".join(missed) or "every goal is met")
    return 1 if missed and args.check else 0


if __name__ == "__main__":
    sys.exit(main())
