"""Invocation: what one command line means, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping

from stretto.state.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Word(NamedTuple):
    """A positional argument. `quoted` tells `"create"` (a text) from `create` (perhaps an operation)."""

    text: str
    column: int = 0
    quoted: bool = False


class Invocation(NamedTuple):
    """One parsed line.

    `operation` is empty for commands without operations; `ids` are workflow ids in the order given; `words` the
    other positionals; `flags` map a name without dashes to True (`--dry-run`), a string (`--priority=high`), an int
    (`--max-agents=3`) or a list of strings (`--events=["a", "b"]`); `json` holds the JSON arguments in order.
    """

    command: str
    operation: str = ""
    ids: tuple[str, ...] = ()
    words: tuple[Word, ...] = ()
    flags: Mapping[str, Any] = {}
    json: tuple[Any, ...] = ()
    line: str = ""
