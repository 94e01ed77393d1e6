"""Outcomes kept in a folder, one file each: what an agent said and the files that it left, under a key of its inputs.

The folder may be shared, so a file is hostile until it is checked: plain JSON of bounded size, with a digest of what it
holds. One that does not fit is no outcome, and why is said. Whoever may write to the folder may leave outcomes in it;
they are proven and landed like those of an agent, within what the task declares.
"""

import base64
import binascii
import json
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from stretto.agents.commits import FILE, PROGRAM
from stretto.agents.paths import declared
from stretto.agents.task import Artifact, Frozen, Usage
from stretto.state.digest import sha256
from stretto.state.errors import BadInput

FORMAT = 1
MOST_BYTES = 4_000_000
"""How long a file of the folder may be."""
MOST_FILES = 500


class Left(Frozen):
    """A file that an agent left: its bytes in base64, None where it deleted the file."""

    path: str
    mode: Literal["100644", "100755"]
    content: str | None


class Entry(Frozen):
    """A proven outcome. `made` is seconds since the epoch; `usage` is what it took to make."""

    made: float
    summary: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
    artifacts: tuple[Artifact, ...] = ()
    usage: Usage = Usage()
    files: Annotated[tuple[Left, ...], Field(max_length=MOST_FILES)] = ()


class Unusable(Exception):
    """An entry is there and cannot be used; the text says why."""


class Size(NamedTuple):
    """How much a folder holds."""

    entries: int
    size: int


class OutcomeCache:
    """The outcomes of one folder, which is made when the first is kept.

    Any number of processes may use one folder: a file appears whole or not at all.

    Args:
        folder: Where they lie.
        within: No link may lead out of this: a cloned project must not choose where we read and write.
    """

    def __init__(self, folder: Path, within: Path | None = None) -> None:
        self.folder = folder
        self._within = within

    def find(self, key: str) -> Entry | None:
        """The outcome under a key; None if there is none.

        Raises:
            Unusable: There is something, and it is not what was kept.
        """
        place = self._place(key)
        if self._leads_out(place):
            raise Unusable("a link leads out of the project")
        text = _read(place)
        return None if text is None else _entry(key, text)

    def keep(self, key: str, entry: Entry) -> bool:
        """Keep an outcome in the place of what lies there; False if it is too large, or the folder refuses."""
        body = entry.model_dump(mode="json")
        text = json.dumps({"format": FORMAT, "key": key, "digest": _digest(key, body), "entry": body}, indent=1)
        if len(text) >= MOST_BYTES:
            return False
        if self._leads_out(place := self._place(key)):
            return False
        try:
            _write(place, text + "\n")
        except OSError:
            return False
        return True

    def size(self) -> Size:
        """How many outcomes there are, and their bytes."""
        sizes = [file.stat().st_size for file in self._files()]
        return Size(len(sizes), sum(sizes))

    def _files(self) -> Iterator[Path]:
        return (file for file in self.folder.glob("??/*.json") if file.is_file())

    def _leads_out(self, place: Path) -> bool:
        return self._within is not None and not place.parent.resolve().is_relative_to(self._within.resolve())

    def _place(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


def content_of(left: Left, root: Path) -> bytes | None:
    """What the file is to hold; None if it is to be deleted.

    Raises:
        Unusable: It lies outside of `root`, a link leads there, or it is no base64.
    """
    try:
        declared(left.path, "path")
    except BadInput as error:
        raise Unusable(error.message) from error
    place = root / left.path
    if place.is_symlink() or not place.parent.resolve().is_relative_to(root.resolve()):
        raise Unusable(f"{left.path!r} leads out of the workspace through a link")
    if place.is_dir():
        raise Unusable(f"{left.path!r} is a folder here")
    try:
        return None if left.content is None else base64.b64decode(left.content, validate=True)
    except binascii.Error as error:
        raise Unusable(f"the content of {left.path!r} is no base64") from error


def left_at(path: str, root: Path) -> Left | None:
    """A file that an agent has changed or deleted; None for what is no plain file, which is not kept."""
    place = root / path
    if path.startswith("../") or place.is_symlink():
        return None
    if not os.path.lexists(place):
        return Left(path=path, mode="100644", content=None)
    if not place.is_file() or place.stat().st_size > MOST_BYTES:
        return None
    mode = PROGRAM if place.stat().st_mode & stat.S_IXUSR else FILE
    return Left.model_validate(
        {"path": path, "mode": mode, "content": base64.b64encode(place.read_bytes()).decode("ascii")}
    )


def _read(place: Path) -> str | None:
    """The text of a plain file of bounded size."""
    try:
        file = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Unusable(f"it cannot be read: {error.strerror}") from error
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise Unusable("it is no plain file")
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise Unusable(f"it is longer than {MOST_BYTES} bytes")
    return content.decode("utf-8", "replace")


def _entry(key: str, text: str) -> Entry:
    try:
        found: Any = json.loads(text)
        digest, body = found["digest"], found["entry"]
        entry = Entry.model_validate(body)
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        raise Unusable(f"it is not an entry of this format ({type(error).__name__})") from error
    if found.get("format") != FORMAT or found.get("key") != key or digest != _digest(key, body):
        raise Unusable("its digest is not that of what it holds")
    return entry


def _digest(key: str, body: object) -> str:
    held = json.dumps([FORMAT, key, body], sort_keys=True, separators=(",", ":"))
    return sha256(held.encode()).hexdigest()


def _write(place: Path, text: str) -> None:
    """Whole or not at all; by another name first, so that a link that lies there is not followed."""
    place.parent.mkdir(parents=True, exist_ok=True)
    new = place.with_name(f"{place.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        with new.open("x", encoding="utf-8") as file:
            file.write(text)
        new.replace(place)
    finally:
        with suppress(FileNotFoundError):
            new.unlink()
