"""Repairing a store. What is replaced or taken away is kept in its quarantine, and every single change is said.

The order makes a kill harmless at any moment: everything new is built aside; then the log is replaced, with the event
that tells of all changes in it; then the checkpoints; then files are moved. Until a step is done the next repair finds
the same damage again.
"""

import os
import shutil
import stat
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from stretto.state import care_check, care_checkpoints, care_quarantine, care_rebuild, places, store
from stretto.state.care_checkpoints import CACHE, Unreadable
from stretto.state.care_drivers import driven, refuse_driven
from stretto.state.care_finding import Finding
from stretto.state.care_log import Survey, surveyed
from stretto.state.care_picture import picture
from stretto.state.errors import StrettoError
from stretto.state.gate import held, open_gate
from stretto.state.log import Log
from stretto.state.tide import check_tide, mark, path_of

_PARTS = "repair.part"
_MOVED = frozenset({"leftover", "older"})


class Repaired(NamedTuple):
    """What was done, or would be: one line for each change; the event of it; and where the old files lie."""

    actions: tuple[str, ...]
    event: str
    quarantine: Path | None


class _Plan(NamedTuple):
    """What there is to do. `checkpoints` is the new file of theirs, if there is to be one, or where none is."""

    survey: Survey
    files: tuple[Finding, ...]
    checkpoints: Path | None
    actions: tuple[str, ...]

    @property
    def rebuilds(self) -> bool:
        """Whether the log must be written anew: for its own sake, or to tell of new checkpoints in the same moment."""
        return self.survey.damaged or self.checkpoints is not None


def repair(directory: Path, *, dry_run: bool) -> Repaired:
    """Put a store right, as far as it can be, or say what would be done.

    Raises:
        WorkflowDriven: A driver lives; nothing was changed.
        StoreDamaged: Nothing can be read of the log, or it is not ours; nothing was changed.
        StrettoError: Another process has a file open, or the disk refused. What is done already is told in the log.
    """
    path = str(directory / places.EVENTS)
    if not (directory / places.EVENTS).exists():
        check_tide(path, mark(path), 0)
    try:
        with _alone(directory), _planned(directory, dry_run=dry_run) as plan:
            if dry_run or not plan.actions:
                return Repaired(plan.actions, "", None)
            if plan.rebuilds:
                event = _replace(directory, plan)
                _tidy(directory, plan.files)
                return Repaired(plan.actions, event, directory / care_quarantine.FOLDER)
        return _only_tidy(directory, plan)
    except OSError as error:
        raise StrettoError(f"The store cannot be repaired: {error.strerror or error}. What it held is safe.") from error


@contextmanager
def _alone(directory: Path) -> Generator[None]:
    """Keep writers out."""
    gate = open_gate(str((directory / places.EVENTS).with_suffix(".lock")))
    try:
        with held(gate, str(directory / places.EVENTS)):
            yield
    finally:
        os.close(gate)


@contextmanager
def _planned(directory: Path, *, dry_run: bool) -> Generator[_Plan]:
    with ExitStack() as stack:
        if not dry_run:
            shutil.rmtree(directory / _PARTS, ignore_errors=True)
            stack.callback(shutil.rmtree, directory / _PARTS, ignore_errors=True)
        survey = stack.enter_context(surveyed(directory, locked=True))
        refuse_driven(driven(directory, care_check.leases(survey)), "a repair")
        files = tuple(care_check.around(directory, survey))
        new, said = _new_checkpoints(directory, stack, dry_run=dry_run)
        actions = (*care_rebuild.actions(survey), *said, *(_told(f) for f in files if _cured(f)))
        yield _Plan(survey, files, new, actions)


def _new_checkpoints(directory: Path, stack: ExitStack, *, dry_run: bool) -> tuple[Path | None, list[str]]:
    """Build the checkpoints anew, aside, if any are damaged; say what changes. No file: all of them are set aside."""
    cache = directory / store.CHECKPOINTS / CACHE
    marked = mark(str(cache))
    if not cache.exists():
        return (cache, ["checkpoints are gone: all threads begin anew"]) if marked else (None, [])
    copy = stack.enter_context(picture(cache))
    try:
        looked = care_checkpoints.heal(copy, marked)
    except Unreadable as error:
        return copy.with_name("none"), [f"all checkpoints were set aside: {error.message}"]
    if looked.healed is None or dry_run:
        return looked.healed, [*looked.said]
    new = directory / _PARTS / CACHE
    new.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(looked.healed, new)
    new.chmod(0o600)
    return new, [*looked.said]


def _cured(finding: Finding) -> bool:
    """Whether a repair does something about a file."""
    return finding.kind == "permission" or (finding.kind in _MOVED and "repair" in finding.cure)


def _told(finding: Finding) -> str:
    place = f"{finding.where}/{finding.key}".rstrip("/")
    if finding.kind == "permission":
        return f"{place} was closed to others"
    return f"{place} was moved to the quarantine: {finding.why}"


def _replace(directory: Path, plan: _Plan) -> str:
    """Put the new log in place, and then the new checkpoints."""
    aside = directory / _PARTS / "log"
    shutil.rmtree(aside, ignore_errors=True)
    log = directory / places.EVENTS
    kept = [care_quarantine.set_aside(directory, log)]
    cache = directory / store.CHECKPOINTS / CACHE
    if plan.checkpoints is not None:
        kept.append(care_quarantine.set_aside(directory, cache))
    details = {"quarantine": [str(path.relative_to(directory)) for path in kept]}
    try:
        event = care_rebuild.build(plan.survey, aside, plan.actions, details)
        with surveyed(aside) as again:
            if again.damaged:
                raise StrettoError(
                    f"The repaired log would be damaged: {again.findings[0].line()}. Nothing was changed."
                )
        care_quarantine.replace(log, aside / places.EVENTS)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    if plan.checkpoints is not None:
        _replace_checkpoints(plan.checkpoints, cache)
    return event


def _replace_checkpoints(new: Path, cache: Path) -> None:
    if new.exists():
        care_quarantine.replace(cache, new)
        return
    Path(path_of(str(cache))).unlink(missing_ok=True)  # first: what is gone and marked is refused
    for end in ("", "-wal", "-shm"):  # nothing of them can be read, and they are set aside
        cache.with_name(f"{cache.name}{end}").unlink(missing_ok=True)


def _tidy(directory: Path, files: Sequence[Finding]) -> None:
    for finding in filter(_cured, files):
        path = directory / finding.where / finding.key if finding.key else directory / finding.where
        if finding.kind == "permission":
            path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o700)
        elif path.exists():
            care_quarantine.move(directory, path)


def _only_tidy(directory: Path, plan: _Plan) -> Repaired:
    """The log is sound, and only has to tell of it: before it is done, so that a kill makes no change unsaid."""
    with Log.open(directory) as log, log.write() as tx:
        event = care_rebuild.say(tx, plan.actions, {"quarantine": [care_quarantine.FOLDER]})
    _tidy(directory, plan.files)
    return Repaired(plan.actions, event, directory / care_quarantine.FOLDER)
