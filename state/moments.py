"""Timestamps of the log: UTC, ISO 8601, milliseconds. From seconds since the epoch, and back.

Without `datetime` as a whole, which takes a tenth of the interpreter's start.
"""

from time import gmtime

TYPE_CHECKING = False


def stamp(seconds: float) -> str:
    """Seconds since the epoch as a timestamp."""
    whole = int(seconds)
    more, micro = divmod(round((seconds - whole) * 1_000_000), 1_000_000)
    year, month, day, hour, minute, second, *_ = gmtime(whole + more)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro // 1000:03}Z"


def moment(timestamp: str) -> float:
    """A timestamp in seconds since the epoch.

    Raises:
        ValueError: It is none.
        OverflowError: It is of a time that the machine's clock cannot tell.
    """
    if TYPE_CHECKING:
        from datetime import datetime
    else:
        try:
            from _datetime import datetime  # the part in C; here, since who only writes does without
        except ImportError:
            from datetime import datetime
    return datetime.fromisoformat(timestamp).timestamp()
