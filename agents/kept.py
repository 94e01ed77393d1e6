"""Files in a cassette: what an agent left in its workspace, kept as text, and put back by a replay.

A file is put where the recording says and nowhere else: never outside of the workspace, never in git's own folder,
never over something other than what stood there when it was recorded.
"""

import base64
import binascii
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from stretto.agents.cassette import Kept
from stretto.agents.paths import declared
from stretto.agents.prints import CWD, Normal
from stretto.state.digest import sha256
from stretto.state.errors import BadInput, StrettoError

MOST_BYTES = 1_000_000
"""How long a file may be that a cassette keeps."""
LINK, FILE, PROGRAM = "120000", "100644", "100755"


class Wrote(NamedTuple):
    """What an attempt left: files, and what of it cannot be kept, with the reason."""

    files: tuple[Kept, ...]
    lost: tuple[str, ...] = ()


class Misplaced(StrettoError):
    """A file of a recording cannot be put where it says."""


def digest(content: bytes | None, normal: Normal) -> str:
    """How a content is named, whatever the workspace's path is and without secrets; empty for none."""
    if content is None:
        return ""
    with suppress(UnicodeDecodeError):
        content = normal.portable(content.decode()).encode("utf-8", "replace")
    return sha256(content).hexdigest()[:12]


def kept(path: str, content: bytes | None, before: bytes | None, normal: Normal, mode: str = FILE) -> Kept:
    """A file as a cassette keeps it: without the workspace's path and secrets. None is a file that is not there."""
    facts = {"path": path, "mode": mode, "before": digest(before, normal)}
    if content is None:
        return Kept.model_validate(facts)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return Kept.model_validate({**facts, "base64": base64.b64encode(content).decode("ascii")})
    placed, portable = normal.placed(text), normal.portable(text)
    redacted = portable != placed
    return Kept.model_validate({**facts, "text": portable, "placed": placed != text, "redacted": redacted})


def read(root: Path, path: str) -> tuple[bytes | None, str]:
    """What lies at `path` and its mode; of a link, where it leads.

    Raises:
        Misplaced: Something that cannot be kept.
    """
    place = root / path
    if not os.path.lexists(place):
        return None, FILE
    found = place.lstat()
    if stat.S_ISLNK(found.st_mode):
        return os.fsencode(place.readlink()), LINK
    if not stat.S_ISREG(found.st_mode):
        raise Misplaced(f"{path}: neither a file nor a link")
    if found.st_size > MOST_BYTES:
        raise Misplaced(f"{path}: {found.st_size} bytes; a cassette keeps files of up to {MOST_BYTES}")
    return place.read_bytes(), PROGRAM if found.st_mode & stat.S_IXUSR else FILE


def content_of(one: Kept, cwd: str) -> bytes | None:
    """What a kept file holds, in a workspace at `cwd`; None if it was deleted.

    Raises:
        Misplaced: It is no base64.
    """
    if one.text is not None:
        return (one.text.replace(CWD, cwd) if one.placed else one.text).encode("utf-8", "replace")
    try:
        return None if one.base64 is None else base64.b64decode(one.base64, validate=True)
    except binascii.Error as error:
        raise Misplaced(f"{one.path!r} is kept as base64 and is none") from error


def place_of(one: Kept, root: Path) -> Path:
    """Where it belongs.

    Raises:
        Misplaced: Outside of `root`, in git's own folder, through a link, or where a folder is.
    """
    try:
        declared(one.path, "path")
    except BadInput as error:
        raise Misplaced(error.message) from error
    place = root / one.path
    if not place.parent.resolve().is_relative_to(root.resolve()):
        raise Misplaced(f"{one.path!r} leads out of the workspace through a link")
    if place.is_dir() and not place.is_symlink():
        raise Misplaced(f"{one.path!r} is a folder here")
    return place


def differs(one: Kept, root: Path, normal: Normal) -> bool:
    """Whether neither what lay there when it was recorded does, nor what was made of it.

    Raises:
        Misplaced: It has no place here.
    """
    place = place_of(one, root)
    now = digest(read(root, one.path)[0], normal) if os.path.lexists(place) else ""
    return now not in (one.before, digest(content_of(one, str(root)), normal))


def put(one: Kept, root: Path, cwd: str) -> None:
    """Make the file as it was left, or delete it.

    Raises:
        Misplaced: It has no place here, or the system refuses.
    """
    place, content = place_of(one, root), content_of(one, cwd)
    try:
        if os.path.lexists(place):
            place.unlink()
        if content is None:
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        if one.mode == LINK:
            place.symlink_to(_inside(one, content, root))
            return
        place.write_bytes(content)
        place.chmod(0o755 if one.mode == PROGRAM else 0o644)
    except OSError as error:
        raise Misplaced(f"{one.path!r} cannot be written: {error.strerror}") from error


def _inside(one: Kept, target: bytes, root: Path) -> str:
    leads = os.fsdecode(target)
    ends = (root / one.path).parent / leads
    if not Path(os.path.normpath(ends)).is_relative_to(root) or not ends.resolve().is_relative_to(root.resolve()):
        raise Misplaced(f"{one.path!r} is a link that leads out of the workspace")
    return leads
