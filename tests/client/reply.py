"""What the scripted API answers: text, tool calls, thinking; or an error, or a stream that stops in the middle."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.client.request import Request

Block = Mapping[str, Any]
_IDS = itertools.count(1)


@dataclass(frozen=True)
class Reply:
    """One answer of the model.

    `delay` seconds pass before it begins. With `stall` or `cut` it begins, and does not go on after so many events: the
    connection stays open without a word, or is closed.
    """

    blocks: Sequence[Block]
    usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stop: str = ""
    delay: float = 0.0
    stall: int | None = None
    cut: int | None = None


@dataclass(frozen=True)
class Failure:
    """An error of the API, `delay` seconds after the request."""

    status: int
    kind: str = "api_error"
    message: str = "scripted"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    delay: float = 0.0


Answer = Reply | Failure
OVERLOADED = Failure(529, "overloaded_error", "Overloaded")
UNAUTHORIZED = Failure(401, "authentication_error", "invalid x-api-key")


def text(said: str) -> Block:
    return {"type": "text", "text": said}


def think(thought: str) -> Block:
    return {"type": "thinking", "thinking": thought, "signature": "c2NyaXB0ZWQ="}


def call(name: str, **args: Any) -> Block:
    return {"type": "tool_use", "id": f"toolu_{next(_IDS):024}", "name": name, "input": args}


def say(said: str) -> Reply:
    """A plain text, which ends the model's turn."""
    return reply(text(said))


def use(name: str, **args: Any) -> Reply:
    """One tool call."""
    return reply(call(name, **args))


def reply(*blocks: Block, delay: float = 0.0, **usage: int) -> Reply:
    """Blocks in this order; `usage` are counts such as `input_tokens=5`, in place of counted letters."""
    return Reply(blocks, usage=usage, delay=delay)


def message(reply: Reply, request: Request) -> dict[str, Any]:
    """The reply as the message of the API."""
    calls = any(b["type"] == "tool_use" for b in reply.blocks)
    counted = {
        "input_tokens": max(1, len(request.all) // 4),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": max(1, len(json.dumps(reply.blocks)) // 4),
        "service_tier": "standard",
    }
    return {
        "id": f"msg_{next(_IDS):024}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": [dict(b) for b in reply.blocks],
        "stop_reason": reply.stop or ("tool_use" if calls else "end_turn"),
        "stop_sequence": None,
        "usage": {**counted, **reply.usage},
    }


def events(message: Mapping[str, Any], piece: int = 200) -> Iterator[bytes]:
    """The message as server-sent events, of so many letters each."""
    begun: dict[str, Any] = {
        **message,
        "content": [],
        "stop_reason": None,
        "usage": {**message["usage"], "output_tokens": 1},
    }
    yield _event("message_start", message=begun)
    for index, block in enumerate(message["content"]):
        empty, deltas = _streamed(block, piece)
        yield _event("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=ended, usage=message["usage"])
    yield _event("message_stop")


def _streamed(block: Block, size: int) -> tuple[Block, list[Block]]:
    """A block as it begins, and the deltas that fill it."""
    match block["type"]:
        case "tool_use":
            pieces = _pieces(json.dumps(block["input"]), size)
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        case "thinking":
            thought = {"type": "thinking_delta", "thinking": block["thinking"]}
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {**block, "thinking": "", "signature": ""}, [thought, signed]
        case _:
            pieces = _pieces(str(block["text"]), size)
            return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]


def _pieces(text: str, size: int) -> list[str]:
    return [text[n : n + size] for n in range(0, len(text), size)]


def _event(name: str, **data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()
