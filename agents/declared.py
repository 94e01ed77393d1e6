"""What was written against what was declared."""

import posixpath
from collections.abc import Sequence
from fnmatch import fnmatchcase


def undeclared(writes: Sequence[str], changed: Sequence[str]) -> list[str]:
    """The paths of `changed` that no entry of `writes` allows, in their order.

    An entry is a path, a glob (`*` crosses folders, `**/` may stand for none) or a folder, which covers all below it.
    Nothing declared allows everything. A path outside the project's folder (`../x`) is allowed only by an entry that
    begins with `..` itself.
    """
    if not writes:
        return []
    entries = [_normal(entry) for entry in writes]
    return [path for path in changed if not any(_covers(entry, _normal(path)) for entry in entries)]


def _normal(path: str) -> str:
    return posixpath.normpath(path) if path else ""


def _covers(entry: str, path: str) -> bool:
    if not entry or _outside(path) != _outside(entry):
        return False
    if entry in (".", path) or path.startswith(entry + "/"):
        return True
    shorter = entry.replace("**/", "")
    return any(fnmatchcase(path, glob) for glob in (entry, shorter, entry + "/*", shorter + "/*"))


def _outside(path: str) -> bool:
    return path == ".." or path.startswith("../")
