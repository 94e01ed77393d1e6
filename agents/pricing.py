"""What a reply of a chat model costs: by the list prices that genai-prices packs, or those that the project sets.

Nothing is fetched. A model that neither knows has no price: what it cost is unknown, never 0.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from stretto.state.purse import Want

if TYPE_CHECKING:  # a runner that is told what was used needs none of it
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage

MILLION: Final = 1_000_000
_CHARACTERS_OF_A_TOKEN: Final = 2
"""Of plain letters: prose has four, code three. In other writing a byte may be a token, and none is less."""
_MESSAGE_TOKENS: Final = 16
"""What stands around each message."""
_HIDDEN_TOKENS: Final = 1_000
"""What a provider tells the model of its own where there are tools."""


class Price(NamedTuple):
    """What the project says a model costs: USD for a million tokens."""

    input: float
    output: float


def priced(model: str, prices: Mapping[str, Price]) -> bool:
    """Whether it is known what `PROVIDER/NAME` costs."""
    return cost(model, {"input_tokens": 1, "output_tokens": 1}, prices) is not None


def cost(model: str, usage: Mapping[str, Any] | None, prices: Mapping[str, Price]) -> float | None:
    """USD for what a provider counted; None where the price or the count is unknown."""
    if usage is None:
        return None
    if own := prices.get(model):
        return float(usage["input_tokens"] * own.input + usage["output_tokens"] * own.output) / MILLION
    return _listed(model, usage)


def _listed(model: str, usage: Mapping[str, Any]) -> float | None:
    from genai_prices import Usage, calc_price  # half a second, for those alone who call a model

    provider, _, name = model.partition("/")
    details = cast("dict[str, Any]", usage.get("input_token_details") or {})
    written = sum(v for k, v in details.items() if k in ("cache_creation", *_CACHE_TIMES) and isinstance(v, int))
    used = Usage(
        input_tokens=usage["input_tokens"],
        output_tokens=usage["output_tokens"],
        cache_read_tokens=details.get("cache_read") or 0,
        cache_write_tokens=written,
    )
    try:
        return float(calc_price(used, model_ref=name, provider_id=provider).total_price)
    except (LookupError, ValueError):
        return None


_CACHE_TIMES: Final = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


def cost_of(model: str, reply: "AIMessage", prices: Mapping[str, Price]) -> float | None:
    """USD for a reply of `PROVIDER/NAME`; see `cost`."""
    return cost(model, reply.usage_metadata, prices)


def most(
    model: str,
    chat: "BaseChatModel",
    messages: "Sequence[BaseMessage]",
    prices: Mapping[str, Price],
    tools: Sequence[Mapping[str, Any]] = (),
) -> Want:
    """What the next call of a model may use at most: all that it is told, its tools too, and its longest answer."""
    wrote = _longest(chat)
    if wrote is None:
        return Want(None, None)
    texts = [json.dumps([m.content, getattr(m, "tool_calls", [])], ensure_ascii=False, default=str) for m in messages]
    told = sum(map(_tokens, (*texts, json.dumps(list(tools), ensure_ascii=False))))
    read = told + _MESSAGE_TOKENS * len(messages) + _HIDDEN_TOKENS
    return Want(read + wrote, cost(model, {"input_tokens": read, "output_tokens": wrote}, prices))


def _tokens(text: str) -> int:
    """More than any provider counts for a text."""
    plain = len(text.encode("ascii", "ignore"))
    return plain // _CHARACTERS_OF_A_TOKEN + 1 + len(text.encode("utf-8", "replace")) - plain


def _longest(chat: "BaseChatModel") -> int | None:
    """The most tokens of one answer, if anybody knows."""
    profile: Mapping[str, Any] = getattr(chat, "profile", None) or {}
    found = getattr(chat, "max_tokens", None) or profile.get("max_output_tokens")
    return found if isinstance(found, int) else None
