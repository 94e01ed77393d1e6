"""A cache's file is looked at before diskcache opens it, which writes to it and does what its settings say."""

import sqlite3
from contextlib import closing
from pathlib import Path

from stretto.state.cache_tables import AHEAD, NEWEST, NUMBERS, SETTINGS
from stretto.state.errors import StoreDamaged
from stretto.state.tide import check_tide

_LARGE = 32 << 20
"""Bytes up to which a file's pages are gone through when it is opened: 5 ms for each MB."""


def wrong_format(directory: str, found: int, known: int) -> StoreDamaged:
    """The error for a store of another version of Stretto."""
    return StoreDamaged(
        f"The store in {directory!r} is of format {found}, and this version of Stretto reads format {known}. Nothing"
        " was read from it or written to it.",
        next_steps=("Use the version of Stretto that wrote it, or name another directory.",),
    )


def examine(path: str, newest: int, marked: int, patience: float) -> None:
    """Look at a file before diskcache opens it, which writes to it and does what its settings say.

    Raises:
        StoreDamaged: It is of a format after the `newest` that is known, its pages do not fit together, it has settings
            that diskcache does not make, or it is not as new as its mark.
    """
    if not Path(path).exists():
        check_tide(path, marked, 0)
        return
    half_made = Path(f"{path}-journal").exists()  # to read is to roll back; of a file that has its WAL there is none
    uri = f"{Path(path).as_uri()}?mode={'rw' if half_made else 'ro'}"
    with closing(sqlite3.connect(uri, timeout=patience, uri=True)) as connection:
        made = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "Settings" not in made:
            check_tide(path, marked, 0)
            return
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if version > newest:
            raise wrong_format(str(Path(path).parent), version, newest)
        settings = dict(connection.execute("SELECT key, value FROM Settings").fetchall())
        (pages,), (size,) = (connection.execute(f"PRAGMA page_{of}").fetchone() for of in ("count", "size"))
        said = connection.execute("PRAGMA integrity_check(1)").fetchone() if pages * size <= _LARGE else ("ok",)
        (rowid,) = connection.execute(NEWEST).fetchone() if "Cache" in made else (0,)
    strange = sorted(str(name) for name in settings if name not in SETTINGS)
    strange += [name for name in sorted(NUMBERS) if type(settings.get(name, 0)) is not int]
    if strange or said[0] != "ok":
        why = (
            f"its settings are others: {', '.join(strange)}" if strange else f"its pages do not fit together: {said[0]}"
        )
        raise StoreDamaged(
            f"The store in {str(Path(path).parent)!r} is damaged: {why}. Nothing was read from it or written to it.",
            next_steps=("Restore the folder from a backup, or move it away to begin anew.",),
        )
    check_tide(path, marked, settings.get(AHEAD, 0) + rowid)
