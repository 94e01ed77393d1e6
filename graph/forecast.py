"""Forecasts of how long phases take, from those that have finished: an interval, its level, and what it stands on.

The model (`shrinkage`) says what is expected; how far its forecasts were off so far (`conformal`) says how wide the
interval must be; and the more often a kind was seen, the more its own past says (`own_past`). Every observation is
first forecast without it, then learned. With fewer than `ENOUGH` finished phases nothing is forecast, and with fewer
than `ENOUGH` forecasts that came to be known their accuracy is unknown.

A phase that runs is taken to last longer than it has so far. One that was ended before it was done is learned as the
mean of what it could have taken beyond that. Equal observations in equal order give equal forecasts.
"""

import math
import random
from collections import deque
from collections.abc import Sequence
from statistics import NormalDist, fmean
from typing import Final, NamedTuple

from stretto.graph import student
from stretto.graph.conformal import FIRST, WINDOW, Conformal
from stretto.graph.own_past import OwnPast
from stretto.graph.shrinkage import Expected, Shrinkage
from stretto.state.errors import BadInput

ENOUGH: Final = 5
LEVEL: Final = 0.8
_FARTHEST = 1 - 1e-6
_NORMAL = NormalDist()


class Phase(NamedTuple):
    """A phase to forecast.

    `size` is any hint that grows with the work (tokens, files, points), None where there is none. `elapsed` is how many
    seconds the phase has run so far.
    """

    kind: str
    project: str = ""
    workflow: str | None = None
    size: float | None = None
    elapsed: float = 0.0


class Forecast(NamedTuple):
    """Seconds: `likely` is the median, `low` to `high` holds `level` of what is to be expected; None is unknown.

    `n` finished phases stand behind it; `basis` says it in words, or why there is no forecast.
    """

    low: float | None
    likely: float | None
    high: float | None
    level: float
    n: int
    basis: str


class Accuracy(NamedTuple):
    """How the last `n` forecasts turned out: the share within their intervals of `LEVEL`, and the bias.

    A bias of 0.1 says that the forecasts were, in the geometric mean, 10 % too long. None is unknown.
    """

    n: int
    coverage: float | None
    bias: float | None


