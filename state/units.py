"""What people write for amounts, and back: `2GB`, `4h`, `10_percent`. Stored are bytes, seconds and shares."""

from __future__ import annotations

from stretto.state.errors import BadInput
from stretto.state.light import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 30 * 86400
"""Seconds of the longest duration that anybody may ask for."""
_PLAIN = pattern(r"(\d{1,9}(?:\.\d{1,6})?)(s|m|h|d)?")
_CHAIN = pattern(r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?")
_MEMORY = pattern(r"(\d{1,9}(?:\.\d{1,6})?) ?(?:([KMGT])i?B?|B)?")
_PERCENT = pattern(r"(\d{1,3}(?:\.\d{1,6})?)(?:_percent|%)")
_COUNT = pattern(r"(\d{1,4})_[a-z]+")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}


def seconds(value: object, field: str) -> float:
    """`90`, `90s`, `15m`, `4h`, `2d`, `1h30m` in seconds; so is a bare number.

    Raises:
        BadInput: Anything else, zero, or more than thirty days.
    """
    text = _text(value)
    total = 0.0
    if plain := _PLAIN.fullmatch(text):
        total = float(plain[1]) * _SECONDS[plain[2] or "s"]
    elif chain := _CHAIN.fullmatch(text):
        total = float(sum(int(n or 0) * size for n, size in zip(chain.groups(), (86400, 3600, 60, 1), strict=True)))
    if not 0 < total <= LONGEST:
        raise _wrong(value, field, "a duration of at most 30 days", ("90s", "15m", "4h", "2d", "1h30m"))
    return total


def amount_of_bytes(value: object, field: str) -> int:
    """`2GB`, `512MB`, `1.5 GiB` in bytes, by powers of 1024 whichever way it is spelt; a bare number is bytes.

    Raises:
        BadInput: Anything else, or zero.
    """
    found = _MEMORY.fullmatch(_text(value))
    size = round(float(found[1]) * 1024 ** _POWERS.get(found[2] or "", 0)) if found else 0
    if size <= 0:
        raise _wrong(value, field, "an amount of memory", ("512MB", "2GB"))
    return size


def share(value: object, field: str) -> float:
    """`10_percent`, `10%` or 0.1 as a share between 0 and 1.

    Raises:
        BadInput: Anything else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value)
    else:
        match = _PERCENT.fullmatch(_text(value))
        found = float(match[1]) / 100 if match else -1.0
    if not 0 <= found <= 1:
        raise _wrong(value, field, "a share", ("0.1", "10%", "10_percent"))
    return found


def count(value: object, field: str) -> int:
    """`2_phases`, `"2"` or 2 as a whole number from 1 to 9999.

    Raises:
        BadInput: Anything else.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        found = value
    else:
        text = _text(value)
        match = _COUNT.fullmatch(text)
        found = int(match[1]) if match else int(text) if text.isdecimal() and len(text) < 5 else 0
    if not 1 <= found <= 9999:
        raise _wrong(value, field, "a count", ("2", "2_phases"))
    return found


def said_seconds(value: float | None) -> str:
    """The shortest way to write a duration that `seconds` reads: `4h`, `1h30m`, `45m`, `12s`; `unknown` for None."""
    return "unknown" if value is None else "".join(_parts(round(value))) or "0s"


def _parts(left: int) -> Iterator[str]:
    for unit, size in (("h", 3600), ("m", 60), ("s", 1)):
        whole, left = divmod(left, size)
        if whole:
            yield f"{whole}{unit}"


def said_bytes(value: float | None) -> str:
    """`2GB`, `512MB`, `1.5GB`; `unknown` for None. One GB is 1024 MB."""
    if value is None:
        return "unknown"
    for unit, power in (("TB", 4), ("GB", 3), ("MB", 2), ("KB", 1)):
        if value >= 1024**power:
            return f"{value / 1024**power:.3g}{unit}"
    return f"{value:.0f}B"


def _text(value: object) -> str:
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    text = str(value).strip() if plain else ""
    return text if text.isascii() else ""


def _wrong(value: object, field: str, what: str, allowed: tuple[str, ...]) -> BadInput:
    return BadInput(f"{field} {str(value)[:40]!r} is not {what}.", field=field, allowed=allowed)
