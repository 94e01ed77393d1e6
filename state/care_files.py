"""What lies around the log in a store: who may read it, what the dead have left, what the log knows nothing of."""

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from stretto.state import places, store
from stretto.state.care_drivers import LOCKS
from stretto.state.care_finding import Finding
from stretto.state.care_fold import Story
from stretto.state.ids import file_name

UNDO = "undo"
OVER = frozenset({"COMPLETED", "CANCELLED", "ARCHIVED"})
"""Statuses of workflows that can neither run nor be resumed."""
_CLEARED = "`stretto store repair` moves it to `quarantine/`"


def survey(
    directory: Path, statuses: Mapping[str, str], story: Callable[[str], Story | None], driven: Iterable[str]
) -> Iterator[Finding]:
    """Look at the files of a store. `statuses` are by workflow; `story` is what the log tells of one."""
    yield from _permissions(directory)
    yield from _left_by_the_dead(directory, busy=bool([*driven]))
    for folder in (places.WORK, store.LOGS, UNDO):
        yield from _of_nobody(directory, folder, statuses)
    yield from _locks(directory, statuses)
    yield from _worktrees(directory, statuses)
    yield from _unknown_attempts(directory, statuses, story)


def _permissions(directory: Path) -> Iterator[Finding]:
    for path, right in ((directory, 0o700), (directory / places.EVENTS, 0o600), (directory / store.CHECKPOINTS, 0o700)):
        if path.exists() and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
            name = "." if path == directory else path.name
            why = f"others may get at it: its mode is {mode:o} and should be {right:o}"
            yield Finding("permission", name, "", why, "`stretto store repair` sets it", damaged=False)


def _left_by_the_dead(directory: Path, *, busy: bool) -> Iterator[Finding]:
    wal = directory / f"{places.EVENTS}-wal"
    if not busy and wal.exists() and wal.stat().st_size:
        why = "a writer that died, or ended while somebody read, left its last writes here; they are counted in"
        yield Finding("wal", wal.name, "", why, "The next one to write brings them home", damaged=False)
    for path in sorted(directory.glob("events.new*")):
        why = "whoever was making the log died over it"
        yield Finding("leftover", path.name, "", why, "The next one who makes it begins anew", damaged=False)


def _of_nobody(directory: Path, folder: str, statuses: Mapping[str, str]) -> Iterator[Finding]:
    for path in sorted((directory / folder).glob("*")):
        if path.name.removesuffix(".new") not in statuses:
            why = "the log knows no such workflow"
            yield Finding("leftover", folder, path.name, why, _CLEARED, damaged=False)


def _locks(directory: Path, statuses: Mapping[str, str]) -> Iterator[Finding]:
    for path in sorted((directory / LOCKS).glob("*-*")):
        if path.name.partition("-")[2] not in statuses:
            why = "it is the lock of a workflow that the log does not know"
            yield Finding("leftover", LOCKS, path.name, why, _CLEARED, damaged=False)


def _worktrees(directory: Path, statuses: Mapping[str, str]) -> Iterator[Finding]:
    for path in sorted((directory / places.WORK).glob("*")):
        if statuses.get(path.name) in OVER:
            why = f"the worktrees of a workflow that is {statuses[path.name]}"
            yield Finding("leftover", places.WORK, path.name, why, "`stretto store prune` removes them", damaged=False)


def _unknown_attempts(
    directory: Path, statuses: Mapping[str, str], story: Callable[[str], Story | None]
) -> Iterator[Finding]:
    """An agent's log is begun after its attempt is stored. One without the other: the log of events was set back."""
    for workflow in sorted(path.name for path in (directory / store.LOGS).glob("*") if path.name in statuses):
        told = story(workflow)
        if told is None or not told.whole:
            continue  # the event of the attempt may be what is lost
        known = {f"{file_name(task)}.{number}.jsonl" for task, number in told.attempts}
        for path in sorted((directory / store.LOGS / workflow).glob("*.jsonl")):
            if path.name not in known:
                why = "the event log does not know this attempt: it is older than the rest of the store, or lost writes"
                yield Finding(
                    "older",
                    f"{store.LOGS}/{workflow}",
                    path.name,
                    why,
                    "Put the newest copy of events.db back; or `stretto store repair` goes on without",
                )
