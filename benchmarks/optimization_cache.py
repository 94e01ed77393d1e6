"""What the cache of results removes: workflows driven to their end by scripted agents, asked for once more.

For bench_optimization.py. Each row is counted from the events of its workflow, in simulated time.
"""

import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from stretto.commands.scenario import Rules, run_example
from stretto.commands.scenario_document import parse_document
from stretto.state.log import Log
from stretto.state.view import fold

FIRST, OTHER = "Add a discount for regulars", "Add a discount for students"
ASKED = (("first", FIRST), ("again", FIRST), ("another", OTHER))
"""A workflow, the same once more, and one of another sentence. None is merged: all begin at one commit."""
ON = "/coordination-hub enable-caching '{}'"


class Driven(NamedTuple):
    """A workflow: minutes from its start to its end, agent-minutes at work, tasks, and how many the cache served."""

    name: str
    cache: bool
    time: float
    work: float
    tasks: int
    served: int


def driven(*, cache: bool) -> Iterator[Driven]:
    """Carry them out one after the other in a scratch project."""
    lines = [f'/orchestrate "{text}" --workflow-id={name}_001 --merge=never' for name, text in ASKED]
    text = "\n".join(["### Cached", "```bash", *([ON] if cache else []), *lines, "```", ""])
    (example,) = parse_document(text, "the cache")
    with tempfile.TemporaryDirectory() as folder:
        ran = run_example(example, Path(folder), Rules(), lambda _: None)
        assert ran.holds, ran.steps
        log = Log.find(Path(folder) / ".stretto" / "state")
        assert log is not None
        with log:
            for name, _ in ASKED:
                yield _told(log, name, cache=cache)


def _told(log: Log, name: str, *, cache: bool) -> Driven:
    began: dict[str, float] = {}
    work, served, tasks = 0.0, 0, 0
    for event in log.events(f"{name}_001"):
        at, task = datetime.fromisoformat(event.timestamp).timestamp(), str(event.data.get("task_id"))
        if event.type == "TASK_STARTED":
            began[task] = at
        elif event.type == "TASK_COMPLETED":
            work, tasks = work + at - began.pop(task), tasks + 1
        served += event.type == "TASK_REUSED"
    view = fold(log.events(f"{name}_001"))
    took = (view.finished or 0) - (view.started or 0)
    return Driven(name, cache, took / 60, work / 60, tasks, served)


def table() -> Iterator[str]:
    """A row for each workflow, without and with the cache."""
    yield "| Workflow | Cache | Time, min | Work, agent-min | Tasks | From the cache |"
    yield "|---|---|---|---|---|---|"
    words = {"first": f"“{FIRST}”", "again": "the same once more", "another": f"“{OTHER}”"}
    for cache in (False, True):
        for one in driven(cache=cache):
            state = "on" if one.cache else "off"
            yield (f"| {words[one.name]} | {state} | {one.time:.0f} | {one.work:.0f} | {one.tasks} | {one.served} |")
