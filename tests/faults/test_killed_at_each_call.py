"""SIGKILL at every system call that changes the store: in its life, when it is taken up again, while it migrates."""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults import migrating
from tests.faults.forks import Forks
from tests.faults.life import acknowledged, hold, look
from tests.faults.shim import CHANGES, Fault, read_trace
from tests.faults.tally import Ledger, Tally, times

pytestmark = pytest.mark.slow

KINDS = {
    "write": "w",
    "pwrite64": "w",
    "ftruncate": "t",
    "fsync": "s",
    "fdatasync": "s",
    "renameat": "r",
    "unlinkat": "u",
}
KEPT = "all that was acknowledged is there, at most one step more, no half step; then it ends as if undisturbed"


def sudden(ledger: Ledger) -> Tally:
    return ledger.tally(
        "SIGKILL at each system call that changes the store (`process`), in the middle of each 7th write (`power`)",
        KEPT,
    )


@pytest.mark.parametrize(
    ("action", "durability", "few", "many"), [("kill", "process", 61, 1), ("torn", "power", 211, 7)]
)
def test_a_kill_at_any_call_loses_nothing_acknowledged_and_leaves_no_half_step(
    forks: Forks,
    undisturbed: tuple[Any, ...],
    tmp_path: Path,
    ledger: Ledger,
    action: str,
    durability: str,
    few: int,
    many: int,
) -> None:
    row = sudden(ledger)
    project, acks = tmp_path / "project", tmp_path / "acks"
    number = 1
    while code := forks.do("live", project, Fault(action, CHANGES, number), durability=durability, acks=acks):
        with row.injection():
            assert code == -9, forks.why()
            hold(look(project), acknowledged(acks.read_bytes()))
            assert forks.do("live", project, durability=durability) == 0, forks.why()
            assert look(project).lasting() == undisturbed
        shutil.rmtree(project)
        acks.unlink()
        number += times(few, many)
    assert number > 200


def test_no_call_that_changes_the_store_escapes_the_enumeration(shim: Path, tmp_path: Path, ledger: Ledger) -> None:
    """strace, which sees system calls where they enter the kernel, counts the same as the library does."""
    seen, project, trace = tmp_path / "strace", tmp_path / "project", tmp_path / "trace"
    if not shutil.which("strace") or subprocess.run(["strace", "-qq", "-o", seen, "true"], check=False).returncode:
        sudden(ledger).figure("strace counts the same calls", "unknown: it may not run here")
        pytest.skip("strace is not there, or ptrace is not allowed")
    watched = "trace=file,desc"
    forks = Forks(shim, tmp_path, "strace", "-f", "-y", "-qq", "-s", "0", "-e", watched, "-o", str(seen))
    assert forks.do("live", project, trace=trace) == 0, forks.why()
    forks.close()

    told = Counter(call.kind for call in read_trace(trace) if call.kind in "wtsru")
    found = Counter(KINDS.get(name, name) for name in changing_calls(seen.read_text("utf-8", "replace"), str(project)))
    assert dict(found) == dict(told)
    sudden(ledger).figure("strace counts the same calls", "yes")


def changing_calls(lines: str, project: str) -> list[str]:
    """The names of the calls on the store that change what lies there."""
    harmless = re.compile(
        r"open|close|p?read|lseek|stat|access|fcntl|flock|mmap|f?ch(mod|own)|getdents|ioctl|utimensat|mkdir"
    )
    calls = [re.match(r"\d+ +(\w+)\(", line) for line in lines.splitlines() if project in line and " = -1 " not in line]
    return [call[1] for call in calls if call and not harmless.search(call[1])]


def copy(project: Path, there: Path) -> Path:
    """A copy is looked at where looking would recover the store itself, before it is killed again."""
    shutil.rmtree(there, ignore_errors=True)
    return Path(shutil.copytree(project, there))


@pytest.mark.parametrize("crash", [70, 300, 450])
def test_recovery_may_be_killed_at_any_call_three_times_over(
    forks: Forks, undisturbed: tuple[Any, ...], tmp_path: Path, ledger: Ledger, crash: int
) -> None:
    row = ledger.tally(
        "SIGKILL at each system call of taking the store up again after a kill, three times in a row", KEPT
    )
    base, project, acks = tmp_path / "base", tmp_path / "project", tmp_path / "acks"
    assert forks.do("live", base, Fault("kill", CHANGES, crash), durability="process", acks=acks) == -9
    before = acks.read_bytes()
    number, codes = 1, [-9]
    while codes[0] == -9:
        copy(base, project)
        acks.write_bytes(before)
        codes.clear()
        for further in range(3):
            fault = Fault("kill", CHANGES, number + further)
            codes.append(forks.do("live", project, fault, durability="process", acks=acks))
            if codes[-1] == -9:
                with row.injection():
                    hold(look(copy(project, tmp_path / "copy")), acknowledged(acks.read_bytes()))
        assert set(codes) <= {-9, 0}, forks.why()
        assert forks.do("live", project, durability="process") == 0, forks.why()
        assert look(project).lasting() == undisturbed
        number += times(180, 3)


def test_a_migration_may_be_killed_at_any_call_three_times_over(forks: Forks, tmp_path: Path, ledger: Ledger) -> None:
    row = ledger.tally(
        "SIGKILL at each system call of the migration of an old store, and of what comes after, three times in a row",
        "in the end it holds what it does after an undisturbed migration",
    )
    base, project = tmp_path / "base", tmp_path / "project"
    migrating.first_release(base)
    undisturbed = migrating.look(copy(base, project))
    number, codes = 1, [-9]
    while codes[0] == -9:
        copy(base, project)
        codes.clear()
        for further in range(3):
            fault = Fault("kill", CHANGES, number + further)
            codes.append(forks.do("migrate", project, fault, durability="process"))
            if codes[-1] == -9:
                with row.injection():
                    assert migrating.look(copy(project, tmp_path / "copy")) == undisturbed
        assert set(codes) <= {-9, 0}, forks.why()
        number += times(90, 2)
    assert number > 80
