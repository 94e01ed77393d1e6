"""A request of the Messages API, as a script wants to look at it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast


@dataclass(frozen=True)
class ToolResult:
    """What a tool answered since the model last spoke."""

    name: str
    args: Mapping[str, Any]
    text: str
    failed: bool


@dataclass(frozen=True)
class Request:
    """One `POST /v1/messages`. `at` is monotonic seconds; header names are in lower case.

    The client puts messages of the role `system` between the others (environment, hook context, token budgets), after
    tool results too: what is new for the model is everything after its own last message, which is `last`.
    """

    body: Mapping[str, Any]
    headers: Mapping[str, str]
    at: float

    @cached_property
    def system(self) -> str:
        """The system prompt."""
        return flat(self.body.get("system"))

    @cached_property
    def messages(self) -> tuple[Mapping[str, Any], ...]:
        return tuple(cast("Sequence[Mapping[str, Any]]", self.body.get("messages") or ()))

    @cached_property
    def first(self) -> str:
        """The text of the first message of the user: the task."""
        return next((flat(m.get("content")) for m in self.messages if m.get("role") == "user"), "")

    @cached_property
    def last(self) -> str:
        """All that came after the last message of the assistant: text, tool results, hook context."""
        return "\n".join(flat(m.get("content")) for m in self._since)

    @cached_property
    def text(self) -> str:
        """The text of all messages."""
        return "\n".join(flat(m.get("content")) for m in self.messages)

    @cached_property
    def all(self) -> str:
        """Whatever the model reads, the descriptions of its tools included."""
        return "\n".join((self.system, self.text, json.dumps(self.body.get("tools") or [], ensure_ascii=False)))

    @cached_property
    def results(self) -> tuple[ToolResult, ...]:
        """What its tools answered since the model last spoke."""
        calls = {b["id"]: b for m in self.messages for b in blocks(m) if b.get("type") == "tool_use"}
        found = [b for m in self._since for b in blocks(m) if b.get("type") == "tool_result"]
        return tuple(
            ToolResult(
                str(calls.get(b["tool_use_id"], {}).get("name", "")),
                calls.get(b["tool_use_id"], {}).get("input", {}),
                flat(b.get("content")),
                bool(b.get("is_error")),
            )
            for b in found
        )

    @property
    def turn(self) -> int:
        """How often the model has spoken in this conversation."""
        return sum(m.get("role") == "assistant" for m in self.messages)

    @property
    def tools(self) -> tuple[str, ...]:
        return tuple(str(t.get("name", "")) for t in self.body.get("tools") or ())

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))

    @property
    def agent(self) -> str:
        """The id of the subagent that asks; empty in the main conversation."""
        return self.headers.get("x-claude-code-agent-id", "")

    @property
    def session(self) -> str:
        return self.headers.get("x-claude-code-session-id", "")

    @cached_property
    def _since(self) -> tuple[Mapping[str, Any], ...]:
        spoken = [n for n, m in enumerate(self.messages) if m.get("role") == "assistant"]
        return self.messages[spoken[-1] + 1 :] if spoken else self.messages


def blocks(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The blocks of a message; plain text is one block."""
    content = message.get("content")
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    yield from cast("Sequence[Mapping[str, Any]]", content if isinstance(content, list) else ())


def flat(content: object) -> str:
    """The text in a content: a string, or blocks, tool results included."""
    if isinstance(content, str):
        return content
    texts = (_text(b) for b in cast("Sequence[Mapping[str, Any]]", content if isinstance(content, list) else ()))
    return "\n".join(text for text in texts if text)


def _text(block: Mapping[str, Any]) -> str:
    return flat(block.get("content")) if block.get("type") == "tool_result" else str(block.get("text") or "")
