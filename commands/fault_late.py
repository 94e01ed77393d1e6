"""A report that comes too late: an agent that lives is cut off past its limit, and heard again when the cut is over.

An agent that the driver has started is ended with its time. One that works on an order, outside, is not: it is given
up, another takes its place, and when the cut is over both live. What the first then reports must change nothing.
"""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from stretto.agents.git import Git
from stretto.agents.host import HostRunner
from stretto.agents.process import run as execute
from stretto.commands.fault_workload import LIMIT_SECONDS, PHASE, VICTIM, WORKFLOW, Workload, spec_of, task
from stretto.graph.run import resume, start
from stretto.state import orders
from stretto.state.errors import StrettoError
from stretto.state.rows import Taker

T = TypeVar("T")
_LOOK_SECONDS = 0.01


class Late(NamedTuple):
    """Reports that came after their agent was given up: how many, how many were refused, with which code and words.

    `changed`: whether a row, an event or the branch was another afterwards. `ended` is how the workflow did.
    """

    sent: int
    refused: int
    code: str
    said: str
    changed: bool
    ended: str

    @property
    def held_off(self) -> bool:
        """Whether none of it counted, and the work was done by the other."""
        return self.sent == self.refused and not self.changed and self.ended == "completed"


async def late_report(folder: Path) -> Late:
    """Cut an agent off, give its order to another, let it be heard again while that one works, and look."""
    run = Workload(folder, spec_of([task(VICTIM, "", LIMIT_SECONDS)]))
    await run.prepare()
    await start(run.spec, project=run.project, runner=HostRunner(), store=run.store, durability="process")
    async with asyncio.TaskGroup() as agents:
        first = agents.create_task(_agent(run, 1))
        pid = await seen(lambda: run.pid(1))
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(LIMIT_SECONDS)
        await _go_on(run)
        second = agents.create_task(_agent(run, 2))
        await seen(lambda: run.pid(2))
        os.kill(pid, signal.SIGCONT)
        said = await first
        before = await _state(run)
        refusal = _reported(run, 1, said)
        changed = await _state(run) != before
        _reported(run, 2, await second)
        ended = await _go_on(run)
    code, words = (refusal.code, refusal.message) if refusal else ("", "it was taken")
    return Late(1, int(refusal is not None), code, words, changed, ended)


async def _go_on(run: Workload) -> str:
    done = await resume(WORKFLOW, project=run.project, runner=HostRunner(), store=run.store, durability="process")
    return done.status


def _order(attempt: int) -> str:
    return f"{WORKFLOW}/{PHASE}/{VICTIM}#{attempt}"


async def _agent(run: Workload, attempt: int) -> dict[str, Any]:
    """Take the order of an attempt, have a process work on it, and say what it said."""
    with run.log() as log, log.write() as tx:
        brief = orders.take(tx, _order(attempt), Taker(f"agent_{attempt}", "", 0, "", "", "")).work["brief"]
    done = await execute(run.agent(), cwd=run.project, env=dict(os.environ), stdin=json.dumps(brief).encode())
    return {"outcome": json.loads(done.stdout)}


def _reported(run: Workload, attempt: int, said: dict[str, Any]) -> StrettoError | None:
    """Why a report was refused; None if it was taken."""
    try:
        with run.log() as log, log.write() as tx:
            orders.report(tx, _order(attempt), said)
    except StrettoError as error:
        return error
    return None


async def _state(run: Workload) -> tuple[object, ...]:
    """Everything that a report could change."""
    with run.log() as log:
        found = log.order(WORKFLOW, f"{PHASE}/{VICTIM}", 1)
        rows = log.last_seq(), found
    return (*rows, run.hashes(), await Git(run.project).line("rev-parse", f"refs/heads/stretto/{WORKFLOW}"))


async def seen(look: Callable[[], T | None]) -> T:
    """What `look` finds, as soon as it finds something."""
    while True:
        if (found := look()) is not None:
            return found
        await asyncio.sleep(_LOOK_SECONDS)
