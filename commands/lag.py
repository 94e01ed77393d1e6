"""How late others see what was written: a reader in a process of its own, and a writer that notes when it commits."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from stretto.agents.process import run as execute
from stretto.commands.view_reader import END, READER, summary
from stretto.state.errors import StrettoError
from stretto.state.log import Log
from stretto.state.view import fold

Note = Callable[[Sequence[str], float], None]
"""Is told the ids of the events of a commit, and the monotonic time just before it began."""
Work = Callable[[Path, Note], None]
"""Writes to a store, and notes each commit."""
_MOST_SECONDS: Final = 60.0


class Lag(NamedTuple):
    """Milliseconds from just before a commit until another process has its event in a view, over `n` events.

    `views_equal`: at the end that process' views are those of a replay.
    """

    n: int
    written: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    views_equal: bool

    @property
    def told(self) -> str:
        """In a line."""
        views = "the views are equal" if self.views_equal else "the VIEWS DIFFER"
        return (
            f"{self.n} of {self.written} events seen by another process: p50 {self.p50_ms:.1f} ms, p99"
            f" {self.p99_ms:.1f} ms, longest {self.longest_ms:.1f} ms; {views}"
        )


def measure(store: Path, work: Work) -> Lag:
    """Let `work` write to the empty folder `store` while somebody reads along.

    Raises:
        StrettoError: The reader failed, or saw nothing for a minute.
    """
    Log.open(store, durability="process").close()
    return asyncio.run(_measured(store, work))


async def _measured(store: Path, work: Work) -> Lag:
    committed: dict[str, float] = {}
    lines: list[str] = []
    ready = asyncio.Event()

    def note(ids: Sequence[str], before: float) -> None:
        committed.update(dict.fromkeys(ids, before))

    def take(line: str) -> None:
        lines.append(line)
        ready.set()

    async def write() -> None:
        await ready.wait()
        await asyncio.to_thread(_written, store, work, note)

    words = [sys.executable, "-m", "stretto.commands.view_reader", str(store)]
    reader = execute(words, cwd=store, env=os.environ, timeout=_MOST_SECONDS, limit_bytes=1000, on_stdout_line=take)
    writing = asyncio.ensure_future(write())
    try:
        done = await reader
        if done.exit_code != 0:
            raise StrettoError(f"The reader of the test failed: {done.stderr.decode(errors='replace')[-500:]}")
        await writing
    finally:
        writing.cancel()
    return _lag(store, committed, lines)


def _written(store: Path, work: Work, note: Note) -> None:
    """The reader is told of the end whatever happens."""
    try:
        work(store, note)
    finally:
        with Log.open(store, durability="process") as log, log.write() as tx:
            tx.event("METRICS_RECORDED", "system", READER, {"kind": END, "metrics": {}})


def _lag(store: Path, committed: dict[str, float], lines: list[str]) -> Lag:
    seen = {name: float(at) for name, _, at in (line.partition(" ") for line in lines[1:-1])}
    late = sorted((seen[name] - at) * 1000 for name, at in committed.items() if name in seen)
    if not late:
        raise StrettoError("Nothing was written, so there is no lag.")
    with Log.open(store, durability="process") as log:
        names = dict.fromkeys(e.workflow_id for e in log.events())
        views = summary({name: fold(log.events(name)) for name in names})
    told: Any = json.loads(lines[-1])
    return Lag(
        n=len(late),
        written=len(committed),
        p50_ms=median(late),
        p99_ms=late[min(int(len(late) * 0.99), len(late) - 1)],
        longest_ms=late[-1],
        views_equal=told == views,
    )
