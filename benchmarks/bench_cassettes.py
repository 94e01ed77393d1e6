"""What recording costs: the same attempts with a recorder and without, in pairs.

    python benchmarks/bench_cassettes.py [--pairs 10] [--call 1] [--instant 40] [--check]

An attempt is a conversation of a scripted model through our own loop: turns that write a file of 4 KB and run a
program, and one that finishes; four attempts go on at once, in one process. A provider takes seconds to answer; the
script takes `--call` of them, by default 1, which is quick. The goal is a ratio of wall times below 1.01: what is
judged is the median of the pairs, each of which ran with the recorder and without one after the other, in turns which
first. Its interval is that of 95 % of 2,000 medians of pairs drawn again.

A machine that others use varies by more than the goal. What recording takes of the processor varies less, and can delay
an attempt by no more than that, so it stands beside it, as a share of the time that the turn takes. `--instant` pairs
follow with a model that answers at once: nothing is faster, so there the share is the largest that there can be.
`--check` ends with 1 if either figure of the slow model is not below the goal.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult

from stretto.agents.cassette import Header
from stretto.agents.model import ModelRunner
from stretto.agents.process import run as execute
from stretto.agents.record import Recorder
from stretto.agents.runner import Surroundings
from stretto.agents.script import Script, ScriptedChatModel
from stretto.agents.task import Brief

GOAL = 1.01
TURNS = 12
LANES = 4


class Slow(ScriptedChatModel):
    """A scripted model that takes its time."""

    seconds: float = 0.0

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        await asyncio.sleep(self.seconds)
        return await super()._agenerate(messages, stop, run_manager, **kwargs)


def script() -> Script:
    """A file of about 4 KB and a program a turn."""
    content = "line of a file that an agent writes\n" * 110
    turn = {"call": [{"write_file": {"path": "out.txt", "content": content}}, {"run": {"argv": ["true"]}}]}
    lines = [*[turn] * (TURNS - 1), {"finish": {"status": "completed", "summary": "done"}}]
    return Script.model_validate({"task": "t", "lanes": {f"p/T{n}#1": lines for n in range(LANES)}})


def once(root: Path, seconds: float, *, recording: bool) -> tuple[float, float]:
    """Wall and CPU seconds of all lanes at once."""
    lines = script()

    def chat(role: str, lane: str) -> BaseChatModel:
        del role
        return Slow(script=lines, lane=lane, seconds=seconds)

    record = Recorder(root / "c.jsonl", Header(task="t")) if recording else None
    runner = ModelRunner("model:script/x", chat, execute, record)
    around = Surroundings(environment={"PATH": os.environ["PATH"]})

    async def work() -> None:
        await asyncio.gather(*(runner.run(brief(root, n), around) for n in range(LANES)))
        await runner.close()

    wall, cpu = time.perf_counter(), time.process_time()
    asyncio.run(work())
    return time.perf_counter() - wall, time.process_time() - cpu


def brief(root: Path, number: int) -> Brief:
    cwd = root / f"w{number}"
    cwd.mkdir(parents=True, exist_ok=True)
    facts = {"workflow_id": "w", "phase": "p", "task_id": f"p/T{number}", "attempt": 1, "idempotency_key": str(number)}
    return Brief.model_validate({**facts, "role": "implementer", "title": "T", "prompt": "Do it.", "cwd": str(cwd)})


class Cost(NamedTuple):
    """Of pairs: medians of both wall times, of their ratio with its interval, and of CPU seconds more a turn."""

    plain: float
    kept: float
    ratio: float
    low: float
    high: float
    turn: float

    @property
    def share(self) -> float:
        """The CPU time of recording against the wall time of a turn of all lanes, in which it must find its place."""
        return self.turn * LANES * TURNS / self.plain


def measured(folder: Path, pairs: int, seconds: float) -> Cost:
    """Run the pairs."""
    walls: dict[bool, list[float]] = {True: [], False: []}
    cpus: dict[bool, list[float]] = {True: [], False: []}
    for number in range(pairs):
        for recording in (number % 2 == 0, number % 2 == 1):
            wall, cpu = once(folder / f"{seconds}-{number}-{recording}", seconds, recording=recording)
            walls[recording].append(wall)
            cpus[recording].append(cpu)
    ratios = [kept / plain for kept, plain in zip(walls[True], walls[False], strict=True)]
    more = [kept - plain for kept, plain in zip(cpus[True], cpus[False], strict=True)]
    plain, kept = (statistics.median(walls[recording]) for recording in (False, True))
    low, high = interval(ratios)
    return Cost(plain, kept, statistics.median(ratios), low, high, statistics.median(more) / (TURNS * LANES))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Between which 95 % of the medians lie, if the pairs are drawn again."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(2000))
    return medians[50], medians[-51]


def told(name: str, cost: Cost) -> None:
    print(f"{name}: without a recorder {cost.plain:.3f} s, with one {cost.kept:.3f} s (medians)")
    print(f"  wall time: {cost.ratio - 1:+.2%} (95 % from {cost.low - 1:+.2%} to {cost.high - 1:+.2%})")
    print(f"  CPU time: {cost.turn * 1000:.2f} ms a turn, {cost.share:.2%} of the wall time")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--call", type=float, default=1.0, help="seconds of a model's call")
    parser.add_argument("--instant", type=int, default=40, help="pairs with a model that answers at once")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    print(f"{LANES} lanes of {TURNS} turns; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    with tempfile.TemporaryDirectory(prefix="stretto-bench-") as folder:
        once(Path(folder) / "warm", 0.0, recording=True)
        cost = measured(Path(folder), options.pairs, options.call)
        told(f"{options.pairs} pairs, {options.call:g} s a call", cost)
        if options.instant:
            told(f"{options.instant} pairs, no time a call", measured(Path(folder), options.instant, 0.0))
    print(f"goal: {GOAL - 1:.0%}; load {os.getloadavg()[0]:.1f}")
    return int(options.check and not max(cost.ratio, 1 + cost.share) < GOAL)


if __name__ == "__main__":
    sys.exit(main())
