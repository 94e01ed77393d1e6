"""One call of a chat model, listened to while it speaks: summed up at its end, told of now and then before.

An answer that breaks off is no answer, whatever there is of it; and since its provider may charge for what it said, it
is told from a call that came to nothing.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, InvalidToolCall, ToolCall
from langchain_core.messages.tool import ToolCallChunk
from langchain_core.runnables import Runnable

from stretto.agents.retry import classify
from stretto.agents.speech import stop_of
from stretto.agents.task import Usage
from stretto.state.errors import PermanentError, TransientError

Model = Runnable[LanguageModelInput, AIMessage]
Tell = Callable[[Mapping[str, Any]], None]
"""Told what the model is at: `doing` (`thinks`, `says` or `calls`), the `tool` that it calls, `characters` so far."""

TOLD_SECONDS: Final = 2.0
"""How often that is told; of a call that takes no longer, nothing."""
STALL_SECONDS: Final = 300.0
"""How long a model that has begun to answer may be silent. Signs of life without a word are not counted as words."""
_EMPTY = "No generation chunks were returned"
"""What langchain-core says of a stream that ended before it began."""


class BrokenOff(TransientError):
    """An answer that ended in the middle. `used` is what its provider had counted by then, mostly nothing."""

    def __init__(self, error: TransientError, used: Usage) -> None:
        super().__init__(error.message, retry_after=error.retry_after, next_steps=error.next_steps)
        self.used = used


async def listen(
    model: Model,
    messages: Sequence[BaseMessage],
    tell: Tell,
    *,
    whole: bool = False,
    says_why: bool = False,
    stall_seconds: float = STALL_SECONDS,
) -> AIMessage:
    """What the model answers.

    Args:
        model: The model, its tools bound. One that cannot stream answers in one piece.
        messages: What it is told.
        tell: Told what it is at, every two seconds at most.
        whole: Whether to ask for an answer in one piece.
        says_why: Whether its provider says why it stops; then an answer without a reason is one that broke off.
        stall_seconds: How long it may be silent in the middle.

    Raises:
        BrokenOff: It stopped in the middle; a second call may succeed.
        TransientError: A second call may succeed.
        PermanentError: It would fail the same way.
    """
    if whole:
        return await _called(model, messages)
    heard: list[AIMessage] = []
    speaking = Speaking(tell)
    try:
        async with aclosing(_pieces(model, messages, stall_seconds)) as pieces:
            async for piece in pieces:
                heard.append(piece)
                speaking.take(piece)
        return _complete(heard, says_why=says_why)
    except Exception as error:
        known = _meaning(error)
        if isinstance(known, TransientError) and heard:
            raise BrokenOff(known, _counted(heard)) from error
        if known:
            raise known from error
        raise


async def _called(model: Model, messages: Sequence[BaseMessage]) -> AIMessage:
    try:
        return await model.ainvoke(list(messages))
    except Exception as error:
        if known := classify(error):
            raise known from error
        raise


async def _pieces(model: Model, messages: Sequence[BaseMessage], seconds: float) -> AsyncGenerator[AIMessage]:
    """The pieces as they come; the first may take as long as the client waits for one."""
    begun = False
    async with aclosing(cast("AsyncGenerator[AIMessage]", model.astream(list(messages)))) as stream:
        while True:
            limit = asyncio.timeout(seconds if begun else None)
            try:
                async with limit:
                    piece = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                if limit.expired():
                    raise TimeoutError(f"silent for {seconds:g} s in the middle of its answer") from error
                raise
            begun = True
            yield piece


def _complete(heard: Sequence[AIMessage], *, says_why: bool) -> AIMessage:
    """The sum of the pieces.

    Raises:
        TransientError: Its end is missing.
    """
    reply = summed(heard)
    ended = stop_of(reply) or cast("dict[str, Any]", reply.response_metadata).get("status")
    if says_why and isinstance(heard[0], AIMessageChunk) and not ended:
        raise TransientError("The model's answer broke off: its stream ended before the answer did.")
    return reply


def _meaning(error: Exception) -> TransientError | PermanentError | None:
    """See `classify`; and a stream that ends at once, or in the middle of a line, is one that was cut."""
    if isinstance(error, TransientError | PermanentError):
        return error
    if isinstance(error, json.JSONDecodeError) or _EMPTY in str(error):
        return TransientError(f"The model's answer broke off: {error}")
    return classify(error)


def summed(heard: Sequence[AIMessage]) -> AIMessage:
    """Pieces of a message as the message; one that came in one piece as it is.

    The arguments of a call are read as they are read of an answer in one piece: langchain-core would mend those that
    were cut short, and then half a file would be written.
    """
    first, *rest = heard
    if not isinstance(first, AIMessageChunk):
        return first
    total = first + cast("list[AIMessageChunk]", rest) if rest else first
    calls = [_call(chunk) for chunk in total.tool_call_chunks]
    return AIMessage(
        cast("Any", total.content),
        id=total.id,
        additional_kwargs=total.additional_kwargs,
        response_metadata=total.response_metadata,
        usage_metadata=total.usage_metadata,
        tool_calls=[call for call in calls if call.get("type") == "tool_call"],
        invalid_tool_calls=[call for call in calls if call.get("type") == "invalid_tool_call"],
    )


def _call(chunk: ToolCallChunk) -> ToolCall | InvalidToolCall:
    name, text = chunk["name"], chunk["args"]
    try:
        args = json.loads(text or "{}", strict=False)
        if isinstance(args, dict) and name:
            return ToolCall(name=name, args=cast("dict[str, Any]", args), id=chunk["id"], type="tool_call")
    except (ValueError, RecursionError):
        pass
    return InvalidToolCall(name=name, args=text, id=chunk["id"], error=None, type="invalid_tool_call")


def _counted(heard: Sequence[AIMessage]) -> Usage:
    """What the provider had counted: a count of what it read comes early, one of what it wrote at the end."""
    told = summed(heard).usage_metadata
    if told is None:
        return Usage()
    return Usage(input_tokens=told["input_tokens"], output_tokens=told["output_tokens"])


class Speaking:
    """What a model is at, told at a bounded rate."""

    def __init__(self, tell: Tell, clock: Callable[[], float] = time.monotonic) -> None:
        self._tell = tell
        self._clock = clock
        self._told = clock()
        self._doing = ""
        self._tool = ""
        self._characters = 0

    def take(self, piece: AIMessage) -> None:
        """It said a piece more."""
        for text in _thoughts(piece):
            self._at("thinks", text)
        if said := str(piece.text):
            self._at("says", said)
        for chunk in piece.tool_call_chunks if isinstance(piece, AIMessageChunk) else ():
            self._tool = chunk["name"] or self._tool
            self._at("calls", chunk["args"] or "")
        if self._doing and self._clock() - self._told >= TOLD_SECONDS:
            self._told = self._clock()
            tool = {"tool": self._tool} if self._doing == "calls" else {}
            self._tell({"doing": self._doing, **tool, "characters": self._characters})

    def _at(self, doing: str, text: str) -> None:
        self._doing = doing
        self._characters += len(text)


def _thoughts(piece: AIMessage) -> list[str]:
    """What it thinks, as far as its provider shows that."""
    extra = cast("dict[str, Any]", piece.additional_kwargs).get("reasoning_content")
    content = cast("str | list[str | dict[str, Any]]", piece.content)
    blocks = [] if isinstance(content, str) else [block for block in content if isinstance(block, dict)]
    thought = [block.get("thinking") or block.get("reasoning") for block in blocks]
    return [text for text in (extra, *thought) if isinstance(text, str) and text]
