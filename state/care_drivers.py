"""Who is at work in a store: drivers by their leases, and by the locks that they hold."""

import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from stretto.state.errors import WorkflowDriven
from stretto.state.process import Process, is_alive
from stretto.state.rows import LeaseRow

LOCKS = "locks"
_DRIVE = "drive-"


def driven(directory: Path, leases: Iterable[LeaseRow]) -> list[str]:
    """The workflows that a living process drives, or that the git commands of a dead driver still write for."""
    alive = {row.workflow_id for row in leases if not row.released and is_alive(_process(row))}
    held = {path.name.removeprefix(_DRIVE) for path in (directory / LOCKS).glob(f"{_DRIVE}*") if _is_held(path)}
    return sorted(alive | held)


def refuse_driven(names: list[str], what: str) -> None:
    """See that nobody is at work.

    Raises:
        WorkflowDriven: Somebody is.
    """
    if names:
        raise WorkflowDriven(
            f"{names[0]!r} is being driven by a living process: {what} waits for its end. Nothing was changed.",
            next_steps=(f"stretto cancel {names[0]}", "Or let it finish, then try again."),
            details={"driven": names},
        )


def _process(row: LeaseRow) -> Process:
    return Process(row.pid, row.boot, row.started, row.host)


def _is_held(path: Path) -> bool:
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
    return False
