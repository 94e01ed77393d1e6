"""The quarantine: what a repair replaces or takes away lies there, byte for byte. Nothing is ever deleted from it."""

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from stretto.state.errors import StrettoError
from stretto.state.reader import connect
from stretto.state.tide import path_of

FOLDER = "quarantine"


def set_aside(directory: Path, path: Path) -> Path:
    """Copy a database, its WAL and its tide mark into the quarantine; return the folder, named by their content.

    Doing it again with the same content changes nothing.
    """
    beside = (path.with_name(f"{path.name}-wal"), Path(path_of(str(path))))
    sources = [source for source in (path, *beside) if source.exists()]
    digest = hashlib.sha256()
    for source in sources:
        with source.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    target = directory / FOLDER / f"{path.name}.{digest.hexdigest()[:12]}"
    if target.exists():
        return target
    part = target.with_name(f"{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a repair that was killed: the original still lies where it lay
    part.mkdir(mode=0o700, parents=True)
    for source in sources:
        shutil.copyfile(source, part / source.name)
        settle(part / source.name)
    settle(part)
    part.rename(target)
    settle(target.parent)
    return target


def move(directory: Path, path: Path) -> Path:
    """Move a file or a folder of the store into the quarantine, to the same place there; return where it is now."""
    wanted = directory / FOLDER / path.relative_to(directory)
    target, number = wanted, 1
    while os.path.lexists(target):
        number += 1
        target = wanted.with_name(f"{wanted.name}.{number}")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.rename(target)
    return target


def replace(path: Path, new: Path) -> None:
    """Put the database `new` in the place of the one at `path`, which has been set aside. All at once, or not.

    Raises:
        StrettoError: Another process has it open, and would go on writing to the old one. It is unchanged.
    """
    if path.exists():
        _bring_home(path)
    settle(new)
    new.rename(path)
    settle(path.parent)


def _bring_home(path: Path) -> None:
    """Have SQLite take the WAL in and away: one that stays would be read as a part of the new file.

    SQLite leaves it where another connection is open. What it cannot open at all has nothing to bring home.
    """
    beside = [path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm")]
    try:
        with closing(connect(str(path.absolute()), "rw", 1.0)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.DatabaseError:
        for each in beside:
            each.unlink(missing_ok=True)
    if any(each.exists() for each in beside):
        raise StrettoError(
            f"Another process has {str(path)!r} open: it would go on with the old file. Nothing was changed.",
            next_steps=("End what reads it (`stretto events --follow`, an MCP server), then try again.",),
        )


def settle(path: Path) -> None:
    """Have a file or a folder's names on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # some file systems know nothing of folders on the disk
            os.fsync(handle)
    finally:
        os.close(handle)
