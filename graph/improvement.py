"""Forward-backward improvement, and the what-if scheduler made of it: as good a schedule as a time budget allows.

A schedule is pushed to the right as far as its end allows, the activity that finishes last first; what comes out is
pushed to the left, the one that starts first first (Li and Willis 1992; Valls, Ballestín and Quintanilla 2005). Neither
step makes it longer, both together often make it shorter.
"""

import random
import time
from collections.abc import Callable
from typing import NamedTuple

from stretto.graph.generation import RULES, Priority, Starts, backward, listed, parallel, serial
from stretto.graph.project import Project
from stretto.graph.schedule import Schedule

_FIRST = ("LFT", "LST", "MTS")
"""The rules of the single pass; samples are drawn around the first."""
_SHAKE, _SPREAD = 0.05, 0.15
"""Deviations of the noise, in parts of the length: around the best schedule, and around the priority rule."""


class Found(NamedTuple):
    """The best schedule found, of `tried` ones; no schedule is shorter than `bound`."""

    schedule: Schedule
    bound: int
    tried: int

    @property
    def proven(self) -> bool:
        """Whether no schedule can be shorter."""
        return self.schedule.makespan == self.bound


def improve(
    project: Project, seconds: float = 0.0, seed: int = 0, clock: Callable[[], float] = time.process_time
) -> Found:
    """A short schedule: the best of both schemes under three rules, improved; then samples, while `seconds` allow.

    With a budget of 0 the answer is a function of the project alone. Samples, too, are the same for the same seed; how
    many of them `clock` allows is not. One above the bound cannot be told from the shortest; `proven` says when it can.
    """
    began = clock()
    rules = [RULES[name](project) for name in _FIRST]
    first = (found for rule in rules for found in (serial(project, listed(project, rule)), parallel(project, rule)))
    best = justified(project, next(first))
    tried = 1
    for start in first:
        if best.makespan == project.bound:
            break
        best = _shorter(best, justified(project, start))
        tried += 1
    chance = random.Random(seed)  # noqa: S311  - no secret hangs on it
    while best.makespan > project.bound and clock() - began < seconds:
        best = _shorter(best, justified(project, _sample(project, best, rules[0], chance)))
        tried += 1
    return Found(_named(project, best), project.bound, tried)


def justified(project: Project, found: Starts) -> Starts:
    """Improve a schedule backward and forward until that makes it no shorter."""
    durations, place = project.durations, {i: at for at, i in enumerate(project.order)}
    while True:
        ends = [start + time for start, time in zip(found.starts, durations, strict=True)]
        right = backward(project, sorted(place, key=lambda i: (ends[i], place[i]), reverse=True)).starts
        # Counted from the end: who ends last there starts first here.
        starts = [right[i] + durations[i] for i in range(len(project))]
        left = serial(project, sorted(place, key=lambda i: (-starts[i], place[i])))
        if left.makespan >= found.makespan:
            return found
        found = left


def _sample(project: Project, best: Starts, rule: Priority, chance: random.Random) -> Starts:
    """A schedule near the best one, or near the rule."""
    near = chance.random() < 0.5
    centre: Priority = best.starts if near else rule
    width = _SHAKE * best.makespan if near else _SPREAD * project.critical
    return serial(project, listed(project, [at + chance.gauss(0, width) for at in centre]))


def _shorter(one: Starts, other: Starts) -> Starts:
    return other if other.makespan < one.makespan else one


def _named(project: Project, found: Starts) -> Schedule:
    start = {one.name: float(at) for one, at in zip(project.activities, found.starts, strict=True)}
    finish = {one.name: float(at + one.duration) for one, at in zip(project.activities, found.starts, strict=True)}
    return Schedule(found.makespan, start, finish)
