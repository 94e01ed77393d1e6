"""A process that replays a cassette of `/subagents` several times and prints the hash of each run's log, a line each.

    python tests/replaying_lanes.py '{"cassette": …, "project": …, "tasks": …, "runs": [{"name": …, …}], "cpus": 1}'

What must not matter is made to vary: how many agents there are, on how many CPUs, and in which order lanes begin and
end, by delays that a seed draws.
"""

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

from stretto.agents.process import run as execute
from stretto.agents.replay import ReplayRunner
from stretto.agents.runner import Surroundings
from stretto.agents.task import Brief, Outcome
from stretto.commands import subagents
from stretto.commands.app import App
from stretto.commands.parse import parse_argv
from stretto.state.log import Log
from stretto.state.log_hash import log_hash

LONGEST = 0.15
"""Seconds of a delay."""


class Shuffled:
    """A replay whose lanes begin and end later than they could."""

    def __init__(self, cassette: Path, seed: int) -> None:
        self._runner = ReplayRunner(cassette, execute, strict=True)
        self._draw = random.Random(seed)
        self.order: list[str] = []

    @property
    def name(self) -> str:
        return self._runner.name

    async def run(self, brief: Brief, surroundings: Surroundings) -> Outcome:
        await asyncio.sleep(self._draw.uniform(0, LONGEST))
        outcome = await self._runner.run(brief, surroundings)
        await asyncio.sleep(self._draw.uniform(0, LONGEST))
        self.order.append(brief.lane)
        return outcome

    async def close(self) -> None:
        await self._runner.close()


def replayed(given: dict[str, Any], run: dict[str, Any]) -> dict[str, Any]:
    """One replay: the hash of its log, and the order in which its lanes ended."""
    project = Path(given["project"])
    shuffled = Shuffled(Path(given["cassette"]), run["seed"])
    context = json.dumps({"phase": "research", "workflow_id": run["name"]})
    options = [f"--max-agents={run['agents']}", "--merge=never", "--durability=process"]
    invocation = parse_argv(["subagents", context, given["tasks"], *options], project=project)
    store = project.with_name(f"store-{run['name']}")
    done = subagents.handle(invocation, App(str(project), str(store), json=True, agents=lambda: shuffled))
    log = Log.find(store)
    if done.exit_code or log is None:
        sys.exit(done.text)
    with log:
        found = log_hash(log.events(done.workflow_id))
    return {"hash": found, "order": shuffled.order, "cpus": len(os.sched_getaffinity(0))}


def main() -> None:
    given = json.loads(sys.argv[1])
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given["cpus"]])
    for run in given["runs"]:
        sys.stdout.write(json.dumps(replayed(given, run)) + "\n")


if __name__ == "__main__":
    main()
