"""What packs are installed in a project, as `.stretto/packs.lock` says, and their files, each held to its hash.

The lock is TOML that git tracks; the files lie in `.stretto/packs/NAME-VERSION-DIGEST/`, where DIGEST is of the list
of their hashes. So a lock names its folders, and to replace the lock is to install. Standard library only.
"""

from __future__ import annotations

import os

from stretto.state.errors import BadInput
from stretto.state.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LOCK = ".stretto/packs.lock"
FOLDER = ".stretto/packs"
_VERSION = 1
_TEXTS = ("name", "version", "source", "commit", "signer", "requires", "license", "description")
_NEEDED = ("name", "version", "source")
_FROZEN = "stretto pack add --frozen   (puts back what the lock says)"


class Locked(NamedTuple):
    """A pack as the lock has it: `files` are SHA-256 by path, `commit` and `signer` are empty where there is none."""

    name: str
    version: str
    source: str
    files: dict[str, str]
    commit: str = ""
    signer: str = ""
    requires: str = ""
    license: str = ""
    description: str = ""
    dependencies: dict[str, str] = {}  # noqa: RUF012 - never changed
    capabilities: dict[str, list[str]] = {}  # noqa: RUF012

    @property
    def folder(self) -> str:
        """The name of the folder that its files lie in."""
        return f"{self.name}-{self.version}-{tree_digest(self.files)[:12]}"

    @property
    def commands(self) -> list[str]:
        """The names of its commands, without its own."""
        return [path[len("commands/") : -len(".md")] for path in self.files if _is(path, "commands/", ".md")]

    @property
    def templates(self) -> list[str]:
        """The names of its templates, without its own."""
        return [path[len("templates/") : -len(".yaml")] for path in self.files if _is(path, "templates/", ".yaml")]

    @property
    def agents(self) -> list[str]:
        """The names of its agents, without its own."""
        return [path[len("agents/") : -len(".md")] for path in self.files if _is(path, "agents/", ".md")]


def _is(path: str, start: str, end: str) -> bool:
    return path.startswith(start) and path.endswith(end)


def tree_digest(files: dict[str, str]) -> str:
    """The digest of a whole pack: of its paths and their hashes, sorted."""
    return _sha256("".join(f"{path}\0{files[path]}\n" for path in sorted(files)).encode())


def _sha256(content: bytes) -> str:
    from hashlib import sha256  # here: quick doors do without, and most projects have no packs

    return sha256(content).hexdigest()


def read_lock(project: str) -> dict[str, Locked]:
    """The packs of a project, by name; none if it has no lock.

    Raises:
        BadInput: The lock is not one that Stretto wrote; the message says where.
    """
    try:
        with open(os.path.join(project, LOCK), "rb") as file:
            written = file.read()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadInput(f"{LOCK} cannot be read: {error.strerror}.", field=LOCK) from error
    return parse_lock(written)


def parse_lock(written: bytes) -> dict[str, Locked]:
    """The packs that the text of a lock tells of.

    Raises:
        BadInput: As of `read_lock`.
    """
    import tomllib

    try:
        data: dict[str, Any] = tomllib.loads(written.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(f"is not TOML: {error}") from error
    if data.get("version") != _VERSION:
        raise _wrong(f"is of version {data.get('version')!r}, and this Stretto reads {_VERSION}")
    packs: Any = data.get("pack", [])
    if type(packs) is not list or set(data) - {"version", "pack"}:
        raise _wrong("holds something else than packs")
    found = [_locked(each) for each in packs]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if len({one.name for one in found}) != len(found):
        raise _wrong("names a pack twice")
    return {one.name: one for one in found}


def _locked(one: Any) -> Locked:
    if not _of(one, object) or set(one) - {*Locked._fields} or not {*_NEEDED, "files"} <= set(one):
        raise _wrong("has a pack with other keys than Stretto writes")
    texts: dict[str, Any] = {key: one.get(key, "") for key in _TEXTS}
    if not _of(texts, str) or not all(texts[key] for key in _NEEDED):
        raise _wrong("has a pack whose name, version or source is no text")
    if not _plain(texts["name"]) or not _plain(texts["version"]):
        raise _wrong(f"names a pack {texts['name']!r} {texts['version']!r}")
    files, needs, may = (one.get(key, {}) for key in ("files", "dependencies", "capabilities"))
    if not _of(files, str) or not all(map(_fit, files, files.values())):
        raise _wrong(f"has a file of {texts['name']!r} that no pack can have")
    if not _of(needs, str) or not _of(may, list):
        raise _wrong(f"has dependencies or capabilities of {texts['name']!r} in another form")
    return Locked(files=files, dependencies=needs, capabilities=may, **texts)


def _of(value: Any, kind: type) -> bool:
    """Whether it is a table of such values."""
    if type(value) is not dict:
        return False
    values: list[object] = list(value.values())  # pyright: ignore[reportUnknownArgumentType] - of anything
    return all(isinstance(each, kind) for each in values)


def _plain(word: str) -> bool:
    return (
        bool(word)
        and len(word) <= 40
        and word[0].isalnum()
        and all(c.isascii() and (c.isalnum() or c in "-.") for c in word)
    )


def _fit(path: str, digest: str) -> bool:
    """Whether a file of that path can be in a pack: up to one folder, no name that begins with a dot."""
    if len(digest) != 64 or len(path) > 200:
        return False
    steps = path.split("/")
    return len(steps) <= 2 and all(
        step and step[0] != "." and step.replace("-", "").replace("_", "").replace(".", "").isalnum() for step in steps
    )


def _wrong(what: str) -> BadInput:
    return BadInput(
        f"{LOCK} {what}. Nothing was changed.",
        field=LOCK,
        next_steps=("Take the version that git has: git checkout -- .stretto/packs.lock",),
    )


def folder_of(project: str, pack: Locked) -> str:
    """Where the files of an installed pack lie."""
    return os.path.join(project, FOLDER, pack.folder)


def installed(project: str, name: str) -> Locked:
    """The pack of that name.

    Raises:
        BadInput: The project has none of that name.
    """
    packs = read_lock(project)
    if name not in packs:
        known = ", ".join(packs) or "none"
        raise BadInput(
            f"There is no pack {name!r} in this project. It has: {known}.",
            field="pack",
            allowed=list(packs),
            next_steps=("stretto pack list", "stretto pack add SOURCE"),
        )
    return packs[name]


def pack_file(project: str, pack: Locked, path: str) -> bytes:
    """The bytes of one file of an installed pack, which are what the lock says.

    Raises:
        BadInput: The pack has no such file, it is not installed, or the file is another one than was locked.
    """
    digest = pack.files.get(path)
    if digest is None:
        raise BadInput(f"The pack {pack.name!r} has no file {path!r}.", field="pack", allowed=list(pack.files))
    place = os.path.join(folder_of(project, pack), path)
    try:
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            content = file.read()
    except OSError as error:
        what = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise _changed(pack, path, what) from error
    if _sha256(content) != digest:
        raise _changed(pack, path, "is not what was installed")
    return content


def pack_text(project: str, pack: Locked, path: str) -> str:
    """The same as a text: packs hold no other files that are read."""
    return pack_file(project, pack, path).decode("utf-8")


def _changed(pack: Locked, path: str, what: str) -> BadInput:
    return BadInput(
        f"The pack {pack.name!r} is not as {LOCK} says: {path!r} {what}. Nothing of it was used.",
        field="pack",
        next_steps=(_FROZEN,),
    )
