"""What the plugin costs in every session: all that is in the client's first request because the plugin is loaded."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.client.request import Request

CHARACTERS_PER_TOKEN = 3.5
"""An estimate, on the high side for English: the real tokenizer is not to be had offline."""


def pieces(request: Request) -> Counter[str]:
    """The lines of a request's system prompt and messages, and the schema of each tool as one piece."""
    tools: list[Any] = request.body.get("tools") or []
    schemas = (json.dumps(tool, ensure_ascii=False, sort_keys=True) for tool in tools)
    return Counter([*_lines(request.system), *_lines(request.text), *schemas])


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines() if line.strip())


def standing(with_plugin: Request, without: Request) -> Counter[str]:
    """What only the request with the plugin holds."""
    return pieces(with_plugin) - pieces(without)


def tokens(added: Counter[str]) -> int:
    """An estimate of what that costs, in tokens."""
    return round(sum((len(piece) + 1) * times for piece, times in added.items()) / CHARACTERS_PER_TOKEN)
