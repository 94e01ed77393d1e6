"""A check command as POSIX words: never run by a shell, and refused where it would need one."""

import re
import shlex
from typing import NamedTuple

_OPERATORS = frozenset("|&;<>()\n")
_EXPANSION = re.compile(r"\$[A-Za-z_{(]")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


class Words(NamedTuple):
    """The words, or why there are none."""

    argv: tuple[str, ...]
    problem: str = ""


def split_command(command: str) -> Words:
    """Split `command` as a POSIX shell would, without anything that only a shell can do."""
    if found := shell_feature(command):
        return Words(
            (), f"it uses {found!r}, and checks are run without a shell; give each command as a check of its own"
        )
    try:
        argv = tuple(shlex.split(command))
    except ValueError as error:
        return Words((), f"it cannot be split into words: {error}")
    if not argv:
        return Words((), "it is empty")
    if _ASSIGNMENT.match(argv[0]):
        return Words((), f"it begins with the assignment {argv[0]!r}, which needs a shell")
    return Words(argv)


def shell_feature(command: str) -> str:
    """The first operator or expansion outside quotes that stop it, or nothing."""
    quote, position = "", 0
    while position < len(command):
        character = command[position]
        if character == "\\" and quote != "'":
            position += 2
            continue
        if character in "'\"" and quote in ("", character):
            quote = "" if quote else character
        elif quote != "'" and (character == "`" or _EXPANSION.match(command, position)):
            return command[position : position + 2]
        elif not quote and character in _OPERATORS:
            return command[position : position + 2] if command[position : position + 2] in ("&&", "||") else character
        position += 1
    return ""
