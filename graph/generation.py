"""Schedule generation: from priorities to a schedule, in series or in parallel, for any number of resources.

The serial scheme takes one activity after the other and starts each as early as what is free allows; what is free is
kept as steps in time, so that the length of durations costs nothing. The parallel scheme goes through time and starts
whatever fits. Both follow Kolisch (1996); among schedules of the serial scheme there is always a shortest one.
"""

import heapq
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from stretto.graph.project import Project

Priority = Sequence[float]
"""For each activity, by index; the smallest goes first, of equal ones the first listed."""


class Starts(NamedTuple):
    """The start of each activity, by index."""

    makespan: int
    starts: list[int]


def _latest_finish(project: Project) -> Priority:
    last = project.critical
    return [last - tail + time for tail, time in zip(project.tails, project.durations, strict=True)]


def _latest_start(project: Project) -> Priority:
    return [project.critical - tail for tail in project.tails]


def _most_followers(project: Project) -> Priority:
    return [-count for count in project.followers]


def _shortest(project: Project) -> Priority:
    return project.durations


RULES: Final[dict[str, Callable[[Project], Priority]]] = {
    "LFT": _latest_finish,
    "LST": _latest_start,
    "MTS": _most_followers,
    "SPT": _shortest,
}
"""Priority rules by their names in the literature: latest finish time, latest start time, most total successors,
shortest processing time."""


def listed(project: Project, priority: Priority) -> list[int]:
    """All activities, each after those that it needs, otherwise by priority."""
    left = [len(needs) for needs in project.before]
    ready = [(priority[i], i) for i, count in enumerate(left) if not count]
    heapq.heapify(ready)
    found: list[int] = []
    while ready:
        i = heapq.heappop(ready)[1]
        found.append(i)
        for follower in project.after[i]:
            left[follower] -= 1
            if not left[follower]:
                heapq.heappush(ready, (priority[follower], follower))
    return found


def serial(project: Project, order: Sequence[int]) -> Starts:
    """Start each activity of `order`, which has everything after what it needs, as early as it fits."""
    return _place(project, order, project.after, project.release)


def backward(project: Project, order: Sequence[int]) -> Starts:
    """The same with time reversed: `order` has everything before what it needs, starts are counted from the end."""
    return _place(project, order, project.before, [0] * len(project))


def _place(project: Project, order: Sequence[int], after: Sequence[Sequence[int]], release: Sequence[int]) -> Starts:
    durations, demands, spare = project.durations, project.demands, project.spare
    horizon = sum(durations) + max(release, default=0) + 1
    at, free = [0, horizon], [project.full, project.full]  # free[k] holds from at[k] to at[k + 1]
    starts = list(release)
    makespan = 0
    for i in order:
        start, demand = starts[i], demands[i]
        end = start + durations[i]
        if demand and end > start:
            first = last = bisect_right(at, start) - 1
            while at[last] < end:
                if (free[last] - demand) & spare == spare:
                    last += 1
                else:
                    first = last = last + 1
                    start = at[first]
                    end = start + durations[i]
            if at[last] != end:
                at.insert(last, end)
                free.insert(last, free[last - 1])
            if at[first] != start:
                first, last = first + 1, last + 1
                at.insert(first, start)
                free.insert(first, free[first - 1])
            for k in range(first, last):
                free[k] -= demand
            starts[i] = start
        makespan = max(makespan, end)
        for follower in after[i]:
            if starts[follower] < end:
                starts[follower] = end
    return Starts(makespan, starts)


def parallel(project: Project, priority: Priority) -> Starts:
    """Go through time; whenever something ended, start whatever is ready and fits, by priority."""
    left = [len(needs) for needs in project.before]
    coming = [(project.release[i], i) for i, count in enumerate(left) if not count]
    heapq.heapify(coming)
    ready: list[tuple[float, int]] = []
    ends: list[tuple[int, int]] = []
    starts = [0] * len(project)
    free, now = project.full, 0
    while coming or ends:
        now = min(queue[0][0] for queue in (coming, ends) if queue)
        while ends and ends[0][0] == now:
            i = heapq.heappop(ends)[1]
            free += project.demands[i]
            for follower in project.after[i]:
                left[follower] -= 1
                if not left[follower]:
                    heapq.heappush(coming, (max(now, project.release[follower]), follower))
        while coming and coming[0][0] == now:
            i = heapq.heappop(coming)[1]
            ready.append((priority[i], i))
        ready.sort()
        waiting: list[tuple[float, int]] = []
        for weight, i in ready:
            rest = free - project.demands[i]
            if rest & project.spare == project.spare:
                free, starts[i] = rest, now
                heapq.heappush(ends, (now + project.durations[i], i))
            else:
                waiting.append((weight, i))
        ready = waiting
    return Starts(now, starts)
