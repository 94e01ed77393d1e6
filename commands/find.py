"""The one substitution that a line may hold: a read-only search inside the project.

`find DIR -name GLOB [-o -name GLOB]…` is done here, by us; no program is started. It finds regular files, does not
follow symbolic links, and never looks outside the project.
"""

import os
from fnmatch import fnmatchcase

from stretto.commands.line import SUBSTITUTION, Value, lex
from stretto.commands.source import Source, unusable

MAX_RESULTS = 1000
MAX_VISITED = 100_000
"""How many directory entries a search looks at before it gives up."""


def inside(project: str | os.PathLike[str], path: str) -> str | None:
    """The real path of `path`, which is relative to the project, or None if it lies outside."""
    root, real = os.path.realpath(project), os.path.realpath(os.path.join(project, path))  # noqa: PTH118 - slow to import
    return real if real == root or real.startswith(root.rstrip(os.sep) + os.sep) else None


def find(source: Source, value: Value, project: str | os.PathLike[str]) -> list[str]:
    """Do the search that the substitution of `value` asks for.

    A folder that does not exist holds nothing.

    Returns:
        Paths relative to the project with `/`, sorted.

    Raises:
        BadInput: Not a search of this form, outside the project, too many results, or a file whose name
            holds control characters.
    """
    start, end = value.inner or (value.at, value.at)
    folder, globs = _search(source, start, end)
    real = inside(project, folder.text)
    if real is None:
        raise source.error(folder.at, f"{folder.text!r} lies outside the project.", field="find")
    found = _walk(source, start, real, globs)
    root = os.path.realpath(project)
    results = sorted(os.path.relpath(path, root).replace(os.sep, "/") for path in found)
    for path in results:
        if unusable(path) >= 0 or any(ord(c) < 32 or ord(c) == 127 for c in path):
            raise source.error(start, f"The search found {path!r}: no text can carry this name safely.", field="find")
    return results


def _search(source: Source, start: int, end: int) -> tuple[Value, list[str]]:
    """The folder and the globs.

    Raises:
        BadInput: Anything else.
    """
    words: list[Value] = []
    for item in lex(source, start, end):
        if item.flag is not None or item.value is None or item.value.inner:
            raise source.error(item.at, SUBSTITUTION, field="find")
        words.append(item.value)
    texts = [w.text for w in words]
    shape = ["find", texts[1] if len(texts) > 1 else "", "-name", *texts[3:4]]
    for i in range(4, len(texts), 3):
        shape += ["-o", "-name", *texts[i + 2 : i + 3]]
    if len(texts) < 4 or len(texts) % 3 != 1 or texts != shape or not texts[1] or texts[1].startswith("-"):
        raise source.error(start, SUBSTITUTION, field="find")
    return words[1], texts[3::3]


def _walk(source: Source, at: int, folder: str, globs: list[str]) -> list[str]:
    found: list[str] = []
    waiting, visited = [folder], 0
    while waiting:
        for entry in _entries(waiting.pop()):
            visited += 1
            if entry.is_dir(follow_symlinks=False):
                waiting.append(entry.path)
            elif entry.is_file(follow_symlinks=False) and any(fnmatchcase(entry.name, g) for g in globs):
                found.append(entry.path)
            if visited > MAX_VISITED or len(found) > MAX_RESULTS:
                raise source.error(
                    at,
                    f"The search is too wide: more than {MAX_RESULTS} files found or {MAX_VISITED} entries seen.",
                    field="find",
                    next_steps=("Name a smaller folder or a narrower pattern.",),
                )
    return found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What a folder holds; nothing if it cannot be read, as with find(1)."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
