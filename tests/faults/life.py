"""A short life of a store: what is written to it, what is acknowledged, and what must be there then."""

import json
import os
import signal
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint

from stretto.state import lease
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.disk import Durability
from stretto.state.errors import StrettoError
from stretto.state.log import Log
from stretto.state.ours import is_ours
from stretto.state.rows import Fence

W = "shop_001"
THREAD = "shop_001"
NUMBERS = 6
PRUNED_AT = 4
BALLAST = "".join(f"{number} " for number in range(4000))

Acknowledge = Callable[[str, int], None]


def read(project: Path, durability: Durability, say: Acknowledge) -> None:
    """As `workflow-status` does: whatever can be read without writing is said."""
    del durability
    log = Log.find(store_in(project))
    if log is not None:
        with log:
            row, number = log.workflow(W), log.fact(W, "number")
            say("workflow", int(row is not None))
            say("number", number or 0)


def store_in(project: Path) -> Path:
    """Its default place, which is kept out of git."""
    return project / ".stretto" / "state"


def live(project: Path, durability: Durability, say: Acknowledge) -> None:
    """From nothing, or from whatever was left, to the end."""
    with _opened(project, durability, say) as (log, saver):
        fence = _begun(log, say)
        _number(log, saver, fence, say)
        lease.release(log, fence)
        say("released", 1)


def defy(project: Path, durability: Durability, say: Acknowledge) -> None:
    """A life that tries again what failed, as a program might that knows nothing of disks."""
    with _opened(project, durability, say) as (log, saver):
        fence = _begun(log, say)
        for _ in range(3):
            with suppress(StrettoError):
                _number(log, saver, fence, say)
        _number(log, saver, fence, say)


def die(project: Path, durability: Durability, say: Acknowledge) -> None:
    """A life that is killed right after its first error, with nothing closed."""
    with _opened(project, durability, say) as (log, saver):
        try:
            _number(log, saver, _begun(log, say), say)
        except StrettoError:
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _opened(project: Path, durability: Durability, say: Acknowledge) -> Generator[tuple[Log, DiskCacheSaver]]:
    with Log.open(store_in(project), durability=durability) as log:
        say("log", 1)
        with DiskCacheSaver(store_in(project) / "checkpoints", durability=durability) as saver:
            say("saver", 1)
            yield log, saver


def _begun(log: Log, say: Acknowledge) -> Fence:
    with log.write() as tx:
        tx.create_workflow(W, kind="feature", description="Add a shop", spec={}, runner="r")
    say("workflow", 1)
    fence = lease.acquire(log, W)
    say("lease", fence.token)
    return fence


def _number(log: Log, saver: DiskCacheSaver, fence: Fence, say: Acknowledge) -> None:
    for number in range((log.fact(W, "number") or 0) + 1, NUMBERS + 1):
        save(saver, number)
        say("checkpoint", number)
        if number == PRUNED_AT:
            saver.prune([THREAD])
            say("pruned", 1)
        with log.write(fence) as tx:
            tx.event("PHASE_PROGRESS", W, "p", {"number": number, "half": 1, "text": "x" * 3000})
            tx.put_fact(W, "number", number)
            tx.event("PHASE_PROGRESS", W, "p", {"number": number, "half": 2})
        say("number", number)


def place(number: int) -> RunnableConfig:
    """Where checkpoint `number` is; where the first one comes after, for 0."""
    at = {"checkpoint_id": f"{number:04d}"} if number else {}
    return {"configurable": {"thread_id": THREAD, "checkpoint_ns": "", **at}}


def values(number: int) -> dict[str, Any]:
    return {"list": [f"{each} {BALLAST[:500]}" for each in range(number)], "ballast": BALLAST, "number": number}


def save(saver: DiskCacheSaver, number: int) -> None:
    """Checkpoint `number`, and what a task wrote after it."""
    if saver.get_tuple(place(number)) is None:
        made: Any = empty_checkpoint()
        versions: dict[str, Any] = {"list": number, "ballast": 1, "number": number}
        made.update(id=f"{number:04d}", ts="", channel_values=values(number), channel_versions=versions)
        new: dict[str, Any] = versions if number == 1 else {"list": number, "number": number}
        saver.put(place(number - 1), made, {"step": number}, new)
    saver.put_writes(place(number), [("list", f"{number}"), ("number", number + 1)], f"task {number}")


