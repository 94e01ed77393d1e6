"""What a merge will change in the user's checkout, remembered outside git so that it can be given back exactly.

git restores content; it does not restore permission bits beyond the executable one, folders that were empty, or bytes
that differ from what it would check out itself (line endings, filters).
"""

import json
import os
import shutil
import stat
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from stretto.agents.commits import FILE, PROGRAM, Difference, differences
from stretto.agents.git import Git

_RECORD = "record.json"


async def in_the_way(git: Git, old: str, new: str) -> list[str]:
    """Files unknown to git, ignored ones among them, in the places of files that `new` has and `old` has not."""
    changed = await differences(git, old, new)
    gone = {d.path for d in changed if d.new is None}
    return [blocking for d in changed if d.old is None and (blocking := _blocking(git.root, d.path, gone))]


def _blocking(root: Path, path: str, gone: set[str]) -> str:
    if os.path.lexists(root / path):
        replaced = (root / path).is_dir() and any(g.startswith(path + "/") for g in gone)
        return "" if replaced else path
    for parent in _parents(path):
        where = root / parent
        if os.path.lexists(where) and (where.is_symlink() or not where.is_dir()):
            return "" if parent in gone else parent
    return ""


def _parents(path: str) -> Iterator[str]:
    return (str(p) for p in PurePosixPath(path).parents if str(p) != ".")


async def made(git: Git, base: str, tip: str, folder: Path) -> set[str]:
    """The folders that a merge of `base`..`tip` has made, going by what was remembered in `folder` before it."""
    known: dict[str, int] = json.loads((folder / _RECORD).read_text("utf-8"))["folders"]
    return {parent for d in await differences(git, base, tip) for parent in _parents(d.path)} - known.keys()


async def remember(git: Git, base: str, tip: str, folder: Path, ours: Collection[str] = ()) -> None:
    """Write to `folder` what the merge of `base`..`tip` would lose of the checkout; the folders `ours` are no loss."""
    changed = await differences(git, base, tip)
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True, mode=0o700)
    record = {
        "folders": {path: mode for path, mode in _folders(git.root, changed).items() if path not in ours},
        "modes": _modes(git.root, changed),
        "bytes": await _odd_bytes(git, changed, fresh),
    }
    (fresh / _RECORD).write_text(json.dumps(record), "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _folders(root: Path, changed: Sequence[Difference]) -> dict[str, int]:
    parents = {parent for d in changed for parent in _parents(d.path)}
    return {p: _mode(root / p) for p in parents if (root / p).is_dir() and not (root / p).is_symlink()}


def _modes(root: Path, changed: Sequence[Difference]) -> dict[str, int]:
    return {d.path: _mode(root / d.path) for d in changed if _is_file(root, d)}


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def _is_file(root: Path, d: Difference) -> bool:
    where = root / d.path
    return d.old is not None and d.old.mode in (FILE, PROGRAM) and where.is_file() and not where.is_symlink()


async def _odd_bytes(git: Git, changed: Sequence[Difference], folder: Path) -> dict[str, str]:
    """Copy the files whose bytes are not those of their blob; return path → name of the copy."""
    files = [d for d in changed if _is_file(git.root, d) and "\n" not in d.path]
    if not files:
        return {}
    names = os.fsencode("".join(f"{d.path}\n" for d in files))
    raw = (await git.run("hash-object", "--no-filters", "--stdin-paths", stdin=names)).decode().split()
    odd = [d.path for d, oid in zip(files, raw, strict=True) if d.old and d.old.oid != oid]
    for number, path in enumerate(odd):
        shutil.copyfile(git.root / path, folder / str(number))
    return {path: str(number) for number, path in enumerate(odd)}


async def give_back(git: Git, folder: Path) -> None:
    """Restore what `remember` wrote, after git has restored the rest; forget it."""
    root = git.root
    if not (folder / _RECORD).is_file():
        return
    record = json.loads((folder / _RECORD).read_text("utf-8"))
    for path, mode in sorted(record["folders"].items()):
        (root / path).mkdir(exist_ok=True)
        _set_mode(root / path, mode)
    for path, copy in record["bytes"].items():
        _set_bytes(root / path, (folder / copy).read_bytes())
    if record["bytes"]:  # their sizes are not those that git noted when it wrote them
        names = os.fsencode("".join(f"{path}\0" for path in record["bytes"]))
        await git.run("update-index", "-z", "--stdin", stdin=names)
    for path, mode in record["modes"].items():
        _set_mode(root / path, mode)
    shutil.rmtree(folder)


def _set_mode(path: Path, mode: int) -> None:
    if _mode(path) != mode:
        path.chmod(mode)


def _set_bytes(path: Path, content: bytes) -> None:
    if path.read_bytes() != content:
        path.write_bytes(content)
