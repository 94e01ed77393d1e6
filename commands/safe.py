"""Text from agents, other programs and users, made safe to be shown: nothing in it steers a terminal."""

from stretto.state.light import pattern

# Control characters but the line break and the tab, whatever ends a line elsewhere, and what turns the direction.
_STEERING = pattern("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def safe(text: str) -> str:
    """`text` with a mark in the place of each character that would do more than be seen."""
    if text.replace("\n", "").isprintable():  # as nearly always: the pattern need not be compiled
        return text
    return _STEERING.sub("\ufffd", text)


def one_line(text: str, longest: int = 200) -> str:
    """`text` as one safe line of at most `longest` characters."""
    line = safe(" ".join(text.split()))
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"
