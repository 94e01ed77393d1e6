"""Answers of three providers as they come over the wire: a part at a time, where the client asks for that."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.client.reply import events

Answer = tuple[int, dict[str, str], dict[str, Any]]
PIECE = 12
"""Letters of a part."""
KINDS = {"/v1/chat/completions": "openai", "/v1/messages": "anthropic", "/api/chat": "ollama"}
FORMS = {"openai": "text/event-stream", "anthropic": "text/event-stream", "ollama": "application/x-ndjson"}


@dataclass(frozen=True)
class Slow:
    """An answer that takes its time, `pause` seconds before each part.

    After so many parts it stalls, is cut off, or ends as if it were complete (`short`); or it `breaks`: its provider
    says in the middle that something went wrong.
    """

    answer: Answer
    pause: float = 0.0
    stall: int | None = None
    cut: int | None = None
    short: int | None = None
    breaks: int | None = None


def parts(kind: str, body: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[bytes]:
    """The whole answer `body`, as this provider streams it."""
    match kind:
        case "openai":
            yield from (_data(chunk) for chunk in _openai(body, asked))
            yield b"data: [DONE]\n\n"
        case "anthropic":
            yield from events(body, PIECE)
        case _:
            yield from (json.dumps(line).encode() + b"\n" for line in _ollama(body))


def trouble(kind: str) -> bytes:
    """What this provider says when something goes wrong in the middle of an answer."""
    overloaded = {"type": "overloaded_error", "message": "Overloaded"}
    match kind:
        case "openai":
            return _data({"error": {"type": "server_error", "code": None, "message": "The server had an error"}})
        case "anthropic":
            return f"event: error\ndata: {json.dumps({'type': 'error', 'error': overloaded})}\n\n".encode()
        case _:
            return b'{"error": "an error was encountered while running the model: unexpected EOF"}\n'


def _data(value: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def _pieces(text: str) -> list[str]:
    return [text[n : n + PIECE] for n in range(0, len(text), PIECE)]


def _openai(body: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    head = {"id": body["id"], "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    (choice,) = body["choices"]
    message = choice["message"]

    def chunk(delta: Mapping[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in _pieces(message.get("content") or ""):
        yield chunk({"content": piece})
    for index, call in enumerate(message.get("tool_calls") or ()):
        named = {"name": call["function"]["name"], "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": named}]})
        for piece in _pieces(call["function"]["arguments"]):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, choice["finish_reason"])
    if asked.get("stream_options") == {"include_usage": True}:
        yield {**head, "choices": [], "usage": body["usage"]}


def _ollama(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    head = {"model": body["model"], "created_at": body["created_at"], "done": False}
    message = body["message"]
    for piece in _pieces(message["content"]):
        yield {**head, "message": {"role": "assistant", "content": piece}}
    for call in message.get("tool_calls") or ():
        yield {**head, "message": {"role": "assistant", "content": "", "tool_calls": [call]}}
    yield {**body, "message": {"role": "assistant", "content": ""}}