class Found(NamedTuple):
    """What a store holds, without what differs from run to run."""

    ours: bool
    ignored: bool
    events: list[tuple[str, str, str]]
    status: str
    number: int
    token: int
    checkpoints: list[tuple[str, dict[str, Any], Any, Any]]

    def lasting(self) -> tuple[Any, ...]:
        """What is the same at the end of every run: not how often the lease was taken."""
        return (self.events, self.status, self.number, self.checkpoints)


def look(project: Path) -> Found:
    """All that is stored, read as a reader, then as a writer, and verified."""
    store = store_in(project)
    log = Log.find(store)
    if log is not None:
        with log:
            log.verify()
            before = log.last_seq()
        with closing(sqlite3.connect(store / "events.db")) as plain:
            assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with Log.open(store) as log:
            assert log.last_seq() == before == log.verify()
            row, held = log.workflow(W), log.lease(W)
            events = [(e.type, e.phase, json.dumps(e.data, sort_keys=True)) for e in log.events(W)]
            number = log.fact(W, "number") or 0
    else:
        row, held, events, number = None, None, [], 0
    ignore = project / ".stretto" / ".gitignore"
    ignored = ignore.is_file() and "/state/" in ignore.read_text("utf-8")
    halves = [json.loads(data) for kind, _, data in events if kind == "PHASE_PROGRESS"]
    assert [(e["number"], e["half"]) for e in halves] == [(n, h) for n in range(1, number + 1) for h in (1, 2)]
    checkpoints: list[tuple[str, dict[str, Any], Any, Any]] = []
    if (store / "checkpoints" / "cache.db").exists():
        with DiskCacheSaver(store / "checkpoints") as saver:
            if THREAD in saver.threads():
                saver.verify(THREAD)
            for each in saver.list({"configurable": {"thread_id": THREAD}}):
                at = each.checkpoint["id"]
                assert each.checkpoint["channel_values"] == values(int(at))
                checkpoints.append((at, each.checkpoint["channel_values"], each.pending_writes, each.parent_config))
    return Found(
        is_ours(str(store)), ignored, events, row.status if row else "", number, held.token if held else 0, checkpoints
    )


def hold(found: Found, said: dict[str, int]) -> None:
    """Everything acknowledged is there, and at most the step after it."""
    assert found.number - said.get("number", 0) in (0, 1)
    assert bool(found.status) or "workflow" not in said
    assert (found.ours and found.ignored) or "log" not in said
    assert found.token >= said.get("lease", 0)
    newest = int(found.checkpoints[0][0]) if found.checkpoints else 0
    assert newest - said.get("checkpoint", 0) in (0, 1)
    if acknowledged := said.get("checkpoint", 0):
        (writes,) = [each[2] for each in found.checkpoints if int(each[0]) == acknowledged] or [[]]
        pruned = newest > acknowledged and newest == PRUNED_AT
        assert len(writes) == 2 or pruned
    if "pruned" in said:
        assert len(found.checkpoints) == newest - PRUNED_AT + 1


def behind(found: Found, said: dict[str, int]) -> None:
    """With `durability=process` and a power cut: a beginning of what was written, and nothing else."""
    newest = int(found.checkpoints[0][0]) if found.checkpoints else 0
    assert found.number <= said.get("number", 0) + 1
    assert newest <= said.get("checkpoint", 0) + 1


def nobody(what: str, number: int) -> None:
    """For a life whose acknowledgements nobody hears."""


def acknowledging(path: Path) -> Acknowledge:
    """Each acknowledgement is a line, in one write."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def say(what: str, number: int) -> None:
        os.write(file, f"{what} {number}\n".encode())

    return say


def acknowledged(raw: bytes) -> dict[str, int]:
    """The last number that was acknowledged of each."""
    return {what: int(number) for what, number in (line.split() for line in raw.decode().splitlines())}
