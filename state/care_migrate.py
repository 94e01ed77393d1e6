"""Bringing a store up to today's schema on purpose, and saying from where to where."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from stretto.state import care_checkpoints, places, store
from stretto.state.care_drivers import driven, refuse_driven
from stretto.state.errors import NotFound
from stretto.state.log import Log
from stretto.state.opening import tidy
from stretto.state.reader import connect, explain


class Migrated(NamedTuple):
    """The schema of the log before and after, how many events were verified first, and the checkpoints' format."""

    before: int
    after: int
    events: int
    formats: tuple[int, int] | None


def migrate(directory: Path) -> Migrated:
    """Bring a store up; one of today's schema is left as it is.

    Each step is one transaction: a killed migration leaves a whole version, and the next one goes on from there.

    Raises:
        WorkflowDriven: A driver lives, perhaps of the Stretto that knows the older schema; nothing was changed.
        StoreDamaged: The log is another program's, a newer Stretto's, or damaged; it was not touched.
        NotFound: There is no store.
    """
    log = Log.find(directory)
    if log is None:
        raise NotFound(f"There is no store in {str(directory)!r}.", field="store")
    with log:
        leases = [lease for row in log.workflows() if (lease := log.lease(row.id))]
        refuse_driven(driven(directory, leases), "a migration")
        events = log.verify()
    before = _version(directory / places.EVENTS)
    with Log.open(directory):
        pass  # whoever opens it for writing brings it up
    formats = care_checkpoints.bring_up(directory / store.CHECKPOINTS)
    return Migrated(before, _version(directory / places.EVENTS), events, formats)


def _version(path: Path) -> int:
    try:
        with closing(connect(str(path.absolute()), "ro", 10.0)) as connection:
            ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    except sqlite3.Error as error:
        raise explain(error, str(path)) from error
    finally:
        tidy(str(path))
    return int(version)
