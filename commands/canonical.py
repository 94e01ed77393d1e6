"""The inverse of parsing: an invocation as one canonical slash line, which a POSIX shell would read alike."""

from __future__ import annotations

from stretto.commands.invocation import Invocation
from stretto.commands.line import is_bare
from stretto.state.quick_json import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SPECIAL = frozenset('"\\$`!')


def render(invocation: Invocation) -> str:
    """The line that `parse_line` reads back as this invocation, except for `line` and the columns.

    Operation first, then ids, words, JSON in single quotes, flags. Lists are written as JSON.
    """
    parts = [f"/{invocation.command}", *([invocation.operation] if invocation.operation else []), *invocation.ids]
    parts += [quoted(w.text) if w.quoted or not is_bare(w.text) else w.text for w in invocation.words]
    parts += [_json(value) for value in invocation.json]
    parts += [_flag(name, value) for name, value in invocation.flags.items()]
    return " ".join(parts)


def quoted(text: str) -> str:
    """A text in quotes within which nothing is special."""
    if _SPECIAL.isdisjoint(text):
        return f'"{text}"'
    return "'" + text.replace("'", "'\\''") + "'"


def _flag(name: str, value: Any) -> str:
    if value is True:
        return f"--{name}"
    if isinstance(value, (int, str)):
        text = str(value)
        return f"--{name}={text if is_bare(text) else quoted(text)}"
    return f"--{name}={_json(value)}"


def _json(value: Any) -> str:
    # The only place where an apostrophe can stand is within a JSON string, where it may be escaped.
    return "'" + dumps(value, ensure_ascii=False, allow_nan=False).replace("'", "\\u0027") + "'"
