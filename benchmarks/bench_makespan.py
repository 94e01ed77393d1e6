"""How long a compiled implement phase takes, beside the schedule it aims at and beside waves.

    python benchmarks/bench_makespan.py [--plans 6] [--tasks 20] [--slots 4] [--seed 7]

Random plans of tasks with heavy-tailed durations run three ways, interleaved: compiled by Stretto, with real git, event
log and checkpoints; as waves, each of which waits for the last (asyncio alone, no overhead of ours); and on paper,
longest tail first, with the same durations. The columns are seconds and the ratio to the paper schedule.
"""

import argparse
import asyncio
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stretto.agents.repository import open_repository
from stretto.agents.task import Outcome, Task
from stretto.graph.board import Board
from stretto.graph.channels import empty
from stretto.graph.compiler import compile as compile_spec
from stretto.graph.context import Run
from stretto.graph.schedule import simulate
from stretto.graph.slots import Slots
from stretto.graph.spec import Limits, PhaseSpec, Spec, TaskSpec
from stretto.state import lease
from stretto.state.checkpoint import DiskCacheSaver
from stretto.state.log import Log


class Sleeper:
    """An executor whose agents only take time."""

    def __init__(self, seconds: Mapping[str, float], log: Log, run: "list[Run]") -> None:
        self.seconds = seconds
        self.log = log
        self.run_ = run
        self.began = 0.0
        self.ended = 0.0

    def ahead(self, task: Task) -> bool:
        """Nobody works outside."""
        del task
        return False

    async def run(self, task: Task, inputs: Mapping[str, Outcome]) -> Outcome:
        """Sleep as long as the task takes."""
        del inputs
        name = task.task_id.partition("/")[2]
        self.began = self.began or time.perf_counter()
        with self.log.write(self.run_[0].fence) as tx:
            tx.start_attempt(task.workflow_id, task.task_id, 1, task.task_id, task.phase, {"role": task.role})
        await asyncio.sleep(self.seconds[name])
        self.ended = time.perf_counter()
        return Outcome(status="completed", summary="slept")


def random_plan(draw: random.Random, tasks: int) -> tuple[dict[str, float], dict[str, list[str]]]:
    """Durations (seconds) and dependencies of a plan: each task needs up to two earlier ones."""
    names = [f"T{i}" for i in range(tasks)]
    seconds = {n: min(6.0, 0.8 * draw.lognormvariate(0, 0.8)) for n in names}
    after = {n: draw.sample(names[:i], min(i, draw.choice((0, 1, 1, 2)))) for i, n in enumerate(names)}
    return seconds, after


async def compiled(folder: Path, seconds: Mapping[str, float], after: Mapping[str, Sequence[str]], slots: int) -> float:
    """Run the plan through the compiled graph; seconds from the first start of a task to the last end."""
    folder.mkdir()
    for command in ("git init -q -b main", "git commit -q --allow-empty -m start"):
        identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]
        subprocess.run(["git", *identity, *command.split()[1:]], cwd=folder, check=True)  # noqa: ASYNC221 - set-up
    specs = tuple(
        TaskSpec(id=n, title=n, role="implementer", prompt=n, writes=(n,), depends_on=tuple(after[n])) for n in seconds
    )
    spec = Spec(
        workflow_id="bench",
        description="bench",
        type="bench",
        template="bench",
        complexity="low",
        phases=(PhaseSpec(name="implementation", kind="implement", tasks=specs),),
        merge="never",
        limits=Limits(agents=slots),
    )
    store = folder / ".stretto" / "state"
    with Log.open(store) as log, DiskCacheSaver(store / "checkpoints") as saver:
        with log.write() as tx:
            body = spec.model_dump(mode="json")
            tx.create_workflow("bench", kind="bench", description="bench", spec=body, runner="bench")
            tx.set_status("bench", "SCHEDULED")
        repository = await open_repository(folder, store)
        await repository.begin("bench")
        fence = lease.acquire(log, "bench")
        with log.write(fence) as tx:
            tx.set_status("bench", "RUNNING")
        runs: list[Run] = []
        executor = Sleeper(seconds, log, runs)
        run = Run(
            spec=spec,
            log=log,
            fence=fence,
            executor=executor,
            repository=repository,
            board=Board({}),
            slots=Slots(slots),
            date="2026-01-01",
            expect=lambda t: seconds[t.task_id.partition("/")[2]],
        )
        runs.append(run)
        graph: Any = compile_spec(spec, checkpointer=saver)  # LangGraph's input types are open
        await graph.ainvoke(empty(), {"configurable": {"thread_id": "bench"}}, context=run, durability="sync")
        lease.release(log, fence)
    return executor.ended - executor.began


async def in_waves(seconds: Mapping[str, float], after: Mapping[str, Sequence[str]], slots: int) -> float:
    """Run the plan level by level, each level to its end, with the same slots."""
    began = time.perf_counter()
    places = asyncio.Semaphore(slots)
    done: set[str] = set()

    async def one(name: str) -> None:
        async with places:
            await asyncio.sleep(seconds[name])

    while len(done) < len(seconds):
        wave = [n for n in seconds if n not in done and set(after[n]) <= done]
        await asyncio.gather(*(one(n) for n in wave))
        done.update(wave)
    return time.perf_counter() - began


def main() -> None:
    """Print a row for each plan and the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--plans", type=int, default=6)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    draw = random.Random(args.seed)
    ours: list[float] = []
    waves: list[float] = []
    print(f"{'plan':>4} {'paper s':>8} {'stretto s':>10} {'ratio':>6} {'waves s':>8} {'ratio':>6}")
    with tempfile.TemporaryDirectory() as root:
        for number in range(1, args.plans + 1):
            seconds, after = random_plan(draw, args.tasks)
            paper = simulate(seconds, after, args.slots).makespan
            mine = asyncio.run(compiled(Path(root) / str(number), seconds, after, args.slots))
            wave = asyncio.run(in_waves(seconds, after, args.slots))
            ours.append(mine / paper)
            waves.append(wave / paper)
            print(f"{number:>4} {paper:8.3f} {mine:10.3f} {ours[-1]:6.3f} {wave:8.3f} {waves[-1]:6.3f}")
    print(
        f"median ratio to the paper schedule: stretto {statistics.median(ours):.3f} (worst {max(ours):.3f}), ", end=""
    )
    print(f"waves {statistics.median(waves):.3f} (worst {max(waves):.3f})")


if __name__ == "__main__":
    main()
