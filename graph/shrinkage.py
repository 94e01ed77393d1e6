"""Logarithms of durations: what is expected of the next one, from few past ones that are more or less like it.

    log seconds = mean of its kind in its project + slope · log size + effect of its workflow + level + noise

The mean of a kind in a project is drawn to the mean of the kind, and that to the mean of all, the more so the fewer
observations there are and the more alike the groups have turned out (empirical Bayes: Efron and Morris 1975; Gelman and
Hill 2007). Variances are found by moments, each from a prior that a few observations outweigh. The effect of a workflow
is known from its own phases that have finished. The level follows a drift of all durations, slowly. What is expected is
a Student t distribution (Gelman et al. 2013), whose degrees of freedom grow with the observations.

Sums alone are kept, so that an observation costs the same however many came before.
"""

import math
from typing import Final, NamedTuple

_NOISE, _NOISE_WEIGHT = 0.64, 4
_KINDS, _KINDS_WEIGHT, _KINDS_LEAST = 0.64, 2, 0.05
_PROJECTS, _PROJECTS_WEIGHT, _PROJECTS_LEAST = 0.1, 2, 0.01
_WORKFLOWS, _WORKFLOWS_WEIGHT = 0.1, 5
_SLOPE, _SLOPE_WEIGHT = 0.6, 4
"""Priors: variances of noise, kinds, projects and workflows, and the slope, each worth so many observations."""
_OWN_NOISE_WEIGHT = 6
"""The noise of all kinds is worth so many observations of one of them: some are steadier than others."""
GAIN: Final = 0.02
"""How fast the level follows: a drift within about 1 ÷ gain observations. What doubt explains is not drift."""


class Expected(NamedTuple):
    """A Student t distribution of log seconds.

    Of its variance `doubt` is about the mean of the kind and `shared` about the effect of the workflow; both are the
    same for all phases alike. `noise` is each phase's own. `cell` is its kind and project, `base` is `centre` without
    their mean.
    """

    cell: tuple[str, str]
    base: float
    centre: float
    df: float
    doubt: float
    shared: float
    noise: float

    @property
    def scale(self) -> float:
        """Of the whole."""
        return math.sqrt(self.doubt + self.shared + self.noise)


class _Sums:
    """Of the logarithms of seconds (y) and sizes (h)."""

    def __init__(self) -> None:
        self.n = 0
        self.y = self.yy = self.h = self.hh = self.yh = 0.0

    def add(self, y: float, h: float) -> None:
        self.n += 1
        self.y += y
        self.yy += y * y
        self.h += h
        self.hh += h * h
        self.yh += y * h

    def mean(self, slope: float) -> float:
        """Of what the size does not explain."""
        return (self.y - slope * self.h) / self.n

    def squares(self, slope: float) -> float:
        """Of the deviations from that mean."""
        return self.yy - 2 * slope * self.yh + slope**2 * self.hh - self.n * self.mean(slope) ** 2


class _Fit(NamedTuple):
    slope: float
    noise: float
    kinds: float
    projects: float
    overall: float
    df: float


