"""Everything below a folder, byte for byte, to be compared with what is there later."""

import os
import stat
from collections.abc import Collection
from pathlib import Path


def snapshot(root: Path, *, without: Collection[str] = ()) -> dict[str, tuple[str, int, bytes]]:
    """Every path below `root`, but not into folders named `without`: its kind, its permission bits, its content."""
    found: dict[str, tuple[str, int, bytes]] = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f not in without]
        for name in (*folders, *files):
            path = Path(folder, name)
            found[str(path.relative_to(root))] = _facts(path)
    return found


def _facts(path: Path) -> tuple[str, int, bytes]:
    state = path.lstat()
    if stat.S_ISLNK(state.st_mode):
        return "link", 0, os.fsencode(path.readlink())
    if stat.S_ISDIR(state.st_mode):
        return "folder", stat.S_IMODE(state.st_mode), b""
    return "file", stat.S_IMODE(state.st_mode), path.read_bytes()
