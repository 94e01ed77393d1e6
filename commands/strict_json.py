"""JSON as it stands in a line: strict, bounded, and wrong at a column."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from math import isinf

from stretto.commands.line import Value
from stretto.commands.source import Source, unusable
from stretto.state.errors import BadInput
from stretto.state.light import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_DEPTH = 100
_TOKEN = pattern(
    r'(?P<string>"[^"\\]*(?:\\.[^"\\]*)*")(?P<key>\s*:)?|(?P<open>[\[{])|(?P<close>[\]}])'
    r"|(?P<constant>NaN|-?Infinity)|(?P<number>-?[0-9][0-9.eE+-]*)"
)
_Raise = Callable[[int, str], BadInput]
_STEPS = ("Write strict JSON: double quotes, no trailing comma. Put it in single quotes.",)


def parse_json(source: Source, value: Value) -> Any:
    """The JSON that a value holds.

    Raises:
        BadInput: Not strict JSON, an object with a key twice, NaN or Infinity or a number that overflows to it, nested
            deeper than 100, or a string with a NUL or half a surrogate pair. The message points into the line.
    """

    def error(index: int, message: str) -> BadInput:
        return source.error(value.offset(index), message, field="json", next_steps=_STEPS)

    try:
        parsed = json.loads(value.text)
    except json.JSONDecodeError as wrong:
        raise error(wrong.pos, f"This is not JSON: {wrong.msg}.") from None
    except (RecursionError, ValueError):  # ValueError: an integer of more digits than Python converts
        raise next(_faults(value.text, error), error(0, "This JSON is too large.")) from None
    for fault in _faults(value.text, error):
        raise fault
    return parsed


def _faults(text: str, error: _Raise) -> Iterator[BadInput]:
    """What the standard parser lets pass, in order."""
    open_keys: list[set[str]] = []
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "open":
                open_keys.append(set())
                if len(open_keys) > MAX_DEPTH:
                    yield error(token.start(), f"This JSON is nested deeper than {MAX_DEPTH}.")
            case "close":
                open_keys.pop()
            case "constant":
                yield error(token.start(), f"{token[0]} is not JSON.")
            case "number":
                if len(token[0]) > 1000 or isinf(float(token[0])):
                    yield error(token.start(), "This number is too large.")
            case _:
                yield from _string_faults(token, open_keys, error)


def _string_faults(token: re.Match[str], open_keys: list[set[str]], error: _Raise) -> Iterator[BadInput]:
    text = json.loads(token["string"])
    if unusable(text) >= 0:
        yield error(token.start(), "This string holds a NUL or half a surrogate pair.")
    if token["key"] and open_keys:
        if text in open_keys[-1]:
            yield error(token.start(), f"The key {text!r} is there twice.")
        open_keys[-1].add(text)
