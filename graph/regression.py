"""Whether finished workflows have become worse, and how much worse they would have to be to be noticed.

Each metric is tested to one side, that of worse, by Welch's test; `time` and `agents` by their logarithms, so that what
is measured is a ratio. The probabilities are corrected for the number of metrics by Holm's procedure (S. Holm,
Scandinavian Journal of Statistics 6, 1979): where nothing changed, any alarm at all comes at most as often as `alarms`
says. What is told as `noticeable` is the change that such a test finds four times in five:
(t(1 - alarms, df) + t(0.8, df)) · standard error.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, variance
from typing import NamedTuple

from stretto.graph import student

POWER = 0.8
ALARMS = 0.05
LEAST = 4
"""Values that a side needs for a test."""
_RISES: Mapping[str, bool] = {
    "time": True,
    "agents": True,
    "utilisation": False,
    "efficiency": False,
    "quality": False,
    "reliability": False,
}
RATIOS = frozenset({"time", "agents"})
"""Metrics of which a change is told as a share of the baseline."""


class Finding(NamedTuple):
    """One metric. `worse` is how much worse it has become, `noticeable` what would be found with a power of 0.8.

    Both are shares of the baseline for `time` and `agents`, else points; negative is better. `p` is corrected. All are
    None, and `regressed` too, where a side has too few values; `noticeable` also where nothing varies.
    """

    metric: str
    n: tuple[int, int]
    worse: float | None
    noticeable: float | None
    p: float | None
    regressed: bool | None


def regressions(
    baseline: Mapping[str, Sequence[float | None]],
    current: Mapping[str, Sequence[float | None]],
    alarms: float = ALARMS,
) -> list[Finding]:
    """Look at every metric of `baseline`; both map its name to the values of workflows."""
    tests = {name: _tested(name, baseline[name], current[name], alarms) for name in baseline}
    ranked = sorted((test.p, name) for name, test in tests.items() if test.p is not None)
    corrected: dict[str, float] = {}
    highest = 0.0
    for rank, (p, name) in enumerate(ranked):
        highest = max(highest, min(1.0, p * (len(ranked) - rank)))
        corrected[name] = highest
    return [
        test._replace(p=corrected[name], regressed=corrected[name] < alarms) if name in corrected else test
        for name, test in tests.items()
    ]


def _tested(name: str, baseline: Sequence[float | None], current: Sequence[float | None], alarms: float) -> Finding:
    ratio = name in RATIOS
    before, after = _values(baseline, ratio=ratio), _values(current, ratio=ratio)
    n = len(before), len(after)
    if min(n) < LEAST:
        return Finding(name, n, None, None, None, None)
    sign = 1 if _RISES[name] else -1
    moved = sign * (fmean(after) - fmean(before))
    a, b = variance(before) / n[0], variance(after) / n[1]
    told: Callable[[float], float] = math.expm1 if ratio else float
    if a + b == 0:
        apart = 1 / math.comb(sum(n), n[0])  # of all ways to divide the values, one puts all of the worse on one side
        return Finding(name, n, told(moved), None, apart if moved > 0 else 1.0, None)
    freedom = max((a + b) ** 2 / (a * a / (n[0] - 1) + b * b / (n[1] - 1)), 3.0)
    error = math.sqrt(a + b)
    reach = (student.quantile(1 - alarms, freedom) + student.quantile(POWER, freedom)) * error
    return Finding(name, n, told(moved), told(reach), 1 - student.cdf(moved / error, freedom), None)


def _values(found: Sequence[float | None], *, ratio: bool) -> list[float]:
    known = [value for value in found if value is not None]
    return [math.log(value) for value in known if value > 0] if ratio else known
