"""Milestones: dates by which workflows shall be done, and whether they will be.

A milestone is expected when the last of its workflows is: each at the moment of its start, if it still waits, plus the
time that it has left. Workflows go side by side; who waits for whom is in the starts. Its status:

reached             all of them are completed
delayed             the date has passed
at_risk             the expected end lies after the date, or one of them failed or was cancelled
ahead_of_schedule   even the end that nine in ten do not exceed lies before the date
on_track            the expected end does not lie after the date
unknown             nobody knows how long one of them takes, or there is none of that id yet
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from stretto.graph.progress import Progress

Status = Literal["reached", "delayed", "at_risk", "ahead_of_schedule", "on_track", "unknown"]
_DONE = frozenset({"COMPLETED", "ARCHIVED"})
_LOST = frozenset({"FAILED", "CANCELLED"})


class Milestone(NamedTuple):
    """What was asked for: `target` in seconds since the epoch."""

    name: str
    target: float
    workflows: tuple[str, ...]


class Standing(NamedTuple):
    """How it stands. Times are in seconds since the epoch; `share` is the mean of its workflows' progress.

    `expected` and `at_worst` are None where nobody knows, `last` is the workflow that decides, `why` says what delays.
    """

    milestone: Milestone
    status: Status
    share: float | None
    expected: float | None
    at_worst: float | None
    last: str
    why: tuple[str, ...]


def standing(
    one: Milestone,
    known: Mapping[str, Progress],
    waits: Mapping[str, float | None],
    ends: Mapping[str, float],
    now: float,
) -> Standing:
    """Judge a milestone.

    Args:
        one: The milestone.
        known: How far each workflow has come, by id.
        waits: For those that are queued, the seconds until they start; None where that is unknown.
        ends: When those that have ended did so.
        now: Seconds since the epoch.
    """
    absent = tuple(name for name in one.workflows if name not in known)
    there = [known[name] for name in one.workflows if name in known]
    share = None if absent else sum(p.share for p in there) / len(there)
    if not absent and all(p.status in _DONE for p in there):
        done, last = max((ends.get(p.workflow_id, now), p.workflow_id) for p in there)
        late = () if done <= one.target else (f"reached {done - one.target:.0f} s after its date",)
        return Standing(one, "reached", 1.0, done, done, last, late)
    left = {p.workflow_id: _left(p, waits) for p in there if p.status not in _DONE}
    expected, last = _latest({name: likely for name, (likely, _) in left.items()}, now)
    worst, _ = _latest({name: high for name, (_, high) in left.items()}, now)
    if absent:
        expected = worst = None
    lost = tuple(f"{p.workflow_id} is {p.status}" for p in there if p.status in _LOST)
    why = (*lost, *(f"there is no {name} yet" for name in absent))
    return Standing(one, _status(one, expected, worst, bool(lost), now), share, expected, worst, last, why)


def _left(p: Progress, waits: Mapping[str, float | None]) -> tuple[float | None, float | None]:
    """Seconds until it is likely done, and until nine in ten would be."""
    if p.status in _LOST:
        return None, None
    wait = waits.get(p.workflow_id, 0.0)
    if wait is None:
        return None, None
    likely, high = p.left.likely, p.left.high
    return (None if likely is None else wait + likely), (None if high is None else wait + high)


def _latest(seconds: Mapping[str, float | None], now: float) -> tuple[float | None, str]:
    """The moment of the last of them, and which that is; None where one is not known."""
    known = {name: value for name, value in seconds.items() if value is not None}
    if not seconds or len(known) < len(seconds):
        return None, next((name for name in seconds if name not in known), "")
    last = max(known, key=lambda name: known[name])
    return now + known[last], last


def _status(one: Milestone, expected: float | None, worst: float | None, lost: bool, now: float) -> Status:
    if now > one.target:
        return "delayed"
    if lost or (expected is not None and expected > one.target):
        return "at_risk"
    if expected is None:
        return "unknown"
    return "ahead_of_schedule" if worst is not None and worst < one.target else "on_track"
