"""Messages of LangChain, read the same way whichever provider wrote them."""

from typing import Any, NamedTuple, cast

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata

from stretto.agents.cassette import Tokens


class Asked(NamedTuple):
    """A tool call. `args` is a string where a model wrote something that is not a JSON object."""

    id: str
    name: str
    args: dict[str, Any] | str


def text_of(message: BaseMessage) -> str:
    """The text of a message; blocks of thinking, images and the like are left out."""
    content = cast("str | list[str | dict[str, Any]]", message.content)
    if isinstance(content, str):
        return encodable(content)
    return encodable("".join(block if isinstance(block, str) else str(block.get("text") or "") for block in content))


def encodable(text: str) -> str:
    """`text` with halves of surrogate pairs replaced: JSON can carry them, files and databases cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")


def asked(reply: AIMessage, turn: int) -> list[Asked]:
    """The tool calls of a reply, those with broken arguments last. Calls without an id get one."""
    calls = [
        Asked(call["id"] or f"call-{turn}-{n}", call["name"], call["args"]) for n, call in enumerate(reply.tool_calls)
    ]
    broken = [
        Asked(call["id"] or f"broken-{turn}-{n}", call["name"] or "unknown", call["args"] or "")
        for n, call in enumerate(reply.invalid_tool_calls)
    ]
    return calls + broken


def tokens_of(reply: AIMessage) -> tuple[int | None, int | None]:
    """Input and output tokens of a reply as its provider counted them; None where it did not."""
    usage = reply.usage_metadata
    return (usage["input_tokens"], usage["output_tokens"]) if usage else (None, None)


def model_of(reply: AIMessage) -> str:
    """The name under which the provider answered, or an empty string."""
    facts = cast("dict[str, Any]", reply.response_metadata)
    return str(facts.get("model_name") or facts.get("model") or "")


def stop_of(reply: AIMessage) -> str:
    """Why the model stopped, in its provider's word, or an empty string."""
    facts = cast("dict[str, Any]", reply.response_metadata)
    return str(facts.get("stop_reason") or facts.get("finish_reason") or facts.get("done_reason") or "")


def usage_metadata(tokens: Tokens | None) -> UsageMetadata | None:
    """Counted tokens as a message carries them."""
    if tokens is None:
        return None
    read, wrote = tokens.input_tokens, tokens.output_tokens
    return UsageMetadata(input_tokens=read, output_tokens=wrote, total_tokens=read + wrote)
