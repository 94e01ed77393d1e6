"""Simulated time: it passes when it is told to."""

from datetime import UTC, datetime

BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC).timestamp()
"""When every scenario begins: a Monday, at nine."""


class Clock:
    """A clock of seconds since the epoch."""

    def __init__(self, begin: float = BEGIN) -> None:
        self._now = begin

    def now(self) -> float:
        """The time."""
        return self._now

    def pass_to(self, moment: float) -> None:
        """Let it become a later moment; an earlier one changes nothing."""
        self._now = max(self._now, moment)
