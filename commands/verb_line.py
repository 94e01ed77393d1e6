"""The arguments of a verb: which stands where, and what is wrong with them.

By hand, since `argparse` takes half as long as the bare interpreter's start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace

from stretto.commands.grammar import Flag
from stretto.state.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TEXT, SWITCH, NUMBER, LIST = Flag("text"), Flag("switch"), Flag("int", least=0), Flag("list")
_EVERYWHERE = {"project": TEXT, "store": TEXT}
_LONGEST_NUMBER = 15


class Form(NamedTuple):
    """What a verb takes: words in this order, of which the last may be missing if `optional`, and flags.

    `rest` is the name of any number of words after those.
    """

    words: tuple[str, ...] = ()
    flags: Mapping[str, Flag] = {}
    optional: bool = False
    rest: str = ""


class Wrong(Exception):
    """The arguments do not fit the form; the message says why."""


def read(form: Form, args: Sequence[str]) -> SimpleNamespace:
    """The arguments by their names. What is missing is None, False for a switch, and an empty list for a list.

    A list may be given more than once, and with commas.

    Raises:
        Wrong: They do not fit.
    """
    flags = {**_EVERYWHERE, **form.flags}
    found: dict[str, Any] = {}
    words: list[str] = []
    rest = iter(args)
    for arg in rest:
        name, equals, value = arg.removeprefix("--").partition("=")
        if arg == "--":
            words += rest
        elif not _is_flag(arg):
            words.append(arg)
        elif not arg.startswith("--") or name not in flags:
            raise Wrong(f"unrecognized arguments: {arg}")
        elif name in found and flags[name].kind != "list":
            raise Wrong(f"argument --{name}: it is there twice")
        else:
            said = _value(name, flags[name], value if equals else None, rest)
            found[name] = [*found.get(name, ()), *said] if isinstance(said, list) else said
    given = {name: found.get(name, _missing(flag)) for name, flag in flags.items()}
    return SimpleNamespace(**given, **_named(form, words))


def _missing(flag: Flag) -> bool | list[str] | None:
    return False if flag.kind == "switch" else [] if flag.kind == "list" else None


def _is_flag(arg: str) -> bool:
    """A text of several words is none, whatever it begins with."""
    return arg.startswith("-") and arg != "-" and " " not in arg.partition("=")[0]


def _value(name: str, flag: Flag, given: str | None, rest: Iterator[str]) -> str | int | bool | list[str]:
    if flag.kind == "switch":
        if given is not None:
            raise Wrong(f"argument --{name}: takes no value, not {given!r}")
        return True
    text = next(rest, None) if given is None else given
    if text is None or (given is None and _is_flag(text)):
        raise Wrong(f"argument --{name}: expected one argument")
    if flag.kind == "list":
        return [part.strip() for part in text.split(",")]
    if flag.kind != "int":
        return text
    if not text.isascii() or not text.isdecimal() or len(text) > _LONGEST_NUMBER:
        raise Wrong(f"argument --{name}: {text!r} is not a whole number")
    return int(text)


def _named(form: Form, words: list[str]) -> dict[str, str | list[str] | None]:
    if len(words) > len(form.words) and not form.rest:
        raise Wrong(f"unrecognized arguments: {' '.join(words[len(form.words) :])}")
    missing = form.words[len(words) :]
    if missing and not form.optional:
        raise Wrong(f"the following arguments are required: {', '.join(missing)}")
    more: dict[str, str | list[str] | None] = {form.rest: words[len(form.words) :]} if form.rest else {}
    return {**dict(zip(form.words, words, strict=False)), **dict.fromkeys(missing), **more}
