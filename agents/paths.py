"""Declared paths: what a task may say that it reads and writes, and whether two of them can meet.

A declared path is relative to the project and may hold globs: `*`, `?` and `[…]` within one component, `**` for any
number of components. A path that names a folder covers everything below it; one whose last component has an extension
(`a.py`, `*.md`) names files, unless it ends with a slash (`conf.d/`).
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from posixpath import normpath, splitext

from stretto.state.errors import BadInput

LONGEST = 500
_ELEMENT = re.compile(r"\[[^\]]+\]|.", re.DOTALL)


def declared(path: str, field: str) -> str:
    """Return `path` if a task may declare it.

    Raises:
        BadInput: It is empty, absolute, leads out of the project or into `.git`, holds a control character, or is
            longer than `LONGEST` characters.
    """
    parts = path.split("/")
    outside = path.startswith(("/", "~")) or "\\" in path or ".." in parts or ".git" in (p.lower() for p in parts)
    unreadable = not path.strip() or len(path) > LONGEST or any(ord(c) < 32 or ord(c) == 127 for c in path)
    if outside or unreadable:
        raise BadInput(
            f"{path[:LONGEST]!r} is not a path inside the project: relative, with '/', without '..', not in '.git',"
            f" at most {LONGEST} characters.",
            field=field,
        )
    return path


def covers(entry: str, path: str) -> bool:
    """Whether the declared path or glob `entry` allows the file `path`.

    Agrees with `overlap`: two entries that cover one file overlap.
    """
    literal = normpath(path).replace("*", "\0")  # a star in a file's name stands for no folder
    return _meet(_components(entry), tuple(literal.split("/")), "**", _names)


@lru_cache(maxsize=4096)
def overlap(one: str, two: str) -> bool:
    """Whether two declared paths or globs may name the same file. In doubt, yes."""
    a, b = normpath(one), normpath(two)
    if a.startswith(b + "/") or b.startswith(a + "/"):
        return True
    return _meet(_components(one), _components(two), "**", _same_name)


def _components(path: str) -> tuple[str, ...]:
    normal = normpath(path) if path else "."
    parts = () if normal == "." else tuple(normal.split("/"))
    folder = path.endswith("/") or not parts or not splitext(parts[-1])[1]
    return (*parts, "**") if folder else parts


@lru_cache(maxsize=4096)
def _same_name(one: str, two: str) -> bool:
    """Whether some file name fits both globs. A `[…]` is taken for any one character, and for itself."""
    both = _meet(_ELEMENT.findall(one), _ELEMENT.findall(two), "*", _same_character)
    return both or _names(one, two) or _names(two, one)


@lru_cache(maxsize=4096)
def _names(glob: str, name: str) -> bool:
    """Whether the file name, of which no character means anything else, fits the glob or is spelt like it."""
    letters = [c if c not in "*?" else "\0" for c in name]
    return glob == name or _meet(_ELEMENT.findall(glob), letters, "*", _same_character)


def _same_character(one: str, two: str) -> bool:
    return one == two or "?" in (one, two) or len(one) > 1 or len(two) > 1


def _meet(one: Sequence[str], two: Sequence[str], many: str, fits: Callable[[str, str], bool]) -> bool:
    """Whether some text fits both patterns; `many` is the element that stands for any number of others."""
    left = [(0, 0)]
    seen = set(left)
    while left:
        i, j = left.pop()
        if (i, j) == (len(one), len(two)):
            return True
        for step in _steps(one[i : i + 1], two[j : j + 1], many, fits):
            if (following := (i + step[0], j + step[1])) not in seen:
                seen.add(following)
                left.append(following)
    return False


def _steps(
    one: Sequence[str], two: Sequence[str], many: str, fits: Callable[[str, str], bool]
) -> list[tuple[int, int]]:
    """How many elements of each pattern the next piece of text can use up."""
    steps: list[tuple[int, int]] = []
    if many in one:
        steps += [(1, 0), (0, 1)] if two else [(1, 0)]
    if many in two:
        steps += [(0, 1), (1, 0)] if one else [(0, 1)]
    if one and two and not steps and fits(one[0], two[0]):
        steps.append((1, 1))
    return steps
