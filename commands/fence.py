"""What a bash fence of an integration document holds: commands, event lines, and lines that are neither."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from stretto.commands.source import Source, received

_EVENT = re.compile(r"[A-Z][A-Z0-9_]*:[^\s:]+:[^\s:]+:[ \t]*\{")
_PIECE = re.compile(
    r"""'[^']*' | "[^"\\]*(?:\\.[^"\\]*)*" | \\\r?\n | \\. | (?<![^\s])\#[^\n]* | \n | [^'"\\\n\s]+ | [ \t\r\f\v]+""",
    re.VERBOSE | re.DOTALL,
)


class Statement(NamedTuple):
    """One command or event of a document, or a line that is neither (`other`); `line` counts from 1."""

    kind: Literal["command", "event", "other"]
    text: str
    line: int


def split_document(text: str) -> list[Statement]:
    r"""Cut the text of a bash fence into statements, without their comments.

    A command ends at the end of its line, unless a quote is open or the line ends with a backslash.

    Raises:
        BadInput: A quote is not closed, or the text cannot be a line (too long, a NUL).
    """
    return list(each_statement(text))


def each_statement(text: str) -> Iterator[Statement]:
    """The statements one by one, so that those before a quote that is not closed are had. Raises as above."""
    source, pos = received(text), 0
    text, line = source.text, 1
    while pos < len(text):
        end = text.find("\n", pos)
        end = len(text) if end < 0 else end
        first = text[pos:end].strip()
        if _EVENT.match(first):
            yield Statement("event", first, line)
        elif first.startswith("/"):
            command, end = _command(source, pos)
            yield Statement("command", command, line)
        elif first and not first.startswith("#"):
            yield Statement("other", first, line)
        line += text.count("\n", pos, end + 1)
        pos = end + 1


def _command(source: Source, start: int) -> tuple[str, int]:
    """The command that begins at `start`, and where the line break behind it stands."""
    kept: list[str] = []
    pos = start
    while pos < len(source.text) and source.text[pos] != "\n":
        piece = _PIECE.match(source.text, pos)
        if piece is None:
            steps = ("Close it, or put a text with an apostrophe in double quotes.",)
            raise source.error(pos, "This quote is not closed.", field="line", next_steps=steps)
        kept.append("" if piece[0].startswith("#") else piece[0])
        pos = piece.end()
    return "".join(kept).strip(), pos
