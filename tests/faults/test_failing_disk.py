"""The disk is full, or fails, from the n-th call on: what is said then, what can be read, and what heals."""

import errno
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.faults.disk import Disk
from tests.faults.forks import Forks
from tests.faults.life import acknowledged, hold, look
from tests.faults.shim import Call, Fault, read_trace
from tests.faults.tally import Ledger, times

pytestmark = pytest.mark.slow

GROWING = "cwtrm"
"""The calls that may need space."""


@pytest.mark.parametrize("action", ["fail", "short"])
def test_a_disk_that_is_full_is_told_and_heals_when_there_is_space(
    forks: Forks, undisturbed: tuple[Any, ...], tmp_path: Path, ledger: Ledger, action: str
) -> None:
    row = ledger.tally(
        "disk full (ENOSPC) from each call on that may need space, and half a write before",
        "an error that says so and what to do; nothing acknowledged is lost; what is there can be read; with space it"
        " goes on and ends as if undisturbed",
    )
    project, acks = tmp_path / "project", tmp_path / "acks"
    number, ends = 1, 0
    while ends < 3:
        project.mkdir()
        acks.write_bytes(b"")
        fault = Fault(action, GROWING, number, number=errno.ENOSPC)
        code = forks.do("live", project, fault, durability="process", acks=acks)
        said = acknowledged(acks.read_bytes())
        ends = 0 if code else ends + 1
        with row.injection():
            assert code in (0, 1), forks.why()
            assert code or "released" in said
            assert not code or re.search(r"^(DiskFull|DiskFailed|StrettoError): .*(space|disk is full)", forks.why())
            seen = tmp_path / "seen"
            assert forks.do("read", project, Fault("fail", GROWING, 1, number=errno.ENOSPC), acks=seen) == 0, (
                forks.why()
            )
            assert acknowledged(seen.read_bytes()).get("number", 0) >= said.get("number", 0)
            hold(look(project), said)
            assert forks.do("live", project, durability="process") == 0, forks.why()
            assert look(project).lasting() == undisturbed
        seen.unlink()
        shutil.rmtree(project)
        number += times(101, 1)


def lives(forks: Forks, project: Path, tmp_path: Path, fault: Fault, work: str) -> tuple[int, list[Call], list[Call]]:
    """A life whose disk fails once, and one that takes it up: how the first ended, and the calls of both."""
    project.mkdir()
    acks = tmp_path / "acks"
    code = forks.do(work, project, fault, acks=acks, trace=tmp_path / "first")
    assert code in (-9, 0, 1), forks.why()
    assert code != 1 or re.match(r"(DiskFull|DiskFailed|StrettoError): ", forks.why()), forks.why()
    assert forks.do("live", project, acks=acks, trace=tmp_path / "second") == 0, forks.why()
    return code, read_trace(tmp_path / "first"), read_trace(tmp_path / "second")


@pytest.mark.parametrize(
    ("work", "ops", "few", "many"), [("defy", "w", 401, 13), ("defy", "s", 40, 1), ("die", "s", 40, 1)]
)
def test_what_a_failing_disk_did_not_keep_was_never_acknowledged(
    forks: Forks,
    undisturbed: tuple[Any, ...],
    tmp_path: Path,
    ledger: Ledger,
    work: str,
    ops: str,
    few: int,
    many: int,
) -> None:
    """The kernel drops what it could not write, and the next sync succeeds: only a power cut shows what is missing."""
    row = ledger.tally(
        "EIO once at each write (each 13th) and each sync, after which the kernel forgets what it could not write; the"
        " process tries again, or is killed at once; later the power is cut",
        "no acknowledgement after a failed write or sync, the process writes no more, and all that was acknowledged"
        " before and after is there",
    )
    project, number, ends = tmp_path / "project", 1, 0
    while ends < 3:
        fault = Fault("fail", ops, number, number, errno.EIO)
        with row.injection():
            code, first, second = lives(forks, project, tmp_path, fault, work)
            ends = 0 if any(call.failed for call in first) else ends + 1
            if code:
                assert_stopped(first)
            assert look(project).lasting() == undisturbed
            cut_now_and_then((*first, *second), Disk(project), tmp_path / "after")
        for left in ("first", "second", "acks"):
            (tmp_path / left).unlink()
        shutil.rmtree(project)
        number += times(few, many)


def assert_stopped(calls: list[Call]) -> None:
    """Of the file that failed, the log or the checkpoints, nothing was acknowledged any more, though it was tried."""
    failed = next(place for place, call in enumerate(calls) if call.failed)
    own = b"checkpoint" if "/checkpoints/" in calls[failed].path else b"number"
    assert not [call for call in calls[failed:] if call.kind == "a" and call.data.startswith(own)]


def cut_now_and_then(calls: Iterable[Call], disk: Disk, after: Path) -> None:
    """At every fifth acknowledgement the power is cut."""
    said: list[bytes] = []
    for call in calls:
        if call.kind == "a":
            said.append(call.data)
            if len(said) % 5 == 0:
                shutil.rmtree(after, ignore_errors=True)
                disk.cut(after, "nothing", Random(0))
                hold(look(after), acknowledged(b"".join(said)))
        else:
            disk.call(call)
