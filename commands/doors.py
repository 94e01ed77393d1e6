"""What stands at the front of the arguments: flags that go everywhere, and the name of what is to be done.

Standard library only, for the quick doors.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from stretto.commands.source import MAX_BYTES
from stretto.commands.tables import GLOBAL_FLAGS
from stretto.state.errors import BadInput
from stretto.state.light import NamedTuple


class Door(NamedTuple):
    """`name` is the first word (empty if there is none); `rest` the other arguments, `flags` those that go anywhere.

    `flags` holds only those of the global flags that were given with a value; the arguments stay in `rest` too.
    """

    name: str
    rest: tuple[str, ...]
    flags: dict[str, str]
    json: bool
    help: bool


def open_door(args: Sequence[str]) -> Door:
    """Find the first word behind the global flags, and the global flags wherever they stand before a `--`."""
    heads = [i for i in range(len(args)) if not _belongs_to_flag(args, i)]
    first = next(iter(heads), len(args))
    name = args[first] if first < len(args) else ""
    rest = (*args[:first], *args[first + 1 :])
    before = rest[: rest.index("--")] if "--" in rest else rest
    return Door(
        name=name.removeprefix("/"),
        rest=rest,
        flags=_values(before),
        json="--json" in before,
        help=bool({"--help", "-h"} & {*before}),
    )


def _belongs_to_flag(args: Sequence[str], index: int) -> bool:
    """Whether an argument in front is a flag or the value of one."""
    before = args[index - 1].removeprefix("--") if index and args[index - 1].startswith("--") else ""
    return args[index].startswith("-") or _takes_value(before)


def _takes_value(flag: str) -> bool:
    return flag in GLOBAL_FLAGS and GLOBAL_FLAGS[flag].kind != "switch"


def _values(args: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for index, arg in enumerate(args):
        name, equals, value = arg.removeprefix("--").partition("=")
        if not arg.startswith("--") or not _takes_value(name):
            continue
        if equals:
            found.setdefault(name, value)
        elif index + 1 < len(args):
            found.setdefault(name, args[index + 1])
    return found


def positionals(door: Door) -> list[str]:
    """What is neither a global flag nor the value of one.

    Raises:
        BadInput: There is another flag.
    """
    found: list[str] = []
    for index, arg in enumerate(door.rest):
        name = arg.removeprefix("--").partition("=")[0]
        if arg.startswith("--") and name not in GLOBAL_FLAGS:
            raise BadInput(
                f"`stretto {door.name}` has no flag {arg!r}. Flags of a slash command stand in its line.",
                field=arg.partition("=")[0],
                allowed=[f"--{f}" for f in GLOBAL_FLAGS],
            )
        after_flag = index > 0 and door.rest[index - 1].startswith("--")
        if not arg.startswith("--") and not (after_flag and _takes_value(door.rest[index - 1].removeprefix("--"))):
            found.append(arg)
    return found


def raw_line(door: Door) -> str:
    """The slash line that `stretto line` was given, or what stdin holds for `-`.

    Raises:
        BadInput: There is not exactly one.
    """
    texts = positionals(door)
    if len(texts) != 1:
        raise BadInput(
            f"`stretto line` takes one slash line, or - to read it from stdin; here are {len(texts)}.",
            field="line",
            next_steps=("stretto line '/orchestrate \"Add JWT authentication\"'",),
        )
    return _stdin() if texts[0] == "-" else texts[0]


def _stdin() -> str:
    """What stdin holds, byte for byte; what is not UTF-8 is left for the parser to refuse."""
    return sys.stdin.buffer.read(MAX_BYTES + 1).decode("utf-8", "surrogateescape")


def folder(text: str) -> str:
    """The folder that `--project` names, absolute and without links.

    Raises:
        BadInput: There is no such folder.
    """
    try:
        path = os.path.realpath(os.path.expanduser(text))
        found = os.path.isdir(path)
    except (ValueError, OSError) as error:
        raise BadInput(f"--project {text!r} is not a folder: {error}.", field="--project") from error
    if not found:
        raise BadInput(f"--project {text!r} is not a folder.", field="--project")
    return path
