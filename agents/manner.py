"""The manner in which a model is spoken to: what its provider takes, and what it said that it does not.

A provider is asked in the best manner first. What it refuses is left out, and the same call made again.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from stretto.agents.adapter import JSON, SCHEMA, refuses_tools
from stretto.agents.retry import OutOfPatience
from stretto.state.errors import PermanentError

_NOT_SO: Final = frozenset({400, 422})
"""What providers answer to a request whose form they do not take."""
_STRICT = re.compile(
    r"\bstrict\b|\bschemas?\b|input_schema|json_schema|response_format|additionalProperties|\bgrammar\b", re.IGNORECASE
)
_STREAM = re.compile(r"\bstream(?:ing|_options)?\b", re.IGNORECASE)


class Manner(NamedTuple):
    """How a model is asked.

    `adapter` tells it the tools in text, in a form of `agents.adapter`. With `strict` its provider is asked to hold the
    outcome to the role's schema; with `stream` it is listened to while it speaks.
    """

    adapter: str = ""
    strict: bool = True
    stream: bool = True

    def after(self, error: PermanentError) -> "Manner | None":
        """The manner in which to ask again after a refusal; None if it was not the manner that was refused."""
        if isinstance(error, OutOfPatience):
            return None
        form = error.details.get("status") in _NOT_SO
        if form and self.strict and not self.adapter and _STRICT.search(error.message):
            return self._replace(strict=False)
        if not self.adapter and refuses_tools(error):  # a gateway says so with 404
            return self._replace(adapter=JSON)
        if form and self.adapter == SCHEMA and _STRICT.search(error.message):
            return self._replace(adapter=JSON)
        if form and self.stream and _STREAM.search(error.message):
            return self._replace(stream=False)
        return None

    def changed(self, before: "Manner") -> Mapping[str, Any]:
        """What is another way now than `before`."""
        return {name: now for name, now in self._asdict().items() if now != getattr(before, name)}


BEST: Final = Manner()
"""What a provider is asked for first."""
