"""How often a running workflow's state is kept.

By Young's formula: √(2 · cost of a checkpoint · mean time between failures) loses the least time, when both are known
(J. W. Young, Communications of the ACM 17(9), 1974). The cost is the mean of what the store's checkpoints took, the
mean time between failures what its workflows ran for each failure. From a quarter of the base to four times as long;
the base itself where either is not known.
"""

import math
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any, NamedTuple

from stretto.state.database import Database
from stretto.state.moments import moment
from stretto.state.queries import event_page
from stretto.state.wire import Event

CHECKPOINTS = "checkpoints"
"""The choice that says how often state is kept."""
BASE_SECONDS = 900.0
_BOUND = 4
_PAGE = 500


class Interval(NamedTuple):
    """Seconds between checkpoints, what they follow from (None: not known), and why in words."""

    seconds: float
    cost: float | None
    between_failures: float | None
    failures: int
    why: str


def interval(database: Database, chosen: Mapping[str, Any]) -> Interval:
    """The interval that what was chosen, and what the log tells, lead to."""
    base = float(chosen.get("base", BASE_SECONDS))
    cost, between, failures = _measured(database)
    if not (chosen.get("risk", True) and chosen.get("cost", True)):
        return Interval(base, cost, between, failures, "as chosen, without an adjustment")
    if cost is None or between is None:
        missing = "no failure" if between is None else "no checkpoint"
        return Interval(base, cost, between, failures, f"the base, since {missing} is on record")
    young = math.sqrt(2 * cost * between)
    bound = min(max(young, base / _BOUND), base * _BOUND)
    told = f"a checkpoint takes {cost:.2g} s and {between:.3g} s run for each of {failures} failures"
    return Interval(bound, cost, between, failures, told + ("" if bound == young else ", within the bounds"))


def due(database: Database, workflow_id: str, chosen: Mapping[str, Any], now: float) -> bool:
    """Whether the newest checkpoint of a workflow is older than the interval."""
    made = [e for e in _events(database, workflow_id) if e.type in ("CHECKPOINT_CREATED", "WORKFLOW_STARTED")]
    return bool(made) and now - moment(made[-1].timestamp) >= interval(database, chosen).seconds


def _measured(database: Database) -> tuple[float | None, float | None, int]:
    """Mean cost of a checkpoint, mean time between failures, number of failures."""
    costs: list[float] = []
    ran, failures = 0.0, 0
    since: dict[str, float] = {}
    for event in _events(database, None):
        if event.type == "CHECKPOINT_CREATED" and isinstance(spent := event.data.get("seconds"), int | float):
            costs.append(float(spent))
        failures += event.type in ("PHASE_FAILED", "ERROR_ENCOUNTERED")
        if event.type in ("WORKFLOW_STARTED", "WORKFLOW_RESUMED"):
            since.setdefault(event.workflow_id, moment(event.timestamp))
        elif event.type.startswith("WORKFLOW_") and event.workflow_id in since:
            ran += moment(event.timestamp) - since.pop(event.workflow_id)
    return (fmean(costs) if costs else None, ran / failures if failures and ran > 0 else None, failures)


def _events(database: Database, workflow_id: str | None) -> Iterator[Event]:
    after = 0
    while page := event_page(database, workflow_id, after, _PAGE):
        yield from page
        after = page[-1].seq
