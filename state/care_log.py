"""A whole `events.db` that may be damaged, looked at as a copy: what is wrong with it, and what it should be."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from stretto.state import care_events, care_live, places
from stretto.state.care_events import Events, Stories
from stretto.state.care_finding import Finding, lost
from stretto.state.care_live import Live
from stretto.state.care_picture import open_picture, picture
from stretto.state.care_right import Right
from stretto.state.care_rows import Table, tables
from stretto.state.errors import StoreDamaged
from stretto.state.reader import damaged
from stretto.state.schema import APPLICATION_ID, VERSION
from stretto.state.tide import mark

_BACKUP = "Put a backup of the store back"
_GO_ON = "`stretto store repair` goes on with what is there"
_MOST_COMPLAINTS = 100


class Survey(NamedTuple):
    """Everything that was seen of a log. `connection` is to the copy, open for the time of the block.

    `marked` is how many commits it must have seen.
    """

    connection: sqlite3.Connection
    tables: dict[str, Table]
    events: Events
    stories: Stories
    live: Live
    findings: tuple[Finding, ...]
    rows: dict[str, int]
    marked: int

    @property
    def damaged(self) -> bool:
        """Whether anything needs repair."""
        return any(f.damaged for f in self.findings)


@contextmanager
def surveyed(directory: Path, *, locked: bool = False) -> Generator[Survey]:
    """Look at the log of a store, through a copy. `locked` says that the caller keeps writers out already.

    Raises:
        StoreDamaged: It cannot be read at all, is of a newer Stretto, or is another program's.
        StrettoError: It cannot be copied.
    """
    path = directory / places.EVENTS
    marked = mark(str(path))
    with (
        picture(path, None if locked else path.with_suffix(".lock")) as copy,
        closing(_opened(copy, path)) as connection,
        closing(Right(connection)) as right,
    ):
        try:
            found = _survey(connection, path, right, marked)
        except sqlite3.Error as error:
            raise unreadable(path, str(error)) from error
        yield found


def unreadable(path: Path, why: str) -> StoreDamaged:
    """The error for a file of which nothing can be read."""
    return StoreDamaged(
        f"Nothing can be read of {str(path)!r}: {why}. It was not touched.",
        next_steps=(f"{_BACKUP}, or move the store away and start anew.",),
    )


def _opened(copy: Path, path: Path) -> sqlite3.Connection:
    try:
        return open_picture(copy)
    except sqlite3.Error as error:
        raise unreadable(path, str(error)) from error


def _survey(connection: sqlite3.Connection, path: Path, right: Right, marked: int) -> Survey:
    header, structure = _header(connection, path), _structure(connection)
    found = tables(connection)
    if not {"events", "workflows", "attempts", "outcomes"} <= found.keys():
        raise damaged(str(path), "it is not an event log of Stretto's")
    events = care_events.survey(connection, found["events"])
    aside = right if structure else None
    stories = care_events.stories(connection, found["events"], events, right if events.findings else aside)
    complete = not events.lost and not any(f.kind == "page" for f in events.findings)
    live = care_live.survey(connection, found, stories, aside, complete=complete, marked=marked)
    counts = {"events": events.read, **live.counts}
    gone = lost(places.EVENTS, live.commits, marked, _GO_ON)
    findings = (*header, *structure, *gone, *events.findings, *live.findings)
    return Survey(connection, found, events, stories, live, findings, counts, marked)


def _header(connection: sqlite3.Connection, path: Path) -> list[Finding]:
    ((application,),) = connection.execute("PRAGMA application_id").fetchall()
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    if version > VERSION:
        raise StoreDamaged(
            f"{str(path)!r} was written by a newer Stretto, or its first page is damaged: its schema is {version}, this"
            f" one knows {VERSION}. It was not touched.",
            next_steps=("Upgrade Stretto, or put a backup of the store back.",),
        )
    cure = "`stretto store repair` writes it anew"
    wrong: list[Finding] = []
    if application != APPLICATION_ID:
        why = f"its mark is {application:#x} and not Stretto's"
        wrong.append(Finding("page", places.EVENTS, "application_id", why, cure))
    if version < 1:
        wrong.append(Finding("page", places.EVENTS, "user_version", f"its schema is {version}, which never was", cure))
    return wrong


def _structure(connection: sqlite3.Connection) -> list[Finding]:
    """What SQLite itself says of pages and indexes."""
    try:
        told = connection.execute(f"PRAGMA integrity_check({_MOST_COMPLAINTS})").fetchall()
    except sqlite3.Error as error:
        told = [(str(error),)]
    cure = "`stretto store repair` builds the file anew from what can be read"
    lines = [line for (text,) in told for line in str(text).splitlines() if line != "ok"]
    return [Finding("page", places.EVENTS, "", line, cure) for line in lines if not line.startswith("*** in database")]
