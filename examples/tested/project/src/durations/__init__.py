"""Durations as people write them: `1h30m`."""

import re

_FORM = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?")


def minutes(text):
    """How many minutes a duration has."""
    found = _FORM.fullmatch(text)
    if not text or not found:
        raise ValueError(f"not a duration: {text!r}")
    hours, rest = (int(part or 0) for part in found.groups())
    return hours * 60 + rest


def written(count):
    """A number of minutes as a duration."""
    return f"{count // 60}h{count % 60}m"
