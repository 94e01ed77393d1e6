"""Schedules of tasks with dependencies on a number of equal slots.

`simulate` is what a driver does: whenever a slot is free, the ready task of the highest priority starts; nothing waits
for an unrelated sibling. With `tails` as priority it is longest-tail-first. `waves` is the baseline to beat: every task
of a wave ends before the next wave begins.

Durations are in any one unit; results are in the same.
"""

import heapq
import math
from collections.abc import Collection, Mapping
from typing import NamedTuple

from stretto.graph import dag
from stretto.state.errors import BadInput

Durations = Mapping[str, float]
Depends = Mapping[str, Collection[str]]
"""For each task, those that must end before it starts. A task that is missing here waits for nothing."""


class Schedule(NamedTuple):
    """When each task starts and finishes, counted from 0."""

    makespan: float
    start: dict[str, float]
    finish: dict[str, float]


def tails(durations: Durations, depends: Depends) -> dict[str, float]:
    """For each task, the time from its start to the end of the longest chain that it begins, its own time included.

    Raises:
        BadInput: A circle, an unknown task, or a duration that is negative or not finite.
    """
    waits = _checked(durations, depends)
    followers: dict[str, list[str]] = {name: [] for name in durations}
    for name, needs in waits.items():
        for need in needs:
            followers[need].append(name)
    found: dict[str, float] = {}
    for name in reversed(dag.ordered(list(durations), waits, "tasks")):
        found[name] = durations[name] + max((found[f] for f in followers[name]), default=0.0)
    return found


def simulate(
    durations: Durations, depends: Depends, slots: int, priority: Mapping[str, float] | None = None
) -> Schedule:
    """Run the tasks on `slots`, the ready one of the highest priority first; by default the longest tail.

    Of equal priorities the task listed first in `durations` starts first.

    Raises:
        BadInput: As `tails`, or no slot.
    """
    if slots < 1:
        raise BadInput(f"{slots} slots can run nothing.", field="slots")
    weight = tails(durations, depends) if priority is None else priority
    waits = {name: set(needs) for name, needs in _checked(durations, depends).items()}
    dag.ordered(list(durations), waits, "tasks")
    rank = {name: (-weight.get(name, 0.0), i) for i, name in enumerate(durations)}
    ready = [(rank[name], name) for name in durations if not waits[name]]
    heapq.heapify(ready)
    return _run(durations, waits, slots, rank, ready)


def _run(
    durations: Durations,
    waits: dict[str, set[str]],
    slots: int,
    rank: Mapping[str, tuple[float, int]],
    ready: list[tuple[tuple[float, int], str]],
) -> Schedule:
    start: dict[str, float] = {}
    finish: dict[str, float] = {}
    running: list[tuple[float, int, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < slots:
            _, name = heapq.heappop(ready)
            start[name], finish[name] = now, now + durations[name]
            heapq.heappush(running, (finish[name], rank[name][1], name))
        now = running[0][0]
        while running and running[0][0] == now:  # all that end now, before anything is chosen to start
            for name in _freed(heapq.heappop(running)[2], waits):
                heapq.heappush(ready, (rank[name], name))
    return Schedule(max(finish.values(), default=0.0), start, finish)


def _freed(ended: str, waits: dict[str, set[str]]) -> list[str]:
    """The tasks that waited for nothing but `ended`."""
    freed: list[str] = []
    for name, needs in waits.items():
        if ended in needs:
            needs.remove(ended)
            if not needs:
                freed.append(name)
    return freed


def waves(durations: Durations, depends: Depends, slots: int) -> Schedule:
    """Run wave by wave: wave n holds the tasks whose longest chain of dependencies has n links.

    Within a wave the tasks start in the order of `durations`, whenever a slot is free.

    Raises:
        BadInput: As `simulate`.
    """
    waits = _checked(durations, depends)
    level: dict[str, int] = {}
    for name in dag.ordered(list(durations), waits, "tasks"):
        level[name] = 1 + max((level[need] for need in waits[name]), default=-1)
    start: dict[str, float] = {}
    finish: dict[str, float] = {}
    now = 0.0
    for wave in range(max(level.values(), default=-1) + 1):
        tasks = {name: duration for name, duration in durations.items() if level[name] == wave}
        part = simulate(tasks, {}, slots, priority={})
        start |= {name: now + at for name, at in part.start.items()}
        finish |= {name: now + at for name, at in part.finish.items()}
        now += part.makespan
    return Schedule(now, start, finish)


def _checked(durations: Durations, depends: Depends) -> dict[str, Collection[str]]:
    for name, duration in durations.items():
        if not math.isfinite(duration) or duration < 0:
            raise BadInput(f"Task {name!r} takes {duration}, which is no duration.", field=f"durations.{name}")
    for name, needs in depends.items():
        if unknown := {name, *needs} - durations.keys():
            raise BadInput(
                f"Task {min(unknown)!r} has dependencies but no duration.", field=f"durations.{min(unknown)}"
            )
    return {name: depends.get(name, ()) for name in durations}
