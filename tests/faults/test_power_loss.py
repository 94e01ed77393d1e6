"""The power is cut after each call: one run is recorded, and the disk as it may be then is made of its trace."""

import shutil
from pathlib import Path
from random import Random
from typing import Any, get_args

import pytest

from tests.faults.disk import Disk, Luck
from tests.faults.forks import Forks
from tests.faults.life import acknowledged, behind, hold, look
from tests.faults.shim import CHANGES, Call, Fault, read_trace
from tests.faults.tally import Ledger, times

pytestmark = pytest.mark.slow

KILLED_AT = 333
STRIDES = {"power": (211, 4), "process": (83, 2)}
PROMISES = {
    "power": "all that was acknowledged is there, at most one step more, no half step; then it ends as if undisturbed",
    "process": "the last steps may be lost, of the log and of the checkpoints apart; what is left is whole",
}


def recorded(forks: Forks, tmp_path: Path, durability: str) -> list[Call]:
    """A life of a store that is killed once and taken up again."""
    project, trace, acks = tmp_path / "disk", tmp_path / "trace", tmp_path / "acks"
    project.mkdir()
    asked: dict[str, Any] = {"durability": durability, "trace": trace, "acks": acks}
    assert forks.do("live", project, Fault("kill", CHANGES, KILLED_AT), **asked) == -9
    assert forks.do("live", project, **asked) == 0, forks.why()
    return read_trace(trace)


def boot_anew(project: Path) -> None:
    """A mark of commits that were not synced holds for the boot in which it was made, which this one is not."""
    for mark in project.rglob("*.tide"):
        if b"synced" not in mark.read_bytes():
            mark.unlink()


@pytest.mark.parametrize("durability", ["power", "process"])
def test_the_power_is_cut_after_any_call(
    forks: Forks, undisturbed: tuple[Any, ...], tmp_path: Path, ledger: Ledger, durability: str
) -> None:
    nth = {4: "4th", 2: "2nd"}[STRIDES[durability][1]]
    row = ledger.tally(
        f"power cut after each {nth} call, with durability `{durability}`; of what was not synced, nothing, or only"
        " names, or random sectors came to the disk",
        PROMISES[durability],
    )
    calls, chance = recorded(forks, tmp_path, durability), Random(4)
    disk, said, lost = Disk(tmp_path / "disk"), b"", 0
    for number, call in enumerate(calls, 1):
        if call.kind == "a":
            said += call.data
        else:
            disk.call(call)
        if number % times(*STRIDES[durability]):
            continue
        for luck in get_args(Luck):
            after = tmp_path / "after"
            shutil.rmtree(after, ignore_errors=True)
            disk.cut(after, luck, chance)
            boot_anew(after)
            with row.injection():
                found, promised = look(after), acknowledged(said)
                (hold if durability == "power" else behind)(found, promised)
                lost = max(lost, promised.get("number", 0) - found.number)
                if luck == "some":
                    assert forks.do("live", after, durability=durability) == 0, forks.why()
                    end = look(after).lasting()
                    assert durability == "process" or end == undisturbed
    row.figure("steps lost, most", f"{lost}")
