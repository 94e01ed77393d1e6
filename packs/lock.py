"""Writing `.stretto/packs.lock`: equal packs make equal bytes, and a new lock takes the old one's place at once."""

import json
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from stretto.packs.pack import Pack
from stretto.state import folders
from stretto.state.pack_lock import FOLDER, LOCK, Locked

_HEAD = """\
# What is installed here, to the byte. Written by `stretto pack`; git keeps it, and `stretto pack add --frozen` makes
# the same of it everywhere.
version = 1
"""


def locked(pack: Pack, *, source: str, commit: str, signer: str) -> Locked:
    """A pack as the lock will have it."""
    manifest = pack.manifest
    may = {key: [*value] for key, value in manifest.capabilities.model_dump().items() if value}
    return Locked(
        name=manifest.name,
        version=manifest.version,
        source=source,
        files={path: sha256(content).hexdigest() for path, content in pack.files.items()},
        commit=commit,
        signer=signer,
        requires=manifest.requires,
        license=manifest.license,
        description=manifest.description,
        dependencies={name: needed.version for name, needed in manifest.dependencies.items()},
        capabilities=may,
    )


def dump_lock(packs: Mapping[str, Locked]) -> str:
    """The text of a lock."""
    return "\n".join([_HEAD, *("\n".join(_pack(packs[name])) for name in sorted(packs))])


def write_lock(project: Path, packs: Mapping[str, Locked]) -> None:
    """Put a lock in the place of the one that is there; without packs, take it away. Raises OSError."""
    path = project / LOCK
    if packs:
        folders.write(str(path), dump_lock(packs), str(project / FOLDER / "lock"))  # what a crash leaves is swept there
        path.chmod(0o644)
    else:
        path.unlink(missing_ok=True)


def _pack(one: Locked) -> Iterator[str]:
    yield "[[pack]]"
    for key in ("name", "version", "description", "license", "source", "commit", "signer", "requires"):
        if value := getattr(one, key):
            yield f"{key} = {_text(value)}"
    for table, entries in (
        ("dependencies", one.dependencies),
        ("capabilities", one.capabilities),
        ("files", one.files),
    ):
        if entries:
            yield f"[pack.{table}]"
            yield from (f"{_text(key)} = {_value(entries[key])}" for key in sorted(entries))
    yield ""


def _value(value: str | list[str]) -> str:
    if not isinstance(value, list):
        return _text(value)
    return f"[{', '.join(map(_text, value))}]"


def _text(text: str) -> str:
    """A basic string of TOML: JSON's, with DEL escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