class Forecaster:
    """Learns from observations, and forecasts."""

    def __init__(self) -> None:
        self._model = Shrinkage()
        self._scores = Conformal()
        self._own = OwnPast()
        self._outcomes: deque[tuple[bool, float]] = deque(maxlen=WINDOW)

    @property
    def n(self) -> int:
        """How many observations it has seen."""
        return self._model.n

    def observe(self, phase: Phase, seconds: float, *, finished: bool = True) -> None:
        """Learn that a phase took `seconds`, or had taken them when it was ended unfinished.

        Raises:
            BadInput: A duration or a size that is not positive.
        """
        y = _log(seconds, "seconds")
        expected = self._expect(phase)
        if finished and self.n >= ENOUGH:
            low, likely, high = self._quantiles(expected, _sides(LEVEL))
            self._outcomes.append((low <= y <= high, likely - y))
            self._scores.add((y - expected.centre) / expected.scale)
        if finished:
            self._own.add(expected.cell, y - expected.base)
        else:
            y = _beyond(expected, y)
        self._model.add(phase.kind, phase.project, phase.workflow, _size(phase), y)

    def forecast(self, phase: Phase, level: float = LEVEL) -> Forecast:
        """How long it takes from its start to its end.

        Raises:
            BadInput: A size that is not positive, a level that is not between 0 and 1.
        """
        if not 0 < level < 1:
            raise BadInput(f"{level} is not between 0 and 1.", field="level")
        if self.n < ENOUGH:
            return Forecast(None, None, None, level, self.n, self.too_few())
        expected = self._expect(phase)
        low, likely, high = self._seconds(expected, self._passed(expected, phase), _sides(level))
        return Forecast(low, likely, high, level, self.n, self.basis(phase.kind))

    def mean(self, phase: Phase) -> float | None:
        """The mean seconds, for sums of work; None when there is too little to tell."""
        if self.n < ENOUGH:
            return None
        expected = self._expect(phase)
        return math.exp(expected.centre + expected.scale**2 / 2)

    def draws(self, phases: Sequence[Phase], count: int, chance: random.Random) -> list[list[float]]:
        """Possible futures: seconds of each phase, `count` times; those of a kind or a workflow go wrong together."""
        seen = [self._expect(phase) for phase in phases]
        passed = [self._passed(one, phase) for one, phase in zip(seen, phases, strict=True)]
        return [
            [
                self._seconds(one, gone, (p,))[0]
                for one, gone, p in zip(seen, passed, _together(phases, seen, chance), strict=True)
            ]
            for _ in range(count)
        ]

    def accuracy(self) -> Accuracy:
        """How the last forecasts turned out."""
        n = len(self._outcomes)
        if n < ENOUGH:
            return Accuracy(n, None, None)
        return Accuracy(n, fmean(met for met, _ in self._outcomes), math.exp(fmean(e for _, e in self._outcomes)) - 1)

    def basis(self, kind: str) -> str:
        """What a forecast of a phase of this kind stands on."""
        told = f"{self.n} past phases, {self._model.count(kind)} of them {kind}"
        if len(self._scores) < FIRST:
            return f"{told}; interval not yet calibrated"
        return f"{told}; interval calibrated on the last {len(self._scores)} forecasts"

    def too_few(self) -> str:
        """Why nothing is forecast."""
        return f"{self.n} past phases, at least {ENOUGH} are needed"

    def _expect(self, phase: Phase) -> Expected:
        return self._model.expect(phase.kind, phase.project, phase.workflow, _size(phase))

    def _quantiles(self, expected: Expected, ps: Sequence[float]) -> list[float]:
        """Of the logarithm."""
        model = [expected.centre + expected.scale * self._score(p, expected.df) for p in ps]
        return self._own.blend(expected.cell, expected.base, ps, model)

    def _score(self, p: float, df: float) -> float:
        return self._scores.quantile(p, lambda q: student.quantile(q, df))

    def _passed(self, expected: Expected, phase: Phase) -> "_Passed":
        """What has not come true, since the phase still runs."""
        if phase.elapsed <= 0:
            return _Passed(0.0, 0.0)
        y = math.log(phase.elapsed)
        low, high = 0.0, _FARTHEST
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if self._quantiles(expected, [middle])[0] < y else (low, middle)
        return _Passed(high, y - min(y, self._quantiles(expected, [high])[0]))

    def _seconds(self, expected: Expected, passed: "_Passed", ps: Sequence[float]) -> list[float]:
        """Quantiles of what is still possible."""
        sides = [passed.share + p * (1 - passed.share) for p in ps]
        return [math.exp(y + passed.farther) for y in self._quantiles(expected, sides)]


class _Passed(NamedTuple):
    """The share of the possibilities that has passed; one that has run farther than the last is as far beyond it."""

    share: float
    farther: float


def _sides(level: float) -> tuple[float, float, float]:
    return (1 - level) / 2, 0.5, (1 + level) / 2


def _together(phases: Sequence[Phase], seen: Sequence[Expected], chance: random.Random) -> list[float]:
    """For each phase the share of its possibilities that lie below what is drawn; what is shared is drawn once."""
    heavy = {one.df: math.sqrt(one.df / (2 * chance.gammavariate(one.df / 2, 1))) for one in seen}
    kinds = {(phase.kind, phase.project): chance.gauss() for phase in phases}
    workflows = {phase.workflow: chance.gauss() for phase in phases}
    found: list[float] = []
    for phase, one in zip(phases, seen, strict=True):
        away = kinds[phase.kind, phase.project] * math.sqrt(one.doubt)
        away += workflows[phase.workflow] * math.sqrt(one.shared) + chance.gauss() * math.sqrt(one.noise)
        p = student.cdf(heavy[one.df] * away / one.scale, one.df)
        found.append(min(max(p, 1e-9), 1 - 1e-9))
    return found


def _size(phase: Phase) -> float | None:
    return None if phase.size is None else _log(phase.size, "size")


def _log(value: float, field: str) -> float:
    if not 0 < value < math.inf:
        raise BadInput(f"{value} is not a positive number.", field=field)
    return math.log(value)


def _beyond(expected: Expected, y: float) -> float:
    """The mean of what lies above `y`, of a normal distribution."""
    z = min((y - expected.centre) / expected.scale, 6.0)
    hazard = _NORMAL.pdf(z) / (1 - _NORMAL.cdf(z))
    return max(y, expected.centre + expected.scale * hazard)
