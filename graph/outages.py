"""A provider that is not there: a workflow pauses until it answers again, or until its usage limit is over."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from stretto.agents.retry import OutOfPatience
from stretto.state.errors import StrettoError, TransientError
from stretto.state.moments import stamp
from stretto.state.wire import Event

OUTAGE: Final = "outage"
"""In the facts of WORKFLOW_PAUSED: what the provider said, and when it may be asked again."""


class Outage(NamedTuple):
    """What was met. `until` is seconds since the epoch, None if nobody knows."""

    error: str
    until: float | None


def outage(error: StrettoError, now: float) -> Outage:
    """What an error of a runner says of its provider."""
    after = error.retry_after if isinstance(error, OutOfPatience | TransientError) else None
    return Outage(error.message, None if after is None else now + after)


def longer(one: Outage | None, other: Outage) -> Outage:
    """Of two agents' outages the one that is over later; one whose end is known, if there is one."""
    if one is None or one.until is None:
        return other
    return other if other.until is not None and other.until > one.until else one


def paused(met: Outage) -> dict[str, Any]:
    """What WORKFLOW_PAUSED says of it."""
    at = None if met.until is None else stamp(met.until)
    why = f"the provider takes nothing more until {at}" if at else "the provider does not answer"
    facts = {"error": met.error, "retry_at": at}
    return {"pause_reason": f"{why}: {met.error}", "current_state": "resumable", OUTAGE: facts}


def standing(events: Sequence[Event], now: float) -> Outage | None:
    """The outage for which a workflow was paused last, if it is said to go on."""
    last = next((e for e in reversed(events) if e.type in ("WORKFLOW_PAUSED", "WORKFLOW_RESUMED")), None)
    facts: dict[str, Any] = (last.data.get(OUTAGE) if last else None) or {}
    if not facts.get("retry_at"):
        return None
    until = datetime.fromisoformat(facts["retry_at"]).timestamp()
    return Outage(str(facts.get("error", "")), until) if until > now else None
