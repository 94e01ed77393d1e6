"""Eight processes that write to one log, and to one saver, at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.log import Log
from tests.faults.tally import Ledger, times

WRITERS = 8
PROMISE = "no write is lost or refused, no number is used twice or left out"
LOG = """
import json, sys, time
from pathlib import Path
from stretto.state.log import Log

folder, name, many = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
took = []
with Log.open(folder, durability="process") as log:
    for number in range(1, many + 1):
        began = time.monotonic()
        with log.write() as tx:
            total = (log.fact("shared", "total") or 0) + 1
            tx.put_fact("shared", "total", total)
            tx.event("PHASE_PROGRESS", name, "p", {"number": number, "total": total})
        took.append(time.monotonic() - began)
print(json.dumps(took))
"""
SAVER = """
import json, sys, time
from langgraph.checkpoint.base import empty_checkpoint
from stretto.state.checkpoint import DiskCacheSaver

folder, name, many = sys.argv[1], sys.argv[2], int(sys.argv[3])
took = []
with DiskCacheSaver(folder, durability="process") as saver:
    at = {"configurable": {"thread_id": "shared", "checkpoint_ns": name}}
    for number in range(1, many + 1):
        made = empty_checkpoint()
        made.update(id=f"{number:05d}", channel_values={"n": number}, channel_versions={"n": number})
        began = time.monotonic()
        at = saver.put(at, made, {"step": number}, {"n": number})
        saver.put_writes(at, [("n", number)], f"task {name}")
        took.append(time.monotonic() - began)
print(json.dumps(took))
"""


def crowd(code: str, folder: Path, many: int) -> list[float]:
    """Let all of them write `many` times; the seconds that each write took, in order of size."""
    argv = [sys.executable, "-W", "error", "-c", code, str(folder)]
    crowd = [
        subprocess.Popen([*argv, f"w{i}", str(many)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for i in range(WRITERS)
    ]
    said = [each.communicate(timeout=900) for each in crowd]
    assert [(err, each.returncode) for (_, err), each in zip(said, crowd, strict=True)] == [("", 0)] * WRITERS
    return sorted(seconds for out, _ in said for seconds in json.loads(out))


def told(took: list[float]) -> str:
    return f"{took[int(len(took) * 0.99)] * 1000:.0f} / {took[-1] * 1000:.0f} ms"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_writers_of_one_log_lose_nothing_and_leave_no_gap(tmp_path: Path, ledger: Ledger) -> None:
    tally, many = ledger.tally("8 processes write to one log", PROMISE), times(150, 5000)
    Log.open(tmp_path / "store").close()
    took = crowd(LOG, tmp_path / "store", many)
    with Log.open(tmp_path / "store") as log:
        assert log.verify() == log.last_seq() == WRITERS * many
        by_writer: dict[str, int] = {}
        for seq, event in enumerate(log.events(), 1):
            with tally.injection():
                by_writer[event.workflow_id] = by_writer.get(event.workflow_id, 0) + 1
                assert event.seq == event.data["total"] == seq
                assert event.data["number"] == by_writer[event.workflow_id]
        assert log.fact("shared", "total") == WRITERS * many
    assert took[-1] < 30, "beyond the patience of a writer"
    tally.figure("a write, p99 / longest", told(took))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_writers_of_one_saver_lose_nothing(tmp_path: Path, ledger: Ledger) -> None:
    tally, many = ledger.tally("8 processes write to one saver", PROMISE), times(60, 5000)
    took = crowd(SAVER, tmp_path / "c", many)
    with DiskCacheSaver(tmp_path / "c") as saver:
        for i in range(WRITERS):
            found = saver.list({"configurable": {"thread_id": "shared", "checkpoint_ns": f"w{i}"}})
            for number, each in zip(range(many, 0, -1), found, strict=True):
                with tally.injection():
                    assert each.checkpoint["id"] == f"{number:05d}"
                    assert each.checkpoint["channel_values"] == {"n": number}
                    assert each.pending_writes == [(f"task w{i}", "n", number)]
    assert took[-1] < 30, "beyond the patience of a writer"
    tally.figure("a put and its put_writes, p99 / longest", told(took))
