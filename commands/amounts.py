"""Amounts for people: bytes, and counts of things."""

_STEP = 1000
_UNITS = ("B", "kB", "MB", "GB", "TB")


def size(count: int) -> str:
    """Bytes as one number and its unit: 1.2 MB."""
    number, unit = float(count), 0
    while number >= _STEP and unit < len(_UNITS) - 1:
        number, unit = number / _STEP, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{count} B"


def some(count: int, thing: str) -> str:
    """A count with its noun: 1 event, 2 events."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
