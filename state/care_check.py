"""Checking a store: everything in it is read, nothing is written."""

from pathlib import Path

from stretto.state import care_checkpoints, care_files, places, store
from stretto.state.care_drivers import driven
from stretto.state.care_finding import Finding, Report, lost
from stretto.state.care_log import Survey, surveyed
from stretto.state.care_rows import Hole, is_whole, scan
from stretto.state.rows import LeaseRow
from stretto.state.tide import mark


def check(directory: Path, *, deep: bool) -> Report:
    """Read the log, the checkpoints (the newest of each thread, or all if `deep`) and the folders of a store.

    Raises:
        StrettoError: There is no store, or it cannot be read for want of rights or of room.
        StoreDamaged: The log is another program's, a newer Stretto's, or nothing of it can be read.
    """
    findings: list[Finding] = []
    rows: dict[str, int] = {}
    if (directory / places.EVENTS).exists():
        with surveyed(directory) as survey:
            rows = survey.rows
            findings += survey.findings
            findings += around(directory, survey)
    elif marked := mark(str(directory / places.EVENTS)):
        findings += lost(places.EVENTS, 0, marked, "put a backup of the store in its place")
    looked = _checkpoints(directory, findings, deep=deep)
    return Report(tuple(findings), rows, looked)


def around(directory: Path, survey: Survey) -> list[Finding]:
    """What is to be said of the files around the log."""
    busy = driven(directory, leases(survey))
    return [*care_files.survey(directory, survey.live.statuses, survey.stories.get, busy)]


def leases(survey: Survey) -> list[LeaseRow]:
    """The leases of a log that are whole."""
    if "leases" not in survey.tables:
        return []
    rows = scan(survey.connection, survey.tables["leases"])
    return [LeaseRow._make(row[:-1]) for row in rows if not isinstance(row, Hole) and is_whole(row)]


def _checkpoints(directory: Path, findings: list[Finding], *, deep: bool) -> int:
    try:
        looked = care_checkpoints.look(directory / store.CHECKPOINTS, deep=deep)
    except care_checkpoints.Unreadable as error:
        cure = "`stretto store repair` sets them aside; a resume begins the graph anew, and finished tasks stay"
        findings.append(Finding("checkpoint", store.CHECKPOINTS, "", error.message, cure))
        return 0
    findings += looked.findings
    return looked.loaded
