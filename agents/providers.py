"""Providers: from `anthropic/NAME` to a chat model. Each is an extra, imported when it is asked for.

The packages' own retries are switched off: there is one retry layer, and it is not theirs.
"""

import importlib
import importlib.util
import os
import re
from pathlib import Path
from typing import Any, NamedTuple, cast

from langchain_core.language_models import BaseChatModel

from stretto.agents.adapter import ADAPTERS, JSON
from stretto.agents.chain import Candidate, ChatFactory
from stretto.agents.manner import Manner
from stretto.agents.native import CONSTRAINING
from stretto.agents.script import ScriptedChatModel, load_script
from stretto.state.errors import BadInput

_SECONDS = 600.0


class Provider(NamedTuple):
    """Where a chat model comes from. `key` is the environment variable that it needs, or empty."""

    module: str
    kind: str
    key: str
    options: dict[str, Any]


PROVIDERS = {
    "anthropic": Provider(
        "langchain_anthropic", "ChatAnthropic", "ANTHROPIC_API_KEY", {"max_retries": 0, "timeout": _SECONDS}
    ),
    "openai": Provider(
        "langchain_openai",
        "ChatOpenAI",
        "OPENAI_API_KEY",
        {"max_retries": 0, "timeout": _SECONDS, "stream_usage": True},  # else a server of one's own is not asked for it
    ),
    "ollama": Provider("langchain_ollama", "ChatOllama", "", {"client_kwargs": {"timeout": _SECONDS}}),
}
KINDS = (*PROVIDERS, "script")
_NEXT = re.compile(rf",(?=(?:{'|'.join(KINDS)})/)")
"""Between two models of a chain; a path may hold a comma."""


def chat_factory(spec: str, *, project: Path) -> ChatFactory:
    """The factory of `PROVIDER/NAME`, or of `script/PATH` with a path relative to the project.

    Raises:
        BadInput: The provider is unknown, its extra is not installed, its key is not set, or the script is not one.
    """
    kind, _, name = spec.partition("/")
    if kind not in KINDS or not name:
        raise BadInput(
            f"{spec!r} is not a model: give PROVIDER/NAME, such as anthropic/claude-sonnet-4-5.",
            field="runner",
            allowed=[f"{kind}/{'PATH' if kind == 'script' else 'NAME'}" for kind in KINDS],
        )
    return _scripted(project / name) if kind == "script" else _provided(kind, name)


def spoken_by_nobody(argument: str) -> bool:
    """Whether all models of a chain are scripts, so that none is called."""
    return all(text.startswith("script/") for text in _NEXT.split(argument))


def candidates(argument: str, *, project: Path) -> list[Candidate]:
    """The models of `PROVIDER/NAME,PROVIDER/NAME…`, first choice first.

    Raises:
        BadInput: As `chat_factory`, for any of them.
    """
    return [_candidate(text, project) for text in _NEXT.split(argument)]


def _candidate(text: str, project: Path) -> Candidate:
    """`PROVIDER/NAME` or `PROVIDER/NAME?adapter=FORM`."""
    spec, mark, option = text.rpartition("?") if "?" in text else (text, "", "")
    provider, adapter = spec.partition("/")[0], option.removeprefix("adapter=")
    forms = ADAPTERS if provider in CONSTRAINING else (JSON,)
    if mark and (option == adapter or adapter not in forms):
        allowed = [f"adapter={form}" for form in forms]
        raise BadInput(f"{text!r}: a model of {provider!r} has no option {option!r}.", field="runner", allowed=allowed)
    chat = chat_factory(spec, project=project)
    return Candidate("" if spec.startswith("script/") else spec, chat, Manner(adapter=adapter))


def _scripted(path: Path) -> ChatFactory:
    script = load_script(path)
    return lambda role, lane: ScriptedChatModel(script=script, lane=lane)  # noqa: ARG005 - a lane implies its role


def _provided(kind: str, name: str) -> ChatFactory:
    provider = PROVIDERS[kind]
    if importlib.util.find_spec(provider.module) is None:
        raise BadInput(
            f"The provider {kind!r} needs an extra that is not installed.",
            field="runner",
            next_steps=(f"pip install 'stretto[{kind}]'",),
        )
    if provider.key and not os.environ.get(provider.key):
        raise BadInput(
            f"The provider {kind!r} needs a key: the environment variable {provider.key} is not set.",
            field="runner",
            next_steps=(f"export {provider.key}=…",),
        )

    def make(role: str, lane: str) -> BaseChatModel:
        del role, lane
        chat: Any = getattr(importlib.import_module(provider.module), provider.kind)
        return cast("BaseChatModel", chat(model=name, **provider.options))

    return make
