"""The machine under a store: Python, SQLite, the file system, rights, room, the clock. Looked at, never changed."""

import os
import shutil
import sqlite3
import stat
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from stretto.state import places
from stretto.state.errors import StrettoError
from stretto.state.log import Log
from stretto.state.moments import moment

OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 24, 0)
WAL_RESET = ((3, 7, 0), (3, 51, 2))
"""The first and the last SQLite that can corrupt a WAL when two connections write or checkpoint in the same instant."""
NETWORK = frozenset(
    (
        *(
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "afs",
            "ncpfs",
            "9p",
            "ceph",
            "glusterfs",
            "lustre",
            "gpfs",
            "beegfs",
        ),
        *("vboxsf", "prl_fs", "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.davfs2"),
        "fuse.vmhgfs-fuse",
    )
)
"""File systems by the names that Linux gives them, on which SQLite's WAL and locks cannot be relied on."""
_MOUNTS = "/proc/self/mountinfo"
_LITTLE, _FEW = 50_000_000, 1_000_000_000
_EARLIEST = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
_AHEAD_SECONDS = 300.0


class Seen(NamedTuple):
    """One thing that was looked at. `level` is ok, note, warning or problem; `cure` says what to do about it."""

    name: str
    level: str
    what: str
    cure: str = ""


def look(directory: Path) -> list[Seen]:
    """Look at all of it, for a store that need not exist."""
    around = existing(directory)
    return [
        python(sys.version_info[:3]),
        sqlite(sqlite3.sqlite_version_info),
        file_system(around, _mounts()),
        rights(directory),
        room(shutil.disk_usage(around).free),
        clock(time.time(), _newest(directory)),
    ]


def existing(path: Path) -> Path:
    """The nearest folder above that is there."""
    return next(p for p in (path.absolute(), *path.absolute().parents) if p.is_dir())


def python(version: tuple[int, ...]) -> Seen:
    """Whether this Python is one of ours."""
    told = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return Seen("python", "problem", f"{told} is too old", "Install Python 3.11 or newer.")
    return Seen("python", "ok", f"{told}, {sys.executable}")


def sqlite(version: tuple[int, ...]) -> Seen:
    """Which SQLite Python has brought, and what is known to be wrong with it."""
    told = ".".join(map(str, version))
    if version < OLDEST_SQLITE:
        return Seen("sqlite", "problem", f"{told} is too old", "Use a Python with SQLite 3.24 or newer.")
    if WAL_RESET[0] <= version <= WAL_RESET[1]:
        what = (
            f"{told} has the WAL-reset bug (3.7.0 to 3.51.2): two that write or checkpoint in the same instant can"
            " damage a WAL. Writers take turns here, by events.lock and write.lock; the checkpoints, which workflows"
            " that are driven at once share, are opened and closed without it"
        )
        return Seen("sqlite", "note", what, "A Python with SQLite 3.51.3 or newer has it not.")
    return Seen("sqlite", "ok", told)


def file_system(path: Path, mounts: str) -> Seen:
    """What the store lies on. `mounts` is the text of `mountinfo`; empty where the system has none."""
    kind = mounted(path.resolve(), mounts)
    if not kind:
        what = f"{path}: this system does not tell its kind"
        return Seen("file system", "note", what, "If it is a network share, move the store: --store or STRETTO_STORE.")
    if kind in NETWORK:
        what = f"{path} is on a network file system ({kind}): SQLite's locks and WAL do not hold there"
        return Seen("file system", "problem", what, "Put the store on a local disk: --store DIR or STRETTO_STORE.")
    return Seen("file system", "ok", f"{kind}, {path}")


def mounted(path: Path, mounts: str) -> str:
    """The kind of the file system that holds a resolved path; the newest mount of the longest matching place."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, told = before.split(), after.split()
        if len(fields) < 5 or not told:
            continue
        place = Path(fields[4].encode().decode("unicode_escape"))
        if path.is_relative_to(place) and len(place.parts) >= best:
            best, kind = len(place.parts), told[0]
    return kind


def _mounts() -> str:
    try:
        return Path(_MOUNTS).read_text("utf-8", "replace")
    except OSError:
        return ""


def rights(directory: Path) -> Seen:
    """Whether we may write where the store is or would be, and others may not."""
    around = existing(directory)
    if not os.access(around, os.R_OK | os.W_OK | os.X_OK):
        what = f"{around} is not writable for this user"
        return Seen("rights", "problem", what, "Make it writable, or name another store: --store DIR or STRETTO_STORE.")
    if around != directory.absolute():
        return Seen("rights", "ok", f"a store can be made in {around}")
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode & 0o077:
        return Seen(
            "rights", "warning", f"{directory} has the mode {mode:o}: others may read it", "stretto store repair"
        )
    return Seen("rights", "ok", f"{directory} is ours alone")


def room(free: int) -> Seen:
    """Whether there is room on the disk, in bytes."""
    told = f"{free / 1e9:.1f} GB free"
    if free < _LITTLE:
        return Seen("disk", "problem", told, "Free some space: stretto store prune --dry-run says what could go.")
    if free < _FEW:
        return Seen("disk", "warning", told, "stretto store prune --dry-run says what could go.")
    return Seen("disk", "ok", told)


def clock(now: float, newest: float | None) -> Seen:
    """Whether the clock can be right. `newest` is the time of the newest event, in seconds since the epoch."""
    told = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    if now < _EARLIEST:
        return Seen("clock", "warning", f"it is {told}, says this machine", "Set its clock: timestamps would mislead.")
    if newest is not None and newest > now + _AHEAD_SECONDS:
        ahead = (
            f"the newest event of the store is {newest - now:.0f} s in the future; the order of events is not harmed"
        )
        return Seen("clock", "warning", f"{told}: {ahead}", "Look whether the clock was set back.")
    return Seen("clock", "ok", told)


def _newest(directory: Path) -> float | None:
    """When the newest event was written; None where there is none, or it cannot be read: that is `check`'s to say."""
    try:
        log = Log.find(directory) if (directory / places.EVENTS).exists() else None
        if log is None:
            return None
        with log:
            events = [*log.events(after=max(log.last_seq() - 1, 0))]
        return moment(events[-1].timestamp) if events else None
    except (StrettoError, ValueError):
        return None
