"""How predictions turned out, folded from the log.

Starts: what WORKFLOW_QUEUED said, beside when WORKFLOW_SCHEDULED came. Bottlenecks: what the same estimates say will be
waited for the longest, beside what was. Demands: what RESOURCE_REQUESTED holds as predicted, beside what the workflow
took when it was completed.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from stretto.graph.bottlenecks import lacking
from stretto.graph.learning import PastWorkflow
from stretto.state.errors import BadInput
from stretto.state.moments import moment
from stretto.state.units import seconds
from stretto.state.wire import Event

ENOUGH = 5


class Half(NamedTuple):
    """Over `n` workflows, of (estimated - waited) ÷ waited: the median of its size, and its mean. None is unknown."""

    n: int
    median_error: float | None
    bias: float | None


class StartAccuracy(NamedTuple):
    """Of all, and of the older and the newer half where each has enough."""

    n: int
    median_error: float | None
    bias: float | None
    by_half: tuple[Half, ...]


def start_accuracy(events: Iterable[Event]) -> StartAccuracy:
    """Fold the log; those that still wait, or whose start nobody could estimate, do not count."""
    said: dict[str, tuple[float, float]] = {}
    errors: list[float] = []
    for event in events:
        at = moment(event.timestamp)
        if event.type == "WORKFLOW_QUEUED" and (estimate := _estimate(event)) is not None:
            said[event.workflow_id] = (at, estimate)
        elif event.type == "WORKFLOW_SCHEDULED" and event.workflow_id in said:
            since, estimate = said.pop(event.workflow_id)
            if at > since:
                errors.append((estimate - (at - since)) / (at - since))
    middle = len(errors) // 2
    halves = (_half(errors[:middle]), _half(errors[middle:])) if middle >= ENOUGH else ()
    whole = _half(errors)
    return StartAccuracy(whole.n, whole.median_error, whole.bias, halves)


def _estimate(event: Event) -> float | None:
    try:
        return seconds(event.data.get("estimated_start"), "estimated_start")
    except BadInput:
        return None


def _half(errors: Sequence[float]) -> Half:
    if len(errors) < ENOUGH:
        return Half(len(errors), None, None)
    return Half(len(errors), median(abs(e) for e in errors), sum(errors) / len(errors))


class Foretold(NamedTuple):
    """What was expected to be waited for the longest, and what was, over `n` workflows that waited and started."""

    n: int
    predicted: str | None
    measured: str | None

    @property
    def agrees(self) -> bool | None:
        """None where nothing was predicted or measured yet."""
        return None if self.predicted is None or self.measured is None else self.predicted == self.measured


def bottleneck_accuracy(events: Iterable[Event]) -> Foretold:
    """Over the workflows whose start was estimated when they were queued."""
    said: dict[str, tuple[float, float, list[str]]] = {}
    sums: tuple[dict[str, float], dict[str, float]] = ({}, {})
    count = 0
    for event in events:
        if event.type == "WORKFLOW_QUEUED" and (estimate := _estimate(event)) is not None:
            said[event.workflow_id] = (moment(event.timestamp), estimate, [what for what, _ in lacking(event.data)])
        elif event.type == "WORKFLOW_SCHEDULED" and event.workflow_id in said:
            since, estimate, names = said.pop(event.workflow_id)
            count += 1
            for name in names:
                for total, seconds in zip(sums, (estimate, moment(event.timestamp) - since), strict=True):
                    total[name] = total.get(name, 0.0) + seconds
    return Foretold(count, *(max(total, key=total.__getitem__, default=None) for total in sums))


class DemandAccuracy(NamedTuple):
    """Over `n` finished workflows whose duration was predicted before.

    `coverage` is the share within the interval, of those that had one; `bias` the mean of (predicted - took) ÷ took,
    `median_error` the median of its size; `agents_error` the same of the agents. None is unknown.
    """

    n: int
    coverage: float | None
    bias: float | None
    median_error: float | None
    agents_error: float | None


def demand_accuracy(events: Iterable[Event], past: Iterable[PastWorkflow]) -> list[DemandAccuracy]:
    """Of all; and, where each has enough, of the older and the newer half."""
    said = {e.workflow_id: told for e in events if (told := _predicted(e))}
    found = [(said[one.workflow_id], one) for one in past if one.workflow_id in said]
    middle = len(found) // 2
    halves = [_demands(found[:middle]), _demands(found[middle:])] if middle >= ENOUGH else []
    return [_demands(found), *halves]


def _predicted(event: Event) -> Mapping[str, Any] | None:
    if event.type != "RESOURCE_REQUESTED":
        return None
    told: Mapping[str, Any] | None = event.data.get("context", {}).get("predicted")
    return told


def _demands(found: Sequence[tuple[Mapping[str, Any], PastWorkflow]]) -> DemandAccuracy:
    if len(found) < ENOUGH:
        return DemandAccuracy(len(found), None, None, None, None)
    errors = [(told["seconds"] - one.seconds) / one.seconds for told, one in found]
    within = [told["low"] <= one.seconds <= told["high"] for told, one in found if told.get("low") is not None]
    agents = [abs(told["agents"] - one.agents) / one.agents for told, one in found if one.agents]
    return DemandAccuracy(
        n=len(found),
        coverage=sum(within) / len(within) if within else None,
        bias=sum(errors) / len(errors),
        median_error=median(abs(e) for e in errors),
        agents_error=median(agents) if agents else None,
    )
