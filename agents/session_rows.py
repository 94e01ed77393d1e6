"""The rows of a recording of Claude Code's: session files and stream-json, read whatever state they are in.

The formats have no description and move from version to version. A line that is torn, binary, too long, nested too
deep, or no JSON object is counted and passed over; nothing in a file raises.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from stretto.agents.speech import encodable

MOST_BYTES = 16_000_000
"""How long a line may be; a longer one is passed over without being read as a whole."""
DEEPEST = 48
"""How deep a row may be nested: what is kept of it must be written and read again."""
Facts = dict[str, Any]


class Tally(Counter[str]):
    """How often what was passed over, by what it was."""

    def skip(self, what: str) -> None:
        """Count one."""
        self[what[:120]] += 1


def rows(path: Path, tally: Tally) -> Iterator[Facts]:
    """The rows of a file, as far as they are JSON objects.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        while line := file.readline(MOST_BYTES + 1):
            if len(line) > MOST_BYTES:
                _pass_over(file, line)
                tally.skip(f"line of more than {MOST_BYTES // 1_000_000} MB")
            elif line.strip():
                yield from parsed(line, tally)


def _pass_over(file: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(MOST_BYTES)


def parsed(line: bytes | str, tally: Tally) -> Iterator[Facts]:
    """The row that a line is, or nothing."""
    try:
        text = line.decode("utf-8-sig") if isinstance(line, bytes) else line
        found: object = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        tally.skip("line that is not JSON")
        return
    if not isinstance(found, dict):
        tally.skip("row that is no object")
    elif _too_deep(cast("Facts", found)):
        tally.skip(f"row nested deeper than {DEEPEST}")
    else:
        yield cast("Facts", _encodable(found) if "\\u" in text else found)


def _no_number(name: str) -> float:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _too_deep(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(DEEPEST):
        below: list[object] = []
        for item in level:
            if isinstance(item, dict):
                below += cast("dict[str, object]", item).values()
            elif isinstance(item, list):
                below += cast("list[object]", item)
        level = below
    return bool(level)


def _encodable(value: Any) -> Any:
    """Halves of surrogate pairs can be escaped in JSON, and written nowhere."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, list):
        return [_encodable(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {encodable(key): _encodable(item) for key, item in cast("dict[str, object]", value).items()}
    return value


def facts(value: object) -> Facts:
    """An object, or an empty one."""
    return cast("Facts", value) if isinstance(value, dict) else {}


def word(value: object) -> str:
    """A text, or an empty one."""
    return value if isinstance(value, str) else ""


def items(value: object) -> list[object]:
    """A list, or an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []
