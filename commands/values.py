"""What a value means in its place: texts, ids, numbers, lists, paths."""

from __future__ import annotations

from os import PathLike

from stretto.commands.grammar import Flag
from stretto.commands.line import BLANK, Value
from stretto.commands.source import Source, nearest, unusable
from stretto.state.errors import BadInput
from stretto.state.ids import workflow_id
from stretto.state.light import NamedTuple, pattern
from stretto.state.quick_json import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Any

_NUMBER = pattern(r"[0-9]{1,9}")
_ITEM = pattern(r'(?s)(?:[ \t\r\n]*("[^"\\]*(?:\\.[^"\\]*)*")[ \t\r\n]*|([^\[\]{}"\',]+))([,\]])')


class Reader(NamedTuple):
    """Reads values of one line; paths and searches are relative to `project`."""

    source: Source
    project: str | PathLike[str]

    def texts(self, value: Value) -> list[str]:
        """The text of a value, or what its search found."""
        if value.inner is None:
            return [value.text]
        from stretto.commands.find import find

        return find(self.source, value, self.project)

    def text(self, value: Value) -> str:
        """The text of a value; the results of a search, one a line."""
        return "\n".join(self.texts(value))

    def id(self, value: Value, field: str) -> str:
        """A workflow id.

        Raises:
            BadInput: It is not one.
        """
        try:
            return workflow_id(self.text(value), field=field)
        except BadInput as wrong:
            raise self.source.error(value.at, wrong.message, field=field) from None

    def path(self, value: Value, field: str) -> str:
        """One path, unchanged, that stays inside the project when links are followed.

        Raises:
            BadInput: It leaves the project, or a search found none or several.
        """
        found = self.texts(value)
        if len(found) != 1:
            raise self.source.error(value.at, f"{field} takes one path, and here are {len(found)}.", field=field)
        return self.paths(value, found, field)[0]

    def paths(self, value: Value, paths: list[str], field: str) -> list[str]:
        """Paths of one value, unchanged, that stay inside the project when links are followed.

        Raises:
            BadInput: One is empty or leaves it.
        """
        from stretto.commands.find import inside

        for path in paths:
            if not path:
                raise self.source.error(value.at, f"{field} is empty.", field=field)
            if inside(self.project, path) is None:
                raise self.source.error(value.at, f"{field} {path!r} lies outside the project.", field=field)
        return paths

    def choice(self, value: Value, text: str, allowed: tuple[str, ...], field: str) -> str:
        """One of the allowed words.

        Raises:
            BadInput: Another word.
        """
        if text not in allowed:
            guess = nearest(text, allowed)
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise self.source.error(
                value.at, f"{field} {text!r} is not one of {', '.join(allowed)}.{hint}", field=field, allowed=allowed
            )
        return text

    def flag(self, name: str, flag: Flag, value: Value) -> Any:
        """What the flag `--name` holds, by its kind.

        Raises:
            BadInput: The value does not fit the kind.
        """
        field = f"--{name}"
        match flag.kind:
            case "id":
                return self.id(value, field)
            case "int":
                return self._number(value, flag.least, field)
            case "choice" | "optional" if flag.allowed:
                return self.choice(value, self.text(value), flag.allowed, field)
            case "path":
                return self.path(value, field)
            case "paths":
                return self.paths(value, self._paths(value, field), field)
            case "list":
                return self._list(value, flag.allowed, field)
            case _:
                return self.text(value)

    def _number(self, value: Value, least: int, field: str) -> int:
        text = self.text(value)
        if not _NUMBER.fullmatch(text) or int(text) < least:
            raise self.source.error(
                value.at, f"{field} {text!r} is not a whole number of at least {least}.", field=field
            )
        return int(text)

    def _list(self, value: Value, allowed: tuple[str, ...], field: str) -> list[str]:
        text = self.text(value)
        words = self._brackets(value, field) if text.startswith("[") else [w.strip() for w in text.split(",")]
        if not all(words):
            raise self.source.error(value.at, f"{field} holds an empty name.", field=field, allowed=allowed)
        return [self.choice(value, w, allowed, field) if allowed else w for w in words]

    def _paths(self, value: Value, field: str) -> list[str]:
        if value.inner is not None:
            return self.texts(value)
        if value.text.startswith("["):
            return self._brackets(value, field)
        # One path a line, as searches print them; blanks divide only what stands on a single line.
        parts = value.text.split("\n") if "\n" in value.text else value.text.replace("\t", " ").split(" ")
        return [p for p in (part.strip(BLANK) for part in parts) if p]

    def _brackets(self, value: Value, field: str) -> list[str]:
        """`["a", b]`: JSON strings, or bare words where a shell has eaten the quotes."""
        text, pos, words = value.text, 1, list[str]()
        if text[1:].strip(BLANK) == "]":
            return words
        while text[pos - 1] != "]":
            item = _ITEM.match(text, pos)
            if item is None:
                raise self._bad_list(value, pos, field)
            words.append(self._item(value, item, field))
            pos = item.end()
        if text[pos:].strip(BLANK):
            raise self._bad_list(value, pos, field)
        return words

    def _item(self, value: Value, item: re.Match[str], field: str) -> str:
        try:
            text: str = loads(item[1]) if item[1] else item[2].strip(BLANK)
        except ValueError:
            text = ""
        if not text or unusable(text) >= 0:
            raise self._bad_list(value, item.start(1 if item[1] else 2), field)
        return text

    def _bad_list(self, value: Value, index: int, field: str) -> BadInput:
        return self.source.error(
            value.offset(min(index, len(value.text) - 1)),
            f"{field} is not a list of names.",
            field=field,
            next_steps=(f'Write {field}=a,b or {field}=["a", "b"].',),
        )
