"""Faults that befall real processes: injected, recovered from, and measured on the clock of the wall.

    agent_failure         the process of an agent is killed at its work, by SIGKILL
    resource_exhaustion   all that the pool has is granted; a request on top waits until something is given back
    network_partition     the process of an agent is stopped, by SIGSTOP: it lives, and nothing of it reaches the hub,
                          which gives its work to another when its time is over; beside it one that works on an order
                          is cut off and heard again, too late (`fault_late`)

Each befalls a workload of its own (`fault_workload`), in the middle of its longest chain, where nothing hides the lost
time; beside them, at the same time and on the same machine, runs one that nothing befalls. The impact says how long a
killed or stopped agent had worked, and how long the pool is exhausted.
"""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from stretto.commands.fault_figures import Injected, longer, machine_load
from stretto.commands.fault_late import Late, late_report, seen
from stretto.commands.fault_workload import (
    LENGTH,
    LIMIT_SECONDS,
    PATIENT_SECONDS,
    SLOTS,
    WORK_SECONDS,
    WORKFLOW,
    Span,
    Workload,
    usual,
)
from stretto.graph import admission
from stretto.graph.allocating import Request, respond
from stretto.graph.failures import kind_of, words
from stretto.state import allocation
from stretto.state.errors import StrettoError
from stretto.state.moments import moment

T = TypeVar("T")
MOST_SECONDS: Final = 28.0
"""Of the wall's time, for all faults of one command."""
MOST: Final = 4
"""Faults of one command."""
LOAD, HIGHER = 0.7, 0.85
GROUND: Final = (
    f"real processes on the wall's clock, in scratch projects: a chain of {LENGTH} tasks of {WORK_SECONDS:g} s on"
    f" {SLOTS} slots, so one lost attempt is about {1 / LENGTH:.0%}; an agent that is cut off is given up after"
    f" {LIMIT_SECONDS:g} s"
)
"""What the figures stand on, for whoever reads them."""
IMPACTS: Final[Mapping[str, float]] = {"low": 0.2, "medium": 0.4, "high": 0.6, "critical": 0.8}
"""Of the seconds that a task works; of a second, for which the pool is exhausted."""


class Fault(NamedTuple):
    """What is to happen."""

    error_type: str
    impact: str


class Struck(NamedTuple):
    """A fault as it was dealt with, in seconds on the wall's clock from the moment it came.

    `seconds` until the work went on, `made_good` until the task was done; None where that never came. `evidence` is
    what the log says of it.
    """

    seconds: float | None = None
    made_good: float | None = None
    cause: str = "unknown"
    evidence: str = ""


