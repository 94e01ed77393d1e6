"""Backing a store up while it is in use, and seeing that what was copied is whole."""

import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from stretto.state import care_check, care_checkpoints, ours, places, store
from stretto.state.care_files import UNDO
from stretto.state.care_finding import Report
from stretto.state.errors import BadInput, StrettoError
from stretto.state.opening import tidy
from stretto.state.reader import connect, explain

ARCHIVES = (".tar", ".tar.gz", ".tgz")
FOLDERS = (store.LOGS, UNDO, "shadow")
"""Plain files that a backup holds beside the two databases. Worktrees, locks and caches are made anew."""
_PATIENCE_SECONDS = 30.0


class Backup(NamedTuple):
    """Where a backup lies, how large it is, and what a check of the copy found."""

    path: Path
    size: int
    report: Report


def backup(directory: Path, target: Path) -> Backup:
    """Copy a store to `target`, a new folder or a new archive, and check the copy, every checkpoint too.

    The checkpoints are copied first: of the two, the log may be ahead, as after a crash, and never behind.

    Raises:
        BadInput: There is no store, or something is at `target` already; nothing was written.
        StoreDamaged: SQLite cannot copy the log or the checkpoints.
        StrettoError: The target cannot be written; what was begun there is taken away.
    """
    if not (directory / places.EVENTS).exists():
        raise BadInput(f"There is no store in {str(directory)!r}; nothing was written.", field="store")
    packed = target.name.endswith(ARCHIVES)
    if target.exists() and (packed or not target.is_dir() or any(target.iterdir())):
        raise BadInput(
            f"{str(target)!r} is there already; nothing was written.",
            field="target",
            next_steps=("Name a new folder, or a new file that ends in .tar, .tar.gz or .tgz.",),
        )
    if target.resolve().is_relative_to(directory.resolve()):
        raise BadInput(f"{str(target)!r} lies in the store itself; nothing was written.", field="target")
    try:
        return _backed_up(directory, target, packed=packed)
    except OSError as error:
        raise StrettoError(f"Cannot write the backup {str(target)!r}: {error.strerror or error}.") from error


def _backed_up(directory: Path, target: Path, *, packed: bool) -> Backup:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".stretto-backup-", dir=target.parent) as name:
        part = Path(name, "store")
        part.mkdir(mode=0o700)
        _fill(directory, part)
        report = care_check.check(part, deep=True)
        if packed:
            part = _packed(part, plain=target.suffix == ".tar")
        if target.is_dir():
            target.rmdir()
        _settle(part)
        part.rename(target)
    return Backup(target, size_of(target), report)


def _fill(directory: Path, part: Path) -> None:
    cache = directory / store.CHECKPOINTS / care_checkpoints.CACHE
    if cache.exists():
        (part / store.CHECKPOINTS).mkdir(mode=0o700)
        _copy(cache, part / store.CHECKPOINTS / care_checkpoints.CACHE)
    _copy(directory / places.EVENTS, part / places.EVENTS)
    if (directory / ours.MARK).exists():  # put back on this machine, it is still this user's
        shutil.copyfile(directory / ours.MARK, part / ours.MARK)
        (part / ours.MARK).chmod(0o600)
    for name in FOLDERS:
        if (directory / name).is_dir():
            shutil.copytree(directory / name, part / name, symlinks=True)


def _copy(source: Path, target: Path) -> None:
    """Through SQLite's own way of copying what is written to meanwhile. Looks at no row: damage is copied, too."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with (
            closing(connect(str(source.absolute()), "ro", _PATIENCE_SECONDS)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)
    except sqlite3.Error as error:
        raise explain(error, str(source)) from error
    finally:
        _tidy(source)


def _tidy(source: Path) -> None:
    """Take away the empty files that reading a database at rest leaves beside it; see `opening.tidy`."""
    if source.name == places.EVENTS:
        tidy(str(source))
        return
    with suppress(OSError, sqlite3.Error):
        if not source.with_name(f"{source.name}-wal").stat().st_size:
            with closing(connect(str(source.absolute()), "rw", 0.0)) as connection:
                connection.execute("PRAGMA user_version").fetchall()


def _packed(part: Path, *, plain: bool) -> Path:
    archive = part.with_name("store.tar")
    with tarfile.open(archive, "w:") if plain else tarfile.open(archive, "w:gz") as tar:
        tar.add(part, arcname="store")
    archive.chmod(0o600)
    return archive


def _settle(path: Path) -> None:
    """Have it on the disk before it gets its name."""
    for file in (path, *path.rglob("*")) if path.is_dir() else (path,):
        if file.is_symlink():
            continue
        handle = os.open(file, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def size_of(path: Path) -> int:
    """The bytes that a file or a folder takes on the disk."""
    return sum(state.st_blocks * 512 for state in _states(path))


def _states(path: Path) -> Iterator[os.stat_result]:
    if path.is_symlink() or not path.is_dir():
        if path.is_symlink() or path.exists():
            yield path.lstat()
        return
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            try:
                yield Path(folder, name).lstat()
            except FileNotFoundError:
                continue
