"""Where in the line something stands: positions, and errors that point at them.

Columns and lines count from 1. Standard library only, for the quick doors.
"""

from __future__ import annotations

from collections.abc import Sequence

from stretto.state.errors import BadInput
from stretto.state.light import NamedTuple

MAX_BYTES = 1 << 20
"""A line longer than this is not read."""
_REACH = 60
"""How many characters of a long line an excerpt shows on each side of the caret."""


class Source(NamedTuple):
    """The text as it was received; offsets count its characters from 0."""

    text: str

    def place(self, at: int) -> tuple[int, int]:
        """The line and the column of an offset."""
        return self.text.count("\n", 0, at) + 1, at - self.text.rfind("\n", 0, at)

    def error(
        self,
        at: int,
        message: str,
        *,
        field: str = "",
        allowed: Sequence[str] = (),
        next_steps: Sequence[str] = (),
    ) -> BadInput:
        """An error whose message ends in an excerpt of the line and a caret below the offset."""
        line, column = self.place(at)
        return BadInput(
            f"{message}\n{self._excerpt(at)}",
            field=field,
            allowed=allowed,
            next_steps=next_steps,
            details={"line": line, "column": column},
        )

    def _excerpt(self, at: int) -> str:
        start = self.text.rfind("\n", 0, at) + 1
        end = self.text.find("\n", at)
        end = len(self.text) if end < 0 else end
        left, right = max(start, at - _REACH), min(end, at + _REACH)
        before = ("…" if left > start else "") + _shown(self.text[left:at])
        after = _shown(self.text[at:right]) + ("…" if right < end else "")
        return f"  {before}{after}\n  {' ' * _width(before)}^"


def received(text: str) -> Source:
    """Take a text from outside.

    Raises:
        BadInput: Longer than 1 MiB, a NUL, or half a surrogate pair (bytes that are not UTF-8).
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise BadInput("The line is longer than 1 MiB; nothing of it was read.", field="line")
    source = Source(text)
    if (at := unusable(text)) >= 0:
        raise source.error(at, f"The character {text[at]!r} is not allowed in a line.", field="line")
    return source


def unusable(text: str) -> int:
    """The offset of the first NUL or lone surrogate, or -1."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return text.find("\0")


def nearest(word: str, known: Sequence[str], *, cutoff: float = 0.7) -> str:
    """The known word that `word` was probably meant to be, or an empty string."""
    # Only the way to an error comes here, so that a good line does not pay for the import.
    from difflib import get_close_matches

    return next(iter(get_close_matches(word[:100], known, n=1, cutoff=cutoff)), "")


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