def inject(faults: Sequence[Fault]) -> list[Injected]:
    """Let all faults happen at the one load, then, if there is time, at the other. Every store is gone afterwards.

    Raises:
        StrettoError: The machine is too slow for it: no time was left, or an agent was given up before it was struck.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stretto-fault-") as folder:
        try:
            found = asyncio.run(batch(faults, LOAD, Path(folder) / "usual", MOST_SECONDS))
        except (TimeoutError, ProcessLookupError) as error:
            raise StrettoError(
                f"The machine is too slow to measure faults within {MOST_SECONDS:g} s; every process is ended.",
                next_steps=("Try again when the machine has less to do, or with fewer faults.",),
            ) from error
        left = MOST_SECONDS - (time.monotonic() - began)
        higher, late = asyncio.run(_beside(faults, Path(folder), left))
    if higher:
        found = [one._replace(higher=_higher(other)) for one, other in zip(found, higher, strict=True)]
    return [one._replace(late=late) if one.error_type == "network_partition" else one for one in found]


async def _beside(faults: Sequence[Fault], folder: Path, seconds: float) -> tuple[list[Injected] | None, Late | None]:
    """What is told and not judged by its time: the higher load, and a report after a cut. As far as time allows."""
    higher = asyncio.create_task(_if_time(batch(faults, HIGHER, folder / "higher", seconds), seconds))
    cut = any(fault.error_type == "network_partition" for fault in faults)
    late = await _if_time(late_report(folder / "late"), seconds) if cut else None
    return await higher, late


async def _if_time(work: Coroutine[Any, Any, T], seconds: float) -> T | None:
    try:
        async with asyncio.timeout(seconds):
            return await work
    except (TimeoutError, ProcessLookupError):
        return None


def _higher(one: Injected) -> dict[str, Any]:
    names = (
        "load",
        "makespan",
        "undisturbed",
        "recovered",
        "recovery_seconds",
        "consistent",
        "degradation",
        "interval",
    )
    return {name: one.told()[name] for name in names}


async def batch(faults: Sequence[Fault], load: float, folder: Path, seconds: float) -> list[Injected]:
    """A workload for each fault and one for none, all at once."""
    busy = machine_load()
    async with asyncio.timeout(seconds):
        calm = Workload(folder / "calm", usual(load))
        runs = [Workload(folder / str(n), usual(load, _LIMITS[f.error_type])) for n, f in enumerate(faults)]
        for run in runs:
            run.hold()
        going = asyncio.gather(*map(_befallen, faults, runs))
        ended = (await asyncio.gather(going, calm.run()))[0]
        files = await asyncio.gather(calm.files(), *(run.files() for run in runs))
    return [
        _measured(fault, run, hit, calm.span(), busy, same=files[0] == left)
        for fault, run, hit, left in zip(faults, runs, ended, files[1:], strict=True)
    ]


async def _befallen(fault: Fault, run: Workload) -> Struck:
    """Run a workload to its end, whatever that is, and strike meanwhile."""
    strike = asyncio.ensure_future(_struck(fault, run))
    try:
        return await strike if await run.run() == "completed" else Struck()
    finally:
        strike.cancel()


def _measured(fault: Fault, run: Workload, hit: Struck, calm: Span, busy: float, *, same: bool) -> Injected:
    rows, replay, sound = run.hashes()
    span = run.span()
    more = longer(span, calm)
    return Injected(
        error_type=fault.error_type,
        impact=fault.impact,
        cause=hit.cause,
        evidence=hit.evidence,
        recovered=hit.made_good is not None,
        recovery_seconds=hit.seconds,
        made_good_seconds=hit.made_good,
        rows_hash=rows,
        replay_hash=replay,
        chain_sound=sound,
        files_equal=same,
        load=calm.load,
        makespan=span.makespan,
        undisturbed=calm.makespan,
        degradation=more.share if more else None,
        interval=(more.low, more.high) if more else None,
        pairs=more.pairs if more else 0,
        machine_load=busy,
    )


# ── what befalls ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def _struck(fault: Fault, run: Workload) -> Struck:
    """Wait until the victim is at work, strike, and wait until its work is done."""
    pid = await seen(lambda: run.pid(1))
    share = IMPACTS[fault.impact]
    if fault.error_type == "resource_exhaustion":
        return await _exhausted(run, share)
    await asyncio.sleep(share * WORK_SECONDS)
    came = time.time()
    os.kill(pid, signal.SIGKILL if fault.error_type == "agent_failure" else signal.SIGSTOP)
    await seen(lambda: run.pid(2))
    again = time.time()
    done = await seen(lambda: next((e for e in run.told("TASK_COMPLETED")), None))
    lost = run.told("TASK_FAILED")[0]
    return Struck(again - came, moment(done.timestamp) - came, kind_of(lost), f"event {lost.seq}: {words(lost)}")


async def _exhausted(run: Workload, seconds: float) -> Struck:
    """Everything is granted to others; the victim asks for one more, and goes on when it is served."""
    with run.log() as log:
        with log.write() as tx:
            limits = admission.capacity(tx.database, {"agents": SLOTS})
            others = respond(tx, Request("others_001", "medium", {"agents": SLOTS}), limits, log.now()).held
        came = time.time()
        with log.write() as tx:
            answer = respond(tx, Request(WORKFLOW, "medium", {"agents": 1}), limits, log.now())
        await asyncio.sleep(seconds)
        with log.write() as tx:
            allocation.release(tx, others, "done")
            admission.admit(tx, limits, log.now())
        mine = await seen(lambda: next((a for a in log.allocations(WORKFLOW, live=True) if a.state == "active"), None))
        again = time.time()
        run.go_on()
        done = await seen(lambda: next((e for e in run.told("TASK_COMPLETED")), None))
        with log.write() as tx:
            allocation.release(tx, mine, "done")
        asked = next(e for e in log.events(WORKFLOW) if e.type == "RESOURCE_REQUESTED")
    evidence = f"event {asked.seq}: {answer.status} at {answer.position}: {answer.reason}"
    return Struck(again - came, moment(done.timestamp) - came, "resource_exhaustion", evidence)


_LIMITS: Final[Mapping[str, float]] = {
    "agent_failure": PATIENT_SECONDS,
    "resource_exhaustion": PATIENT_SECONDS,
    "network_partition": LIMIT_SECONDS,
}
"""How long the agent that is struck may take: only one that is cut off must be given up."""
ERRORS: Final = tuple(_LIMITS)
