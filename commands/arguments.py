"""What stood behind a slash command, kept from the hook that sees it to the command that runs.

A file for each: bytes as they were typed, readable for their owner alone, gone once they are read. The client knows
no other way from a typed line to a program that does not lead through a shell. Standard library only, and little of it:
hooks import this.
"""

import os
import time

TYPE_CHECKING = False  # `typing` costs a hook half of its time
if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = "args"
_KEPT_SECONDS = 24 * 60 * 60
"""What nobody has read by then, because the client died or was never allowed to run the command, is removed."""
_IN_NAMES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_LONGEST = 128


def put(data: str, session: str, command: str, prompt: str, text: str) -> None:
    """Keep what stood behind `command` in this session's prompt.

    Raises:
        ValueError: An id that could not be a part of a file's name.
        OSError: The file cannot be written.
    """
    name = ".".join([_checked(session), _checked(command), f"{time.time_ns():020d}", _checked(prompt or "-")])
    folder = os.path.join(data, _FOLDER)
    os.makedirs(folder, 0o700, exist_ok=True)
    _forget_old(folder)
    temporary = os.path.join(folder, f".{name}")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(file, "wb") as out:
        out.write(text.encode("utf-8", "surrogatepass"))
    os.rename(temporary, os.path.join(folder, name))  # so that no reader sees half of it


def take(data: str, session: str, command: str) -> str | None:
    """The newest that was kept for `command` in this session, or None. It and the older ones are gone afterwards.

    Raises:
        ValueError: As `put`.
    """
    folder = os.path.join(data, _FOLDER)
    mine = f"{_checked(session)}.{_checked(command)}."
    names = sorted(name for name in _names(folder) if name.startswith(mine))
    found: str | None = None
    for name in names:
        path = os.path.join(folder, name)
        try:
            found = _read(path)
            os.unlink(path)
        except FileNotFoundError:
            continue  # taken by another reader
    return found


def _read(path: str) -> str:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(file, "rb") as opened:
        return opened.read().decode("utf-8", "surrogatepass")


def _names(folder: str) -> "Iterator[str]":
    try:
        yield from os.listdir(folder)
    except FileNotFoundError:
        return


def _forget_old(folder: str) -> None:
    for name in _names(folder):
        path = os.path.join(folder, name)
        try:
            if time.time() - os.lstat(path).st_mtime > _KEPT_SECONDS:
                os.unlink(path)
        except OSError:
            continue  # another hook was quicker


def _checked(word: str) -> str:
    if not word or len(word) > _LONGEST or not _IN_NAMES.issuperset(word):
        raise ValueError(f"{word[:_LONGEST]!r} can be no part of a file's name")
    return word
