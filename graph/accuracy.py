"""How estimates of starts turned out: what WORKFLOW_QUEUED said, beside when WORKFLOW_SCHEDULED came."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from statistics import median
from typing import NamedTuple

from stretto.state.errors import BadInput
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
        at = datetime.fromisoformat(event.timestamp).timestamp()
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
