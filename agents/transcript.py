"""What a transcript of Claude Code's tells of one agent: its order, what it used, what it did.

The format has no description and moves, so whatever is not understood is passed over. Standard library only, for the
hooks.
"""

from __future__ import annotations

from stretto.state.ids import is_order_id
from stretto.state.light import NamedTuple, cast, suppress
from stretto.state.quick_json import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

_ORDER = "Work order "
_SHOWN = 2_000
_IN = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class Seen(NamedTuple):
    """What an agent did. `lines` are kinds and facts for its log, `last` its last words.

    The tokens are None where a message did not say how many it took, or where there is no message.
    """

    input_tokens: int | None
    output_tokens: int | None
    lines: list[tuple[str, dict[str, Any]]]
    last: str


def order_of(path: Path | str) -> str | None:
    """The order whose brief the agent was given; empty if it was given none, None while its prompt is not written."""
    for row in _rows(path):
        if row.get("type") == "user":
            return _order(_text(_object(row.get("message")).get("content")))
    return None


def read(path: Path) -> Seen:
    """Read a transcript; one that is not there tells nothing."""
    used: dict[str, dict[str, Any]] = {}
    lines: list[tuple[str, dict[str, Any]]] = []
    last = ""
    for row in _rows(path):
        if row.get("type") != "assistant":
            continue
        message = _object(row.get("message"))
        used[str(message.get("id"))] = _object(message.get("usage"))  # one reply is several rows of the same usage
        lines += _told(message.get("content"))
        last = _text(message.get("content")) or last
    parts = list(used.values())
    counted_in = [_total([_count(part, name) for name in _IN if name in part]) for part in parts]
    return Seen(_total(counted_in), _total([_count(part, "output_tokens") for part in parts]), lines, last)


def _rows(path: Path | str) -> Iterator[dict[str, Any]]:
    with suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                row: object = loads(line)
            except (ValueError, RecursionError):
                continue
            yield _object(row)


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _blocks(content: object) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        return []
    return [_object(block) for block in cast("list[object]", content)]


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(b["text"]) for b in _blocks(content) if isinstance(b.get("text"), str))


def _order(text: str) -> str:
    """The order that a brief is of: it stands on a line of its own."""
    for line in text.splitlines():
        if line.startswith(_ORDER) and is_order_id(name := line.removeprefix(_ORDER).strip()):
            return name
    return ""


def _told(content: object) -> Iterator[tuple[str, dict[str, Any]]]:
    for block in _blocks(content):
        if block.get("type") == "text":
            yield "text", {"text": str(block.get("text", ""))[:_SHOWN]}
        elif block.get("type") == "tool_use":
            args = dumps(block.get("input"), ensure_ascii=False, default=str)
            yield "tool", {"name": str(block.get("name", "")), "args": args[:_SHOWN]}


def _count(part: dict[str, Any], name: str) -> int | None:
    found = part.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _total(parts: list[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if parts and len(known) == len(parts) else None