class Shrinkage:
    """The model, and the observations that it has seen, as sums."""

    def __init__(self) -> None:
        self.n = 0
        self._kinds: dict[str, _Sums] = {}
        self._cells: dict[tuple[str, str], _Sums] = {}
        self._workflows: dict[str, tuple[int, float]] = {}
        self._level = 0.0
        self._products, self._pairs = 0.0, 0
        self._fit: _Fit | None = None

    def count(self, kind: str) -> int:
        """How many observations there are of a kind."""
        return self._kinds[kind].n if kind in self._kinds else 0

    def expect(self, kind: str, project: str, workflow: str | None, size: float | None) -> Expected:
        """What is expected; `size` is the logarithm of a hint, None of an average one."""
        fit = self._fitted()
        mean, doubt = self._mean(fit, kind, project)
        count, total = (0, 0.0) if workflow is None else self._workflows.get(workflow, (0, 0.0))
        between = self._between(fit.noise)
        own = (fit.noise - between) * self._steadiness(fit, kind)
        held = own + count * between
        base = fit.slope * self._size(kind, size) + self._level + between * total / held
        return Expected(
            cell=(kind, project),
            base=base,
            centre=mean + base,
            df=fit.df,
            doubt=doubt,
            shared=between * own / held,
            noise=own,
        )

    def add(self, kind: str, project: str, workflow: str | None, size: float | None, y: float) -> None:
        """Learn that one took exp(`y`) seconds."""
        size = self._size(kind, size)
        if self.n:
            expected = self.expect(kind, project, None, size)
            self._learn_workflow(workflow, y - expected.centre)
            self._level += GAIN * (y - expected.centre) * expected.noise / expected.scale**2
        self.n += 1
        self._kinds.setdefault(kind, _Sums()).add(y, size)
        self._cells.setdefault((kind, project), _Sums()).add(y, size)
        self._fit = None

    def _size(self, kind: str, size: float | None) -> float:
        if size is not None:
            return size
        return self._kinds[kind].h / self._kinds[kind].n if kind in self._kinds else 0.0

    def _learn_workflow(self, workflow: str | None, surprise: float) -> None:
        """The product of two surprises of one workflow is, on average, the variance between workflows."""
        if workflow is None:
            return
        count, total = self._workflows.get(workflow, (0, 0.0))
        if count:
            self._products += surprise * total / count
            self._pairs += 1
        self._workflows[workflow] = (count + 1, total + surprise)

    def _between(self, noise: float) -> float:
        found = (self._products + _WORKFLOWS_WEIGHT * _WORKFLOWS) / (self._pairs + _WORKFLOWS_WEIGHT)
        return min(max(found, 0.0), 0.8 * noise)

    def _steadiness(self, fit: _Fit, kind: str) -> float:
        """The noise of a kind, as a share of that of all: what its own observations say, drawn to 1."""
        cells = [cell for (name, _), cell in self._cells.items() if name == kind]
        squares = sum(max(0.0, cell.squares(fit.slope)) for cell in cells)
        freedom = sum(cell.n - 1 for cell in cells)
        return (squares / fit.noise + _OWN_NOISE_WEIGHT) / (freedom + _OWN_NOISE_WEIGHT)

    def _mean(self, fit: _Fit, kind: str, project: str) -> tuple[float, float]:
        """The mean of a kind in a project, less what its size explains, and how uncertain it is (a variance)."""
        mean, doubt = fit.overall, fit.kinds / max(1, len(self._kinds))
        for sums, variance in self._groups(fit, kind, project):
            count = sums.n if sums else 0
            weight = count * variance / (count * variance + fit.noise)
            mean = (weight * sums.mean(fit.slope) if sums else 0.0) + (1 - weight) * mean
            doubt = variance * (1 - weight) + (1 - weight) ** 2 * doubt
        return mean, doubt

    def _groups(self, fit: _Fit, kind: str, project: str) -> list[tuple[_Sums | None, float]]:
        whole, cell = self._kinds.get(kind), self._cells.get((kind, project))
        groups: list[tuple[_Sums | None, float]] = [(whole, fit.kinds)]
        if whole and (cell is None or cell.n < whole.n):  # with one project alone the kind says it all
            groups.append((cell, fit.projects))
        return groups

    # ── what the observations have in common ─────────────────────────────────────────────────────────────────────────

    def _fitted(self) -> _Fit:
        if self._fit is None:
            self._fit = self._estimate()
        return self._fit

    def _estimate(self) -> _Fit:
        slope = self._slope()
        squares = sum(max(0.0, cell.squares(slope)) for cell in self._cells.values())
        freedom = max(0, self.n - len(self._cells)) + _NOISE_WEIGHT
        noise = (squares + _NOISE_WEIGHT * _NOISE) / freedom
        kinds = list(self._kinds.values())
        centre = sum(kind.n * kind.mean(slope) for kind in kinds) / max(1, self.n)
        apart = sum(kind.n * (kind.mean(slope) - centre) ** 2 for kind in kinds)
        between = _moment(apart, noise, self.n, len(kinds), _KINDS, _KINDS_WEIGHT, _KINDS_LEAST)
        weights = [1 / (between + noise / kind.n) for kind in kinds]
        overall = sum(w * kind.mean(slope) for w, kind in zip(weights, kinds, strict=True)) / sum(weights or [1])
        return _Fit(slope, noise, between, self._between_projects(slope, noise), overall, freedom)

    def _slope(self) -> float:
        along = sum(kind.yh - kind.y * kind.h / kind.n for kind in self._kinds.values())
        spread = sum(kind.hh - kind.h**2 / kind.n for kind in self._kinds.values())
        return (along + _SLOPE_WEIGHT * _SLOPE) / (max(0.0, spread) + _SLOPE_WEIGHT)

    def _between_projects(self, slope: float, noise: float) -> float:
        several = [(self._kinds[kind], cell) for (kind, _), cell in self._cells.items() if cell.n < self._kinds[kind].n]
        apart = sum(cell.n * (cell.mean(slope) - kind.mean(slope)) ** 2 for kind, cell in several)
        count = sum(cell.n for _, cell in several)
        return _moment(apart, noise, count, len(several), _PROJECTS, _PROJECTS_WEIGHT, _PROJECTS_LEAST)


def _moment(apart: float, noise: float, n: int, groups: int, prior: float, weight: float, least: float) -> float:
    """The variance between groups: how far apart their means are, less what noise alone explains."""
    found = max(least, (apart - groups * noise) / n) if n else 0.0
    return (found * groups + prior * weight) / (groups + weight)
