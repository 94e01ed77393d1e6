"""What recording costs: the same attempts with a recorder and without, interleaved.

    python benchmarks/bench_cassettes.py [--rounds 9] [--call 0.5]

An attempt is a conversation of a scripted model through our own loop: turns that write a file and run a program, and
one that finishes. A real model takes seconds for a call; the script takes `--call` of them, by default 0.5, which is
quick for one. The goal is a ratio below 1.01. A round's wall time varies by more than that on a machine that others
use, so that the ratio of the fastest rounds and the CPU time of a turn stand beside it.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--call", type=float, default=0.5, help="seconds of a model's call")
    options = parser.parse_args()
    walls: dict[bool, list[float]] = {True: [], False: []}
    cpus: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory(prefix="stretto-bench-") as folder:
        once(Path(folder) / "warm", 0.0, recording=True)
        for number in range(options.rounds):
            for recording in (number % 2 == 0, number % 2 == 1):
                root = Path(folder) / f"{number}-{recording}"
                wall, cpu = once(root, options.call, recording=recording)
                walls[recording].append(wall)
                cpus[recording].append(cpu)
    plain, kept = (statistics.median(walls[r]) for r in (False, True))
    ratios = sorted(a / b for a, b in zip(walls[True], walls[False], strict=True))
    each = (statistics.median(cpus[True]) - statistics.median(cpus[False])) / (TURNS * LANES)
    print(
        f"{options.rounds} rounds, {LANES} lanes of {TURNS} turns, {options.call:g} s a call;"
        f" load {os.getloadavg()[0]:.1f}"
    )
    print(f"  without a recorder {plain:.3f} s, with one {kept:.3f} s (medians)")
    print(f"  ratio {statistics.median(ratios):.4f} (from {ratios[0]:.4f} to {ratios[-1]:.4f}; goal below {GOAL})")
    fastest = min(walls[True]) / min(walls[False])
    print(f"  of the fastest rounds {fastest:.4f}; {each * 1000:.2f} ms of CPU a turn")


if __name__ == "__main__":
    main()
