"""From a line to an invocation: which word is the command, the operation, an id, a text, a flag, JSON.

A line is data from first to last: nothing in it is evaluated, and whatever is wrong with it is a `BadInput` whose
message shows the place. Standard library only, for the quick doors.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from os.path import join

from stretto.commands.bind import Binder
from stretto.commands.canonical import render
from stretto.commands.grammar import CommandGrammar, Flag
from stretto.commands.invocation import Invocation, Word
from stretto.commands.line import Item, Value, lex, lex_argv
from stretto.commands.source import Source, nearest, received
from stretto.commands.tables import COMMANDS, GLOBAL_FLAGS
from stretto.commands.values import Reader
from stretto.state.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stretto.commands.pack_names import Named

_PLUGIN = "stretto:"
"""Clients may prefix the commands of a plugin with its name."""


def parse_line(raw: str, *, project: str | PathLike[str]) -> Invocation:
    """The meaning of a raw slash line, which may go over several lines.

    Raises:
        BadInput: It has none; `details` hold line and column, the message shows them.
    """
    source = received(raw)
    items = lex(source)
    head = items[0].value if items else None
    if head is None or head.quoted or not head.text.startswith("/"):
        raise source.error(items[0].at if items else 0, "A line begins with a slash command.", allowed=_slashed())
    return _meant(source, head, items[1:], project)


def parse_argv(argv: Sequence[str], *, project: str | PathLike[str]) -> Invocation:
    """The meaning of arguments from a shell: `["orchestrate", "Add x", "--dry-run"]`.

    The flags that every command takes may stand before the command. Columns count in the arguments joined by blanks.

    Raises:
        BadInput: As `parse_line`.
    """
    source = received(" ".join(argv))
    items = lex_argv(source, argv)
    first = _command_index(items)
    head = items[first].value if first < len(items) else None
    if head is None or items[first].flag is not None:
        at = items[first].at if first < len(items) else 0
        raise source.error(at, "No command is named.", field="command", allowed=list(COMMANDS))
    found = _meant(source, head, [*items[:first], *items[first + 1 :]], project)
    return found if ":" in found.command else found._replace(line=render(found))


def _command_index(items: Sequence[Item]) -> int:
    """Where the command stands behind global flags."""
    index = 0
    while index < len(items) and (flag := GLOBAL_FLAGS.get(items[index].flag or "")):
        takes_next = flag.kind != "switch" and items[index].value is None
        index += 2 if takes_next else 1
    return index


def _slashed() -> list[str]:
    return [f"/{name}" for name in COMMANDS]


def _meant(source: Source, head: Value, items: Sequence[Item], project: str | PathLike[str]) -> Invocation:
    name = head.text.removeprefix("/").removeprefix(_PLUGIN)
    if name not in COMMANDS:
        from stretto.commands import pack_names

        if named := pack_names.find(name, _folder(source, items, project)):
            return _packed(source, head, items, project, named)
    return _bound(source, _grammar(source, head), items, project)


def _folder(source: Source, items: Sequence[Item], project: str | PathLike[str]) -> str:
    """The folder that a line is about: the one it names, or else `project`."""
    for item, following in zip(items, [*items[1:], None], strict=False):
        if item.flag == "project" and (value := item.value or (following and following.value)):
            return join(project, Reader(source, project).text(value))  # noqa: PTH118
    return join(project)  # noqa: PTH118


def _packed(
    source: Source, head: Value, items: Sequence[Item], project: str | PathLike[str], named: Named
) -> Invocation:
    """A command of a pack: the template that it starts, or the words for its handler."""
    if named.template:
        value = Value(named.template, head.at, (), quoted=True)
        return _bound(source, COMMANDS["orchestrate"], [Item("template", head.at, value), *items], project)
    reader = Reader(source, project)
    flags: dict[str, Any] = {}
    words: list[Word] = []
    for item in items:
        text = reader.text(item.value) if item.value else ""
        if item.flag is None:
            words.append(Word(text, item.at, bool(item.value and item.value.quoted)))
        elif item.flag in GLOBAL_FLAGS:
            flags[item.flag] = True if GLOBAL_FLAGS[item.flag].kind == "switch" else text
        else:
            words.append(Word(f"--{item.flag}={text}" if item.value else f"--{item.flag}", item.at))
    return Invocation(named.name, words=tuple(words), flags=flags, line=source.text)


def _grammar(source: Source, head: Value) -> CommandGrammar:
    name = head.text.removeprefix("/").removeprefix(_PLUGIN)
    if name in COMMANDS:
        return COMMANDS[name]
    message = f"There is no command {name!r}.{_hint(name, list(COMMANDS))}"
    raise source.error(head.at, message, field="command", allowed=list(COMMANDS))


def _hint(word: str, known: Sequence[str]) -> str:
    guess = nearest(word, known)
    return f" Did you mean {guess!r}?" if guess else f" Known: {', '.join(known)}."


def _bound(source: Source, grammar: CommandGrammar, items: Sequence[Item], project: str | PathLike[str]) -> Invocation:
    given, positionals = _divide(source, grammar, items)
    reader = Reader(source, project)
    if "project" in given and (folder := given["project"].values):
        reader = Reader(source, join(project, reader.text(folder[0])))  # noqa: PTH118 - pathlib is slow to import
    flags = {name: _flag_value(reader, name, one) for name, one in given.items()}
    return Binder(reader, grammar, flags, positionals).invocation()


class _Given(NamedTuple):
    """A flag as it was given, with its values: none for a switch, several for a list given more than once."""

    flag: Flag
    values: list[Value]


def _divide(source: Source, grammar: CommandGrammar, items: Sequence[Item]) -> tuple[dict[str, _Given], list[Value]]:
    """Flags with their values, and what remains."""
    given: dict[str, _Given] = {}
    positionals: list[Value] = []
    index = 0
    while index < len(items):
        item = items[index]
        following = items[index + 1] if index + 1 < len(items) else None
        index += 1
        if item.flag is None:
            positionals += [item.value] if item.value else []
            continue
        flag = _known_flag(source, grammar, item, given)
        value = item.value
        if value is None and following and following.flag is None and _takes(flag, following.value):
            value = following.value
            index += 1
        _check_given(source, item, flag, value)
        given.setdefault(item.flag, _Given(flag, [])).values.extend([value] if value else [])
    return given, positionals


def _takes(flag: Flag, value: Value | None) -> bool:
    """Whether what follows a flag is its value; one that may stand alone takes only the words that it knows, if any."""
    if flag.kind == "optional" and flag.allowed:
        return value is not None and value.text in flag.allowed
    return flag.kind != "switch"


def _known_flag(source: Source, grammar: CommandGrammar, item: Item, given: dict[str, _Given]) -> Flag:
    name = item.flag or ""
    flag = grammar.flags.get(name)
    allowed = [f"--{f}" for f in grammar.flags]
    if flag is None:
        message = f"/{grammar.name} has no flag '--{name}'.{_hint('--' + name, allowed)}"
        raise source.error(item.at, message, field=f"--{name}", allowed=allowed)
    if name in given and flag.kind not in ("list", "paths"):
        raise source.error(item.at, f"--{name} is there twice.", field=f"--{name}")
    return flag


def _check_given(source: Source, item: Item, flag: Flag, value: Value | None) -> None:
    name = f"--{item.flag}"
    if flag.kind == "switch":
        if value is not None:
            raise source.error(value.at, f"{name} is a switch and takes no value.", field=name)
        return
    # A shell has eaten the quotes of an empty search, so an empty list of paths is a list.
    empty = value is None or not (value.text or value.quoted or value.inner or flag.kind == "paths")
    if empty and (value is not None or flag.kind != "optional"):
        message = f"{name} needs a value{': ' + ', '.join(flag.allowed) if flag.allowed else ''}."
        raise source.error(value.at if value else item.at, message, field=name, allowed=flag.allowed)


def _flag_value(reader: Reader, name: str, one: _Given) -> Any:
    if not one.values:
        return True
    values = [reader.flag(name, one.flag, v) for v in one.values]
    return [w for words in values for w in words] if one.flag.kind in ("list", "paths") else values[0]
