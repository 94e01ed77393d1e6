"""The past of a kind in a project for itself: quantiles of what its phases took, and how much they are worth.

A model that all kinds share says most while a kind is new. Once it has shown itself often, its own values say more than
any distribution: they may be narrow, or of two sorts. `n` of them are worth n ÷ (n + `WEIGHT`) of the whole.
"""

from bisect import insort
from collections import deque
from collections.abc import Sequence
from typing import Final

from stretto.graph.conformal import WINDOW

WEIGHT: Final = 40
LEAST: Final = 5
Cell = tuple[str, str]
"""A kind, and a project."""


class OwnPast:
    """The last `WINDOW` values of each cell: logarithms of seconds, less what is known beside the kind's mean."""

    def __init__(self) -> None:
        self._values: dict[Cell, deque[float]] = {}
        self._sorted: dict[Cell, list[float]] = {}

    def add(self, cell: Cell, value: float) -> None:
        """One more, in the place of the oldest where there are `WINDOW`."""
        values, known = self._values.setdefault(cell, deque()), self._sorted.setdefault(cell, [])
        if len(values) == WINDOW:
            known.remove(values.popleft())
        values.append(value)
        insort(known, value)

    def blend(self, cell: Cell, base: float, ps: Sequence[float], model: Sequence[float]) -> list[float]:
        """The quantiles `ps`: the `model`'s, drawn to those of the cell's own past, to which `base` is added."""
        known = self._sorted.get(cell, [])
        if len(known) < LEAST:
            return [*model]
        share = len(known) / (len(known) + WEIGHT)
        return [share * (base + _quantile(known, p)) + (1 - share) * q for p, q in zip(ps, model, strict=True)]


def _quantile(known: Sequence[float], p: float) -> float:
    """Between the two values around it (definition 7 of Hyndman and Fan, The American Statistician 50, 1996)."""
    place = p * (len(known) - 1)
    below = int(place)
    return known[below] + (known[min(below + 1, len(known) - 1)] - known[below]) * (place - below)
