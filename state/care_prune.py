"""Pruning: which workflows are over for long enough, and what of theirs in the store nobody needs any more.

Never one that runs or can be resumed: only COMPLETED, CANCELLED and ARCHIVED. The log keeps what happened for ever.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from stretto.state import care_checkpoints, places, store
from stretto.state.care_backup import size_of
from stretto.state.care_drivers import driven
from stretto.state.care_files import OVER, UNDO
from stretto.state.log import Log
from stretto.state.moments import moment
from stretto.state.rows import WorkflowRow

OPERATION = "store_prune"
PLACES = (store.CHECKPOINTS, store.LOGS, store.CACHE, places.WORK, UNDO)
"""Where pruning gives room back."""


class Prunable(NamedTuple):
    """A workflow that is over, and when that was, in seconds since the epoch."""

    workflow_id: str
    status: str
    ended: float


def choose(log: Log, directory: Path, *, before: float, keep: int) -> list[Prunable]:
    """The workflows that ended before a moment, oldest first; not the `keep` that ended last, and none being driven."""
    rows = log.workflows()
    busy = set(busy_in(log, directory, rows))
    found = sorted((Prunable(r.id, r.status, moment(r.updated)) for r in rows if r.status in OVER), key=_ended)
    old = found[: len(found) - keep]
    return [one for one in old if one.ended < before and one.workflow_id not in busy]


def busy_in(log: Log, directory: Path, rows: Iterable[WorkflowRow]) -> list[str]:
    """The workflows that are driven at this moment."""
    return driven(directory, [lease for row in rows if (lease := log.lease(row.id))])


def _ended(one: Prunable) -> float:
    return one.ended


def present(directory: Path, names: Sequence[str]) -> list[str]:
    """Those of the workflows of which there is something to prune."""
    threads = care_checkpoints.threads(directory / store.CHECKPOINTS)
    folders = (directory / store.LOGS, directory / places.WORK)
    return [name for name in names if name in threads or any((folder / name).exists() for folder in folders)]


def sizes(directory: Path) -> dict[str, int]:
    """The bytes on the disk of each place that pruning empties."""
    return {name: size_of(directory / name) for name in PLACES}


def delete(directory: Path, names: Sequence[str], *, undo: Iterable[str], cache: bool) -> None:
    """Delete checkpoints and agents' logs of workflows; of some what `undo` needs; the cache. Twice is like once."""
    care_checkpoints.forget(directory / store.CHECKPOINTS, names)
    for name in names:
        shutil.rmtree(directory / store.LOGS / name, ignore_errors=True)
    for name in undo:
        shutil.rmtree(directory / UNDO / name, ignore_errors=True)
    if cache:
        shutil.rmtree(directory / store.CACHE, ignore_errors=True)
