"""What a provider itself holds to a schema: the outcome of a model with tools, and the actions of one without.

The outcome is the tool `finish`, called strictly. Two providers check the arguments of a strict tool against its schema
while the model writes them, for the models whose profile says so. They take a part of JSON Schema: every object is
closed, each of its keys is there. What a schema says beyond that is left out, and looked at when the outcome comes, as
it is for every model. An outcome without data says null.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from stretto.agents.listening import Model

PROVIDERS: Final = frozenset({"anthropic", "openai"})
"""Those whose tools may be strict."""
CONSTRAINING: Final = frozenset({"ollama", "openai"})
"""Those whose servers hold a whole answer to a schema; of OpenAI's interface, those of others do, too."""
_KEPT: Final = frozenset({"type", "description", "enum", "const", "items", "properties", "anyOf"})


def takes_strict(provider: str, chat: "BaseChatModel") -> bool:
    """Whether this model's provider checks what it writes."""
    profile: Mapping[str, Any] = getattr(chat, "profile", None) or {}
    return provider in PROVIDERS and profile.get("structured_output") is True


def strictly(tool: Mapping[str, Any], provider: str) -> dict[str, Any]:
    """`finish` as its provider takes a strict one; in its own form, where LangChain would leave that out."""
    function = tool["function"]
    schema = closed(function["parameters"])
    schema["properties"]["data"] = {"anyOf": [schema["properties"]["data"], {"type": "null"}]}
    if provider == "anthropic":
        told = {name: function[name] for name in ("name", "description")}
        return {**told, "input_schema": schema, "strict": True}
    return {"type": "function", "function": {**function, "parameters": schema, "strict": True}}


def constrained(chat: "BaseChatModel", provider: str, schema: Mapping[str, Any]) -> "Model":
    """A model whose server lets it write nothing but a value of this schema."""
    if provider == "ollama":
        return chat.bind(format=dict(schema))
    form = {"type": "json_schema", "json_schema": {"name": "action", "schema": dict(schema)}}
    return chat.bind(extra_body={"response_format": form})  # LangChain's own would read it as an outcome


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema of the same values, as far as strict tools can say it: what may be left out is there, and empty."""
    kept = {key: value for key, value in schema.items() if key in _KEPT}
    if "enum" in kept:
        kept.setdefault("type", "string")
    if "items" in kept:
        kept["items"] = closed(kept["items"])
    if "anyOf" in kept:
        kept["anyOf"] = [closed(one) for one in cast("list[Mapping[str, Any]]", kept["anyOf"])]
    if schema.get("type") == "object":
        properties = {name: closed(one) for name, one in schema.get("properties", {}).items()}
        kept |= {"properties": properties, "required": [*properties], "additionalProperties": False}
    return kept
