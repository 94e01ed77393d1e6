"""The files of a pack, read from a folder into memory: regular ones, with known names, not too large.

A pack is bytes by path from here on. What comes from an archive or a repository passes the same `bounded`, before any
of it reaches the disk.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from stretto.packs.manifest import MANIFEST, NAME
from stretto.state.errors import BadInput

LARGEST = 8 << 20
"""Bytes of one file: a cassette may be long."""
WHOLE = 32 << 20
"""Bytes of all."""
MOST = 500
"""Files."""
SIGNATURE = "pack.sig"
"""Who answers for the other files; it is none of those that it answers for."""
_TEMPLATE = r"[a-z0-9][a-z0-9_-]{0,63}"
_KNOWN = re.compile(
    rf"pack\.toml|pack\.sig|README\.md|LICENSE|commands/{NAME}\.(?:md|py)|agents/{NAME}\.md|templates/{_TEMPLATE}\.yaml"
    rf"|scenarios/{NAME}\.md|cassettes/{NAME}\.jsonl"
)
_FORM = (
    "pack.toml, pack.sig, README.md, LICENSE, commands/NAME.md, commands/NAME.py, agents/NAME.md, templates/NAME.yaml,"
    " scenarios/NAME.md, cassettes/NAME.jsonl"
)
_SKIPPED = (".git", "__pycache__")

Files = Mapping[str, bytes]
"""Contents by their paths, with `/` between names; every path has passed `fit`."""


def read_folder(folder: Path) -> dict[str, bytes]:
    """The files of a pack that lies in a folder.

    Raises:
        BadInput: It is none, or it holds what no pack may; the message names the file.
    """
    if not folder.is_dir():
        raise BadInput(f"There is no folder {str(folder)!r}.", field="pack")
    try:
        return whole(_in_folder(folder), str(folder))
    except OSError as error:
        raise BadInput(f"The pack {str(folder)!r} cannot be read: {error}.", field="pack") from error


def whole(found: Iterator[tuple[str, bytes]], where: str) -> dict[str, bytes]:
    """What was found as the files of a pack, in the order of their paths.

    Raises:
        BadInput: A path stands there twice or is none that a pack may have, there is too much of it, or no `pack.toml`.
    """
    files: dict[str, bytes] = {}
    size = 0
    for path, content in found:
        if fit(path) in files:
            raise BadInput(f"{path!r} is there twice.", field="pack")
        files[path] = content
        size += len(content)
        if size > WHOLE or len(files) > MOST:
            raise BadInput(f"A pack has at most {MOST} files and {WHOLE} bytes, and this one has more.", field="pack")
    if MANIFEST not in files:
        raise BadInput(f"{where!r} holds no {MANIFEST}, so it is no pack.", field="pack")
    return dict(sorted(files.items()))


def fit(path: str) -> str:
    """The path, if a pack may hold a file of that name.

    Raises:
        BadInput: It may not.
    """
    if len(path) > 200 or not _KNOWN.fullmatch(path):
        raise BadInput(f"{path!r:.220} is no file that a pack may hold. It may: {_FORM}.", field="pack")
    return path


def sized(path: str, size: int) -> None:
    """Refuse a file that is too large, before it is read.

    Raises:
        BadInput: It is.
    """
    if size > LARGEST:
        raise BadInput(f"{path!r} has {size} bytes; a file of a pack has at most {LARGEST}.", field="pack")


def digests(files: Files) -> dict[str, str]:
    """The SHA-256 of every file."""
    return {path: hashlib.sha256(content).hexdigest() for path, content in sorted(files.items())}


def _in_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    for directory, below, names in os.walk(folder, onerror=_raise):
        here = Path(directory)
        below[:] = sorted(name for name in below if name not in _SKIPPED)
        links = [name for name in below if (here / name).is_symlink()]
        for name in sorted([*names, *links]):
            path = (here / name).relative_to(folder).as_posix()
            yield path, _regular(here / name, fit(path))


def _raise(error: OSError) -> None:
    raise error


def _regular(place: Path, path: str) -> bytes:
    try:
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadInput(f"{path!r} is a link or cannot be read: {error.strerror}.", field="pack") from error
    with os.fdopen(handle, "rb") as file:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode):
            raise BadInput(f"{path!r} is no regular file.", field="pack")
        sized(path, state.st_size)
        return file.read(LARGEST + 1)
