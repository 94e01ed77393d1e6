"""When a usage limit is over, from what a client or a provider says of it."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_STAMP = re.compile(r"limit reached\|(\d{9,13})")
_CLOCK = re.compile(r"\bresets (?:at )?(\d{1,2})(?::(\d\d))? ?(am|pm)\b(?: \(([\w+/-]+)\))?", re.IGNORECASE)
_MILLISECONDS = 10_000_000_000


def seconds_of(stamp: float) -> float:
    """A moment in seconds since the epoch, which some give in milliseconds."""
    return stamp / 1000 if stamp > _MILLISECONDS else stamp


def reset_in(text: str, now: datetime) -> datetime | None:
    """The moment that a text names: `usage limit reached|1760000000`, `resets 3pm (Europe/Berlin)`; None without one.

    A time of day is the next one after `now`, in the zone that is named, else in that of `now`.
    """
    if found := _STAMP.search(text):
        return datetime.fromtimestamp(seconds_of(float(found[1])), UTC)
    if not (found := _CLOCK.search(text)):
        return None
    hour, minute = int(found[1]), int(found[2] or 0)
    if not 1 <= hour <= 12 or minute > 59:
        return None
    try:
        here = now.astimezone(ZoneInfo(found[4])) if found[4] else now
    except (ZoneInfoNotFoundError, ValueError):
        return None
    at = here.replace(hour=hour % 12 + (12 if found[3].lower() == "pm" else 0), minute=minute, second=0, microsecond=0)
    return at if at > here else at + timedelta(days=1)
