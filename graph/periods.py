"""Periods by name: `last_30_days`, before and after the first optimisation, or two dates."""

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from stretto.state.errors import BadInput
from stretto.state.light import pattern
from stretto.state.wire import Event

PRE, POST = "pre_optimization_period", "post_optimization_period"
LABELS = ("last_7_days", "last_30_days", "last_90_days", "all", PRE, POST, "2026-01-01..2026-02-01")
_LAST = pattern(r"last_(\d{1,4})_days")
_DATES = pattern(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})")
DAY = 86400.0


class Period(NamedTuple):
    """From `since` until `until`, in seconds since the epoch."""

    label: str
    since: float
    until: float

    def holds(self, at: float) -> bool:
        """Whether a moment lies in it."""
        return self.since <= at < self.until


def period(label: str, events: Iterable[Event], now: float, field: str) -> Period:
    """The period of a label; what an optimisation divides is divided by the first RESOURCE_OPTIMIZED on record.

    Raises:
        BadInput: The label is none, or nothing was optimised yet.
    """
    if label == "all":
        return Period(label, float("-inf"), float("inf"))
    if found := _LAST.fullmatch(label):
        return Period(label, now - int(found[1]) * DAY, float("inf"))
    if found := _DATES.fullmatch(label):
        return Period(label, _day(found[1], field), _day(found[2], field))
    if label in (PRE, POST):
        first = next((e.timestamp for e in events if e.type == "RESOURCE_OPTIMIZED"), None)
        if first is None:
            raise BadInput(
                f"{label!r} begins or ends with an optimisation, and there is none on record.",
                field=field,
                allowed=LABELS[:4],
                next_steps=("stretto resource-manager optimize",),
            )
        at = math.nextafter(datetime.fromisoformat(first).timestamp(), math.inf)  # what ended just then was before
        return Period(label, float("-inf"), at) if label == PRE else Period(label, at, float("inf"))
    raise BadInput(f"{field} {label[:60]!r} is no period.", field=field, allowed=LABELS)


def _day(text: str, field: str) -> float:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise BadInput(f"{field}: {text!r} is no day.", field=field, allowed=LABELS) from error
