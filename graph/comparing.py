"""Comparing two ways of doing the same tasks: intervals for shares and their difference, and a test.

- A share: Wilson's score interval (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, p. 209; no continuity correction).
- The difference of paired shares: Newcombe's hybrid score interval (R. G. Newcombe, Statistics in Medicine 17, 1998,
  p. 2635, method 10).
- Whether it is one: McNemar's test in its exact form (Q. McNemar, Psychometrika 12, 1947, p. 153), two-sided, by the
  binomial distribution of the pairs that differ.
- Means and ratios of amounts: percentile bootstrap over the tasks (B. Efron, Annals of Statistics 7, 1979, p. 1).
"""

import math
import random
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 5_000
_Z: Final = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
_SEED: Final = 20_261_123
LEAST_PAIRS: Final = 5
"""Fewer pairs give no interval of a ratio: their resamples are too few to differ."""


class Interval(NamedTuple):
    """An estimate and where, with 95 % confidence, the true value lies."""

    value: float
    low: float
    high: float


class Pairs(NamedTuple):
    """How two ways ended on the same tasks: both good, only the first, only the second, neither."""

    both: int
    first: int
    second: int
    neither: int

    @property
    def total(self) -> int:
        """How many pairs there are."""
        return sum(self)


def pairs_of(ends: Sequence[tuple[bool, bool]]) -> Pairs:
    """Count pairs of ends."""
    return Pairs(*(ends.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False))))


def share(good: int, total: int) -> Interval | None:
    """Wilson's interval of a share; None of nothing."""
    if not total:
        return None
    p, zz = good / total, _Z * _Z
    middle = (p + zz / (2 * total)) / (1 + zz / total)
    half = _Z / (1 + zz / total) * math.sqrt(p * (1 - p) / total + zz / (4 * total * total))
    low = 0.0 if not good else max(0.0, middle - half)
    return Interval(p, low, 1.0 if good == total else min(1.0, middle + half))


def difference(pairs: Pairs) -> Interval | None:
    """Newcombe's interval of the first share less the second; None of nothing."""
    n = pairs.total
    one, two = share(pairs.both + pairs.first, n), share(pairs.both + pairs.second, n)
    if one is None or two is None:
        return None
    phi = _correlation(pairs)
    low1, high1 = one.value - one.low, one.high - one.value
    low2, high2 = two.value - two.low, two.high - two.value
    value = one.value - two.value
    down = math.sqrt(max(0.0, low1 * low1 - 2 * phi * low1 * high2 + high2 * high2))
    up = math.sqrt(max(0.0, low2 * low2 - 2 * phi * low2 * high1 + high1 * high1))
    return Interval(value, max(-1.0, value - down), min(1.0, value + up))


def _correlation(pairs: Pairs) -> float:
    """Newcombe's phi: with his correction where the ends agree more often than by chance."""
    a, b, c, d = pairs
    under = (a + b) * (c + d) * (a + c) * (b + d)
    if not under:
        return 0.0
    over = a * d - b * c
    return (max(over - pairs.total / 2, 0.0) if over > 0 else over) / math.sqrt(under)


def mcnemar(pairs: Pairs) -> float:
    """The probability of pairs that differ so unevenly or more, if neither way were the better one."""
    n, k = pairs.first + pairs.second, min(pairs.first, pairs.second)
    return min(1.0, sum(math.comb(n, i) for i in range(k + 1)) / 2.0 ** (n - 1))


def ratio(amounts: Sequence[tuple[float, float]]) -> Interval | None:
    """The sum of the first amounts over that of the second, by the bootstrap; None of fewer than `LEAST_PAIRS`."""
    second = sum(b for _, b in amounts)
    if len(amounts) < LEAST_PAIRS or second <= 0:
        return None
    rng = random.Random(_SEED)  # noqa: S311 - resampling, no secret
    found: list[float] = []
    for _ in range(RESAMPLES):
        drawn = rng.choices(amounts, k=len(amounts))
        under = sum(b for _, b in drawn)
        if under > 0:
            found.append(sum(a for a, _ in drawn) / under)
    found.sort()
    return Interval(sum(a for a, _ in amounts) / second, _quantile(found, 0.025), _quantile(found, 0.975))


def mean(amounts: Sequence[float]) -> Interval | None:
    """The mean of amounts, by the bootstrap; None of fewer than `LEAST_PAIRS`."""
    if len(amounts) < LEAST_PAIRS:
        return None
    rng = random.Random(_SEED)  # noqa: S311
    found = sorted(sum(rng.choices(amounts, k=len(amounts))) / len(amounts) for _ in range(RESAMPLES))
    return Interval(sum(amounts) / len(amounts), _quantile(found, 0.025), _quantile(found, 0.975))


def _quantile(values: Sequence[float], q: float) -> float:
    at = q * (len(values) - 1)
    low = math.floor(at)
    return values[low] + (values[min(low + 1, len(values) - 1)] - values[low]) * (at - low)
