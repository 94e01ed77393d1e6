"""Optimising: settings of the scheduler for a target, found by meeting the requests of the past again.

    target                    what is made small                               what may change
    total_time                the mean time from asking to giving back         strict, ageing, patience
    total_time_with_quality   the same, by the weights of the ranks            ageing, patience; ranks stay strict
    throughput                the end of the last one                          strict, ageing
    fairness                  the longest wait                                 strict, ageing, patience

With fewer than `ENOUGH` requests to look at, or the strategy `fixed`, the settings come from a table instead, and what
they bring is unknown.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any, Final, NamedTuple, cast

from stretto.graph.learning import PastWorkflow
from stretto.graph.online import Policy
from stretto.graph.requeue import Job, Outcome, again

TARGETS: Final = ("total_time", "total_time_with_quality", "throughput", "fairness")
ENOUGH: Final = 5
_HOUR: Final = 3600.0
_LEAST_GAIN: Final = 0.01
"""Less than this is no reason to change anything."""
_TABLE: Final[dict[str, dict[str, Any]]] = {
    "total_time": {"strict": False, "ageing": 0.5},
    "total_time_with_quality": {"strict": True, "ageing": 0.5},
    "throughput": {"strict": False, "ageing": 0.0},
    "fairness": {"strict": False, "ageing": 2.0, "patience": _HOUR},
}
_AGEING: Final = (0.0, 0.5, 1.0, 2.0)
_PATIENCE: Final = (1 * _HOUR, 4 * _HOUR, 24 * _HOUR)


class Found(NamedTuple):
    """The policy that was found; `before` and `after` are the target's figure in seconds, None where unknown."""

    policy: Policy
    n: int
    before: float | None
    after: float | None
    basis: str


def find(jobs: Sequence[Job], capacity: Mapping[str, float], now: Policy, target: str, *, adaptive: bool) -> Found:
    """The best policy for a target. Equal ones stay as they are."""
    if not adaptive or len(jobs) < ENOUGH:
        why = "the table of targets" if not adaptive else f"{len(jobs)} past requests, at least {ENOUGH} are needed"
        return Found(_changed(now, **_TABLE[target]), len(jobs), None, None, why)
    figure = _FIGURES[target]
    before = figure(again(jobs, capacity, now))
    after, _, best = min(
        ((figure(again(jobs, capacity, one)), n, one) for n, one in enumerate(_candidates(now, target))),
        key=lambda found: found[:2],
    )
    if after > before * (1 - _LEAST_GAIN):
        best, after = now, before
    return Found(best, len(jobs), before, after, f"{len(jobs)} past requests met again")


_FIGURES: Final[dict[str, Callable[[Outcome], float]]] = {
    "total_time": lambda found: found.mean_flow,
    "total_time_with_quality": lambda found: found.weighted_flow,
    "throughput": lambda found: found.makespan,
    "fairness": lambda found: found.wait(1.0),
}


def _candidates(now: Policy, target: str) -> Iterator[Policy]:
    for strict in (True,) if target == "total_time_with_quality" else (True, False):
        for ageing in _AGEING:
            for patience in _PATIENCE:
                yield _changed(now, strict=strict, ageing=ageing, patience=patience)


def _changed(now: Policy, *, strict: bool, ageing: float, patience: float | None = None) -> Policy:
    """Those who are critical keep the short patience that they have."""
    ranks = {
        name: rank if patience is None or name == "critical" else rank._replace(patience=patience)
        for name, rank in now.ranks.items()
    }
    return now._replace(strict=strict, ageing=ageing, ranks=ranks)


def durations(past: Sequence[PastWorkflow]) -> dict[str, float]:
    """The median seconds of each type that has `ENOUGH` finished workflows: for requests that say nothing of it."""
    kinds = sorted({one.kind for one in past})
    found = {kind: [one.seconds for one in past if one.kind == kind] for kind in kinds}
    return {kind: median(values) for kind, values in found.items() if len(values) >= ENOUGH}


def stored(policy: Policy) -> dict[str, Any]:
    """A policy as settings keep it."""
    ranks = {name: {"weight": rank.weight, "patience": rank.patience} for name, rank in policy.ranks.items()}
    return {"strict": policy.strict, "ageing": policy.ageing, "ranks": ranks}


def difference(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    """What differs, by the full name of the setting."""
    found: dict[str, dict[str, Any]] = {}
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            inner = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
            found |= difference(*inner, f"{prefix}{name}.")
        elif old != new:
            found[f"{prefix}{name}"] = {"from": old, "to": new}
    return found
