"""Student's t distribution: its probabilities and quantiles, with the standard library alone."""

import math
from statistics import NormalDist

_NORMAL = NormalDist()
_TINY = 1e-300


def cdf(x: float, df: float) -> float:
    """The probability of at most `x`, with `df` > 0 degrees of freedom."""
    return _tail(-x, df) if x < 0 else 1 - _tail(x, df)


def quantile(p: float, df: float) -> float:
    """The `x` whose probability is `p`, 0 < p < 1, with at least 3 degrees of freedom."""
    return -_beyond(p, df) if p < 0.5 else _beyond(1 - p, df)


def _beyond(tail: float, df: float) -> float:
    """The `x` ≥ 0 with the probability `tail` above it: a series, then Newton's steps, on a log scale far out."""
    z = -_NORMAL.inv_cdf(tail)
    x = (  # Abramowitz and Stegun 26.7.5
        z
        + (z**3 + z) / (4 * df)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * df**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * df**3)
    )
    for _ in range(20):
        above, density = _tail(x, df), _density(x, df)
        if abs(above / tail - 1) < 1e-10:
            break
        if x < 1:
            x = max(0.0, x + (above - tail) / density)
        else:
            x *= math.exp(math.log(above / tail) * above / (x * density))
    return x


def _tail(x: float, df: float) -> float:
    return 0.5 * _beta(df / 2, 0.5, df / (df + x * x))


def _density(x: float, df: float) -> float:
    scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    return math.exp(scale - (df + 1) / 2 * math.log1p(x * x / df))


def _beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    found = d
    for m in range(1, 200):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + step * d)
            c = _away(1 + step / c)
            found *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return found


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
