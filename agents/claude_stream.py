"""The stream of Claude Code's `--output-format stream-json`, folded line by line to what a runner must know.

Its types of events grow from version to version: what is unknown, or of another shape than expected, is passed over.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from stretto.agents.resets import seconds_of
from stretto.agents.runner import Progress
from stretto.agents.speech import encodable
from stretto.agents.task import Usage

RETURN = "StructuredOutput"
"""The tool by which the model returns its result."""

_Facts = Mapping[str, Any]
_INPUT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_ABOUT = ("file_path", "command", "pattern", "path", "status")
_TRIES_OF_A_LOGIN = 2
"""A login that has expired is renewed between two tries; one that is wrong would be tried for minutes."""


class ApiError(NamedTuple):
    """The provider's refusal or failure, in the client's words. `status` is None where no answer came."""

    kind: str
    status: int | None
    text: str


class Stream:
    """What the client has said so far; each turn, tool call, text and wait goes to `progress` as it comes."""

    def __init__(self, progress: Progress) -> None:
        self.began = False
        self.refused = False
        self.error: ApiError | None = None
        self.result: _Facts | None = None
        self.resets: float | None = None
        """When the usage limit that was met is over, in seconds since the epoch."""
        self.messages = 0
        """How many are complete."""
        self.turn = 0
        """Which message is spoken, or was last, from 1."""
        self.completed = 0
        """The last one that is complete."""
        self.model = ""
        """The one that speaks."""
        self._progress = progress
        self._message = ""
        self._counted: dict[str, dict[str, int]] = {}
        self._calls: dict[str, tuple[str, str]] = {}
        self._asked: list[str] = []
        self._begun: list[str] = []  # the same, as they begin: before the message is complete in any case

    def take(self, line: str) -> None:
        """Read one line."""
        try:
            event = _facts(json.loads(line))
        except (ValueError, RecursionError):
            return
        match event.get("type"):
            case "system":
                self._system(event)
            case "stream_event":
                self._streamed(_facts(event.get("event")))
            case "assistant":
                self._assistant(event)
            case "user":
                self._user(event)
            case "rate_limit_event":
                self._limited(_facts(event.get("rate_limit_info")))
            case "result":
                self.result = event
            case _:
                return

    @property
    def usage(self) -> Usage:
        """What all messages used, each counted once, and what the client says that it cost; unknown before it does."""
        return Usage(
            input_tokens=sum(m.get(name, 0) for m in self._counted.values() for name in _INPUT),
            output_tokens=self.output_tokens,
            cost_usd=_number((self.result or {}).get("total_cost_usd")),
        )

    @property
    def output_tokens(self) -> int:
        """Output tokens so far."""
        return sum(m.get("output_tokens", 0) for m in self._counted.values())

    @property
    def tools(self) -> int:
        """How many tools it has called, the one that returns its result aside."""
        return sum(name != RETURN for name, _ in self._calls.values())

    @property
    def uses(self) -> int:
        """How many tools the last message calls, the one that returns its result aside."""
        return sum(name != RETURN for name in self._begun)

    @property
    def returned(self) -> bool:
        """Whether the session is over, or its last message returns a result."""
        return self.result is not None or RETURN in (*self._begun, *self._asked)

    def _system(self, event: _Facts) -> None:
        if event.get("subtype") == "init":
            self.began = True
            self.model = _text(event.get("model"))
        if event.get("subtype") == "api_retry":
            tried, delay = _number(event.get("attempt")) or 0, _number(event.get("retry_delay_ms")) or 0
            kind = _text(event.get("error"))
            self.refused = self.refused or (kind == "authentication_failed" and tried >= _TRIES_OF_A_LOGIN)
            said = f"{kind} {event.get('error_status') or ''}".strip()
            self._progress("wait", {"attempt": tried, "seconds": delay / 1000, "error": said})

    def _limited(self, info: _Facts) -> None:
        """How the user's subscription stands: only a limit that refuses matters, until it does not any more."""
        at = _number(info.get("resetsAt"))
        self.resets = seconds_of(at) if info.get("status") == "rejected" and at is not None else None

    def _streamed(self, event: _Facts) -> None:
        """A message begins, and gets its last count when it is complete."""
        if event.get("type") == "message_start":
            message = _facts(event.get("message"))
            self._message = _text(message.get("id"))
            self._speaks(_text(message.get("model")))
            self._count(self._message, message)
            self.turn += 1
            self._asked, self._begun = [], []
        if event.get("type") == "content_block_start":
            block = _facts(event.get("content_block"))
            self._begun += [_text(block.get("name"))] if block.get("type") == "tool_use" else []
        if event.get("type") == "message_delta":
            self._count(self._message, event)
            self.messages += 1
            self.completed = self.turn
            counts = self._counted[self._message]
            self._progress("turn", {"turn": self.turn, "tools": self._asked})
            read, wrote = sum(counts.get(name, 0) for name in _INPUT), counts.get("output_tokens", 0)
            self._progress("usage", {"turn": self.turn, "input_tokens": read, "output_tokens": wrote})

    def _speaks(self, model: str) -> None:
        same = model.startswith(self.model) or self.model.startswith(model)  # one may come with its date
        if model and not same:
            self._progress("fallback", {"old": self.model, "new": model, "reason": "the client changed the model"})
        self.model = model or self.model

    def _count(self, message: str, holder: _Facts) -> None:
        """Later counts of a message stand for the earlier ones: they are sums."""
        found = {k: v for k, v in _facts(holder.get("usage")).items() if isinstance(v, int) and v >= 0}
        self._counted.setdefault(message, {}).update(found)

    def _assistant(self, event: _Facts) -> None:
        message = _facts(event.get("message"))
        if event.get("is_api_error_message") is True:
            status = event.get("api_error_status")
            texts = (_text(b.get("text")) for b in _blocks(message))
            kind = _text(event.get("error"))
            self.error = ApiError(kind, status if isinstance(status, int) else None, " ".join(texts))
            return
        self.error = None  # whatever it was, it has passed
        for block in _blocks(message):
            if block.get("type") == "text" and (said := _text(block.get("text"))):
                self._progress("text", {"turn": self.turn, "text": said[:2000]})
            if block.get("type") == "tool_use":
                name = _text(block.get("name"))
                self._asked.append(name)
                self._calls[_text(block.get("id"))] = (name, _about(_facts(block.get("input"))))

    def _user(self, event: _Facts) -> None:
        for block in _blocks(_facts(event.get("message"))):
            if block.get("type") == "tool_result":
                name, about = self._calls.get(_text(block.get("tool_use_id")), ("", ""))
                wrong = block.get("is_error") is True
                error = {"error": _said(block.get("content"))[:300]} if wrong else {}
                self._progress("tool", {"turn": self.turn, "name": name, "ok": not wrong, "about": about, **error})


def _facts(value: object) -> _Facts:
    return cast("_Facts", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return encodable(value) if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and math.isfinite(value) and value >= 0 else None


def _blocks(message: _Facts) -> Iterator[_Facts]:
    content = message.get("content")
    for block in cast("list[object]", content) if isinstance(content, list) else ():
        yield _facts(block)


def _said(content: object) -> str:
    """What a tool answered: a text, or blocks of it."""
    return _text(content) or " ".join(_text(b.get("text")) for b in _blocks({"content": content}))


def _about(args: _Facts) -> str:
    """The few words by which a person recognises a call."""
    return next((_text(args[name])[:200] for name in _ABOUT if _text(args.get(name))), "")
