"""Exports on the disk: nothing that is not ours is touched, and everything that is can be taken back.

What was written stands in `.stretto-exports/CLIENT-NAME`, in the form of sha256sum. A file is ours if its hash stands
there still; one that somebody changed is theirs.
"""

import contextlib
from hashlib import sha256
from pathlib import Path

from stretto.packs.export import Export
from stretto.packs.export_settings import SETTINGS, merged, parted
from stretto.state.errors import BadInput

FOLDER = ".stretto-exports"


def write_export(root: Path, client: str, name: str, export: Export) -> list[str]:
    """Write all of it below `root`, and take away what an earlier export wrote and this one does not; the paths.

    Raises:
        BadInput: Something there is not ours; nothing was written.
    """
    before = _record(root, client, name)
    texts = {path: text.encode() for path, text in export.files.items()}
    for path, content in texts.items():
        _ours(root, path, {before.get(path), _hash(content)})
    gone = [path for path in before if path not in texts and before[path] != SETTINGS]
    for path in gone:
        _ours(root, path, {before[path]})
    lines = {path: _hash(content) for path, content in texts.items()}
    if export.shared:
        _ours(root, export.shared.path, None)
        texts[export.shared.path] = merged(root / export.shared.path, export.shared)
        lines[export.shared.path] = SETTINGS
    record = f"{FOLDER}/{client}-{name}"
    texts[record] = "".join(f"{digest}  {path}\n" for path, digest in sorted(lines.items())).encode()
    _ours(root, record, None)
    try:
        for path, content in texts.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        _delete(root, gone)
    except OSError as error:
        raise BadInput(f"{error.filename!r} cannot be written: {error.strerror}.", field="-o") from error
    return sorted(lines)


def remove_export(root: Path, client: str, name: str, export: Export) -> list[str]:
    """Take back what was written; the paths. Settings lose our server unless another export needs it.

    Raises:
        BadInput: A file was changed since; nothing was removed.
    """
    before = _record(root, client, name)
    files = [path for path, digest in before.items() if digest != SETTINGS]
    for path in files:
        _ours(root, path, {before[path]})
    shared = export.shared if export.shared and before.get(export.shared.path) == SETTINGS else None
    if shared:
        _ours(root, shared.path, None)
        others = [one for one in (root / FOLDER).iterdir() if one.name != f"{client}-{name}"]
        if not any(f"{SETTINGS}  {shared.path}\n" in one.read_text("utf-8") for one in others):
            left = parted(root / shared.path, shared)
            if left is None:
                files.append(shared.path)
            else:
                (root / shared.path).write_bytes(left)
    if before:
        _delete(root, [*files, f"{FOLDER}/{client}-{name}"])
    return sorted(before)


def _record(root: Path, client: str, name: str) -> dict[str, str]:
    """Hashes by path, as the record has them; none if there is no record, or it is not in our form."""
    try:
        lines = (root / FOLDER / f"{client}-{name}").read_text("utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError):
        return {}
    found = [line.partition("  ") for line in lines]
    return {path: digest for digest, between, path in found if between and _below(path)}


def _below(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")


def _ours(root: Path, path: str, hashes: set[str | None] | None) -> None:
    """Refuse a path that leads elsewhere, and a file whose hash is none of these; any regular one may be there if None.

    Raises:
        BadInput: It does, or is.
    """
    place, top = root / path, root.resolve()
    real = place.resolve()
    if real != top / path or (place.exists() and not place.is_file()):
        raise BadInput(f"{path!r} is a link or no file; nothing was written.", field="-o")
    if hashes is not None and place.exists() and _hash(place.read_bytes()) not in hashes:
        raise BadInput(
            f"{path!r} is there and is not what Stretto wrote; nothing was changed.",
            field="-o",
            next_steps=("Keep it and write to another folder, or move it away and try again.",),
        )
    above = next((up for up in place.parents if up.exists()), root)
    if not above.is_dir():
        raise BadInput(f"{str(above)!r} is no folder; nothing was written.", field="-o")


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()


def _delete(root: Path, paths: list[str]) -> None:
    """Files, and the folders that become empty by it, up to the root."""
    for path in paths:
        (root / path).unlink(missing_ok=True)
        for folder in (root / path).relative_to(root).parents[:-1]:
            with contextlib.suppress(OSError):
                (root / folder).rmdir()
