"""What a transcript of the client's tells of one agent: its order, what it used, what it did.

The format has no description and moves, so whatever is not understood is passed over. Standard library only.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

from stretto.agents import attempt_log
from stretto.state import orders
from stretto.state.store import LOGS

_ORDER = "Work order "
_SHOWN = 2_000
_COUNTED = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


class Seen(NamedTuple):
    """An agent's transcript. `usage` has None for what nobody counted; `lines` are kinds and facts for its log."""

    order: str
    usage: dict[str, int | None]
    lines: list[tuple[str, dict[str, Any]]]


def read(path: Path) -> Seen:
    """Read an agent's transcript; one that is not there tells nothing."""
    order = ""
    used: dict[str, dict[str, Any]] = {}
    lines: list[tuple[str, dict[str, Any]]] = []
    for row in _rows(path):
        message = _object(row.get("message"))
        if row.get("type") == "user" and not order:
            order = _order(_text(message.get("content")))
        if row.get("type") == "assistant":
            if isinstance(message.get("usage"), dict):
                used[str(message.get("id"))] = message["usage"]  # one reply is several rows, each with the same usage
            lines += _told(message.get("content"))
    return Seen(order, _sum(list(used.values())), lines)


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except OSError:
        return
    with file:
        for line in file:
            try:
                row: object = json.loads(line)
            except (ValueError, RecursionError):
                continue
            yield _object(row)


def _blocks(content: object) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        return []
    return [_object(block) for block in cast("list[object]", content)]


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(b["text"]) for b in _blocks(content) if isinstance(b.get("text"), str))


def _order(text: str) -> str:
    """The order that a brief is of: it begins a line of its own."""
    for line in text.splitlines():
        if line.startswith(_ORDER) and orders.is_id(name := line.removeprefix(_ORDER).strip()):
            return name
    return ""


def _told(content: object) -> Iterator[tuple[str, dict[str, Any]]]:
    for block in _blocks(content):
        if block.get("type") == "text":
            yield "text", {"text": str(block.get("text", ""))[:_SHOWN]}
        elif block.get("type") == "tool_use":
            args = json.dumps(block.get("input"), ensure_ascii=False, default=str)
            yield "tool", {"name": str(block.get("name", "")), "args": args[:_SHOWN]}


def _sum(parts: list[dict[str, Any]]) -> dict[str, int | None]:
    if not parts:
        return {"input_tokens": None, "output_tokens": None}
    read_in = [_count(part, name) for part in parts for name in _COUNTED if name == _COUNTED[0] or name in part]
    return {"input_tokens": _total(read_in), "output_tokens": _total([_count(p, "output_tokens") for p in parts])}


def _count(part: dict[str, Any], name: str) -> int | None:
    found = part.get(name)
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _total(parts: list[int | None]) -> int | None:
    return None if None in parts else sum(p for p in parts if p is not None)


def is_report(text: str) -> bool:
    """Whether a message has the shape of a report: an object with a status, bare or as the only fenced block."""
    body = text.strip()
    if body.count("```") == 2:
        body = body.split("```")[1].removeprefix("json").strip()
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "status" in found


def keep(directory: Path, seen: Seen) -> None:
    """Write what the agent did to the log of its attempt, for `stretto logs`."""
    workflow, task, number = orders.parse(seen.order)
    write = attempt_log.writer(directory / LOGS, workflow, task, number)
    for kind, facts in (*seen.lines, ("usage", dict(seen.usage))):
        write(kind, facts)
