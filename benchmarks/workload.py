"""A stream of workflows for bench_online.py: phases with dependencies, heavy-tailed durations, failures, deadlines.

Poisson arrivals of five templates. A phase takes the median of its kind · size of the workflow · noise; both are
lognormal, and what can be seen of the size is a hint with noise of its own. An attempt fails with a probability of 0.08
somewhere in it and is begun again, three times at most. All times are seconds.
"""

import math
import random
import statistics
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from stretto.graph.schedule import tails

MEDIAN = {
    "plan": 120,
    "research": 240,
    "design": 180,
    "impl": 540,
    "test": 240,
    "review": 180,
    "fix": 240,
    "docs": 120,
    "merge": 60,
}
SIZE, NOISE, HINT = 0.7, 0.7, 0.5
"""Deviations of the logarithms of size, phase noise, and the noise of the hint."""
FAILS, RETRIES = 0.08, 3
PRIORITIES = {"critical": 0.1, "high": 0.2, "medium": 0.5, "low": 0.2}


class Step(NamedTuple):
    """A phase of a template: its kind, the places of those that it waits for, how many agents it takes."""

    kind: str
    needs: tuple[int, ...] = ()
    agents: int = 1


TEMPLATES: dict[str, tuple[float, tuple[Step, ...]]] = {
    "bugfix": (0.4, (Step("research"), Step("fix", (0,)), Step("test", (1,)), Step("review", (2,)))),
    "feature": (
        0.25,
        (
            Step("plan"),
            Step("design", (0,)),
            Step("impl", (1,), 2),
            Step("impl", (1,)),
            Step("docs", (1,)),
            Step("test", (2, 3)),
            Step("review", (2, 3)),
            Step("fix", (5, 6)),
            Step("merge", (7, 4)),
        ),
    ),
    "research": (0.15, (Step("plan"), *(Step("research", (0,)) for _ in range(4)), Step("docs", (1, 2, 3, 4)))),
    "sprint": (
        0.1,
        (
            Step("plan"),
            *(Step("impl", (0,)) for _ in range(5)),
            *(Step("test", (i,)) for i in range(1, 6)),
            Step("review", tuple(range(6, 11)), 2),
            Step("merge", (11,)),
        ),
    ),
    "refactor": (
        0.1,
        (
            Step("research"),
            Step("plan", (0,)),
            Step("impl", (1,), 3),
            Step("test", (2,), 2),
            Step("review", (3,)),
            Step("fix", (4,)),
            Step("test", (5,)),
        ),
    ),
}
"""Each with its share."""


class Workflow(NamedTuple):
    """One that arrives; `seconds` is what each phase will take, which no policy but a clairvoyant one may look at."""

    id: str
    arrival: float
    steps: tuple[Step, ...]
    priority: str
    hint: float
    seconds: tuple[float, ...]
    deadline: float

    @property
    def work(self) -> float:
        """Agent-seconds."""
        return sum(time * step.agents for time, step in zip(self.seconds, self.steps, strict=True))

    @property
    def chain(self) -> float:
        """The longest chain: the flow time if it were alone."""
        return longest(self.steps, self.seconds)


def longest(steps: Sequence[Step], seconds: Sequence[float]) -> float:
    """The length of the longest chain of phases."""
    needs = {str(i): [str(need) for need in step.needs] for i, step in enumerate(steps)}
    return max(tails({str(i): time for i, time in enumerate(seconds)}, needs).values())


def stream(count: int, rate: float, seed: int, noise: float = NOISE) -> list[Workflow]:
    """`count` workflows, on average `rate` of them a second."""
    draw = random.Random(seed)
    now = 0.0
    found: list[Workflow] = []
    for number in range(count):
        now += draw.expovariate(rate)
        found.append(_workflow(draw, f"w{number}", now, noise))
    return found


def _workflow(draw: random.Random, name: str, now: float, noise: float) -> Workflow:
    _, steps = draw.choices(list(TEMPLATES.values()), [share for share, _ in TEMPLATES.values()])[0]
    size = math.exp(draw.gauss(0, SIZE))
    hint = size * math.exp(draw.gauss(0, HINT))
    priority = draw.choices(list(PRIORITIES), list(PRIORITIES.values()))[0]
    seconds = tuple(_seconds(draw, MEDIAN[step.kind] * size, noise) for step in steps)
    nominal = longest(steps, [MEDIAN[step.kind] * size * 1.3 for step in steps])
    return Workflow(name, now, steps, priority, hint, seconds, now + draw.uniform(1.5, 4) * nominal)


def _seconds(draw: random.Random, median: float, noise: float) -> float:
    whole = median * math.exp(draw.gauss(0, noise))
    spent = 0.0
    for _ in range(RETRIES):
        if draw.random() >= FAILS:
            break
        spent += whole * draw.uniform(0.2, 1)
    return spent + whole


class Outcome:
    """What came of a stream, without its first tenth: the system fills up in it."""

    def __init__(self, workflows: Sequence[Workflow], ended: dict[str, float]) -> None:
        self._kept = workflows[len(workflows) // 10 :]
        self._ended = ended

    @cached_property
    def flows(self) -> list[float]:
        """Seconds from arrival to end."""
        return [self._ended[w.id] - w.arrival for w in self._kept]

    @property
    def mean(self) -> float:
        """Of the flow times."""
        return statistics.fmean(self.flows)

    @property
    def p95(self) -> float:
        """Of the flow times."""
        return sorted(self.flows)[int(0.95 * len(self.flows))]

    @property
    def slowest(self) -> float:
        """The greatest ratio of a flow time to that of the workflow alone."""
        return max(flow / w.chain for flow, w in zip(self.flows, self._kept, strict=True))

    def missed(self, priority: str) -> tuple[int, int]:
        """Deadlines missed, of how many."""
        own = [w for w in self._kept if w.priority == priority]
        return sum(self._ended[w.id] > w.deadline for w in own), len(own)

    def of(self, priority: str) -> float:
        """The mean flow time of a priority."""
        own = [f for f, w in zip(self.flows, self._kept, strict=True) if w.priority == priority]
        return statistics.fmean(own) if own else 0.0
