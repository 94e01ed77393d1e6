"""What a command's grammar consists of, and how to name it to people.

The tables themselves are in `stretto.commands.tables`.
"""

from __future__ import annotations

from collections.abc import Mapping

from stretto.state.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    Kind = Literal["switch", "text", "optional", "int", "choice", "list", "paths", "path", "id"]
    """What a flag takes: nothing, a text, a text or nothing, a whole number, one of its allowed words, a list
    (`a,b` or `["a", "b"]`), a list of paths (by blanks, by lines or as JSON), a path, or a workflow id."""


class Flag(NamedTuple):
    """A flag. `allowed` are the words of a choice or a list; `least` is the smallest number of an int."""

    kind: Kind
    allowed: tuple[str, ...] = ()
    least: int = 1


class Slot(NamedTuple):
    """A place for a positional argument that is neither an id nor JSON.

    A `text` that is the only slot takes several unquoted words as one text; a `path` must stay inside the project.
    `many` takes all that follow. `unless` names flags that make a required slot optional.
    """

    name: str
    kind: Literal["text", "word", "path"] = "word"
    required: bool = False
    many: bool = False
    allowed: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


class Shape(NamedTuple):
    """The positional arguments of an operation: ids, then words, and JSON anywhere.

    `ids` and `json` are the least and the greatest number of each. JSON may hold the id, so with JSON none is missed.
    """

    ids: tuple[int, int] = (0, 0)
    words: tuple[Slot, ...] = ()
    json: tuple[int, int] = (0, 0)


class Implied(NamedTuple):
    """An operation left out: meant when there are so many positionals, and one of these flags (if any are named)."""

    operation: str
    positionals: int
    flags: frozenset[str] = frozenset()


class CommandGrammar(NamedTuple):
    """The grammar of one command.

    `plain` is the shape without an operation, or None where one is needed. `id_first` also allows `ID OPERATION`.
    """

    name: str
    flags: Mapping[str, Flag]
    operations: Mapping[str, Shape] = {}
    plain: Shape | None = None
    id_first: bool = False
    implied: tuple[Implied, ...] = ()


def usage(grammar: CommandGrammar, operation: str = "") -> str:
    """The canonical form: `/coordination-hub checkpoint ID [NAME] ['{…}'] [--flags]`."""
    shape = grammar.operations.get(operation) or grammar.plain
    if shape is None:
        return f"/{grammar.name} OPERATION … [--flags]"
    parts = [f"/{grammar.name}", *([operation] if operation else [])]
    parts += [_optional("ID", i >= shape.ids[0]) for i in range(shape.ids[1])]
    for slot in shape.words:
        word = f'"{slot.name}"' if slot.kind == "text" else slot.name.upper()
        parts.append(_optional(word + ("…" if slot.many else ""), not slot.required))
    parts += [_optional("'{…}'", i >= shape.json[0]) for i in range(shape.json[1])]
    return " ".join([*parts, "[--flags]"])


def _optional(text: str, optional: bool) -> str:
    return f"[{text}]" if optional else text
