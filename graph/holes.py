"""The holes in a template's texts, and what fills them.

A value is put in once and never read again, so that one which holds `{{`, quotes or YAML stays the text that it is.
"""

import re
import shlex
from collections.abc import Mapping, Sequence

Value = str | bool | tuple[str, ...]
PLACEHOLDER = re.compile(r"\{\{\s*([a-z][a-z0-9_]*)\s*\}\}")
TITLE = 120
"""Characters of a title, at most; more is cut with an ellipsis."""
SUBJECT = 72
"""Characters of `{{subject}}`, at most."""


def fill(text: str, values: Mapping[str, Value]) -> str:
    """`text` with its holes filled, in one pass. KeyError for a hole without a value."""
    return PLACEHOLDER.sub(lambda match: _text(values[match[1]]), text)


def _text(value: Value) -> str:
    if isinstance(value, tuple):
        return ", ".join(value)
    return value if isinstance(value, str) else str(value).lower()


def title(text: str, values: Mapping[str, Value]) -> str:
    """A title with its holes filled, on one line of at most `TITLE` characters."""
    return _cut(_line(fill(text, values)), TITLE)


def paths(entries: Sequence[str], values: Mapping[str, Value]) -> tuple[str, ...]:
    """Paths with their holes filled; an entry that is one array alone becomes its elements."""
    found: list[str] = []
    for entry in entries:
        alone = PLACEHOLDER.fullmatch(entry)
        value = values[alone[1]] if alone else ""
        found += value if isinstance(value, tuple) else [fill(entry, values)]
    return tuple(found)


def command(check: str, values: Mapping[str, Value]) -> str:
    """A check with its holes filled. A value stays within its word, whatever quotes or spaces it holds."""
    tight = PLACEHOLDER.sub(r"{{\1}}", check)  # `{{ name }}` is one word, too
    return shlex.join(fill(word, values) for word in shlex.split(tight))


def default(value: Value, values: Mapping[str, Value]) -> Value:
    """The default of a variable with its holes filled."""
    if isinstance(value, tuple):
        return tuple(fill(text, values) for text in value)
    return fill(value, values) if isinstance(value, str) else value


def subject(description: str) -> str:
    """The first sentence of a description on one line, cut to fit a title."""
    return _cut(re.split(r"(?<=[.!?])\s", _line(description), maxsplit=1)[0].rstrip("."), SUBJECT)


def _line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rsplit(" ", 1)[0].rstrip(",;:") + "…"
