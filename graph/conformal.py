"""Conformal calibration: quantiles of how far past forecasts were off, in place of those that a model promises.

A score is how many of its own scales an observation lay above the centre that was forecast before it was known. Of the
last `WINDOW` scores the quantiles are taken, each side for itself, with the correction of split conformal prediction:
of n scores and the one to come, each rank is as likely. They are blended in between 12 and 60 scores; beyond the
outermost score the model's own tail goes on.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable
from typing import Final

WINDOW: Final = 100
FIRST: Final = 12
FULL: Final = 60


class Conformal:
    """The last scores, and quantiles of the next one."""

    def __init__(self) -> None:
        self._scores: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        """How many scores there are, `WINDOW` at most."""
        return len(self._scores)

    def add(self, score: float) -> None:
        """Take a score in, and the oldest one out when there are too many."""
        if len(self._scores) == WINDOW:
            self._sorted.remove(self._scores.popleft())
        self._scores.append(score)
        insort(self._sorted, score)

    def quantile(self, p: float, model: Callable[[float], float]) -> float:
        """The quantile of the next score; `model` gives those of the distribution that is calibrated."""
        count = len(self._scores)
        if count < FIRST:
            return model(p)
        if count >= FULL:
            return self._measured(p, model)
        share = count / FULL
        return share * self._measured(p, model) + (1 - share) * model(p)

    def _measured(self, p: float, model: Callable[[float], float]) -> float:
        count = len(self._sorted)
        rank = p * (count + 1) - 1
        if rank < 0:
            return self._sorted[0] + min(0.0, model(p) - model(1 / (count + 1)))
        if rank >= count - 1:
            return self._sorted[-1] + max(0.0, model(p) - model(count / (count + 1)))
        below = int(rank)
        step = self._sorted[below + 1] - self._sorted[below]
        return self._sorted[below] + (rank - below) * step
