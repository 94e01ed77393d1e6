"""What a way to carry out a plan is expected to cost: tokens and time of its conversations, and of those in vain.

A conversation reads the files of its tasks, then works turn by turn. A model is sent all that was said before at every
turn, so the input of a conversation grows with the square of its turns: many tasks in one cost more than their sum, and
many conversations read the same files again. docs/parallel.md tells the formula and where the figures come from.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from stretto.agents.paths import overlap
from stretto.graph import dag
from stretto.graph.schedule import simulate

FIXED: Final = 1_600
"""Tokens that every conversation begins with: the role, its tools and their schemas."""
CALL, ANSWER, FINISH = 40, 25, 80
"""Tokens of a call that reads, of a tool's short answer, and of the result."""
LATENCY, SPEED = 3.0, 50.0
"""Seconds until a model begins to answer, and the output tokens of a second after that."""
UNKNOWN_FILES: Final = 3_000
"""Tokens of files that a task is taken to read if it names none that exist."""
OUTPUT_WEIGHT: Final = 4
"""How much an output token costs beside one of input: the median of the list prices of 256 models."""


class Work(NamedTuple):
    """A task as the model of costs sees it. `brief` and `files` (path → size) are tokens."""

    name: str
    needs: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    brief: int
    files: Mapping[str, int]


class Figures(NamedTuple):
    """What tasks are like. The defaults are fitted to the replayed plans of `make bench`; a store has its own.

    `turns` of work and `output` tokens a turn, for each path that a task writes; `pace`, how many times the seconds of
    the model a task takes; `slips`, the share of attempts that fail for a reason of their own; and how likely the later
    of two tasks at work at once is sent back: `near`, since one does not say what it writes and both read the same;
    `blind`, since one does not say it; `stale`, since
    one reads what the other writes; `apart`, for want of any such reason. `resent` is what a token of input costs that
    was sent a turn before, beside one that is new: a tenth where the provider keeps what it was sent, else 1.
    """

    turns: float = 4.0
    output: float = 200.0
    pace: float = 1.0
    slips: float = 0.04
    near: float = 0.7
    blind: float = 0.0
    stale: float = 0.7
    apart: float = 0.0
    resent: float = 0.1


class Cost(NamedTuple):
    """Tokens and seconds, and the largest context that one conversation comes to. `resent` is a part of `input`.

    `again` is how often the unluckiest task is expected to be sent back.
    """

    input: float
    resent: float
    output: float
    seconds: float
    context: float = 0.0
    again: float = 0.0

    @property
    def tokens(self) -> float:
        """Input and output together."""
        return self.input + self.output

    def priced(self, resent: float) -> float:
        """The tokens as tokens of new input, by what they cost beside those."""
        return self.input - self.resent + resent * self.resent + OUTPUT_WEIGHT * self.output

    def weight(self, resent: float) -> float:
        """One figure for tokens and time, their geometric mean: to halve either is worth the same."""
        return math.sqrt(self.priced(resent) * self.seconds)

    def times(self, factor: float) -> "Cost":
        """The same work so many times over."""
        sent, resent, said, seconds = (part * factor for part in self[:4])
        return Cost(sent, resent, said, seconds, self.context)


def conversation(works: Sequence[Work], figures: Figures) -> Cost:
    """One conversation that does these tasks, one after the other."""
    files: dict[str, int] = {}
    for work in works:
        files.update(work.files or {f"{work.name}: unknown": UNKNOWN_FILES})
    turns: list[tuple[float, int]] = [(CALL, size) for size in files.values()]
    for work in works:
        steps = max(1, round(figures.turns * max(1, len(work.writes))))
        turns += [(figures.output, ANSWER)] * steps
    turns.append((FINISH, 0))
    context = float(FIXED + sum(work.brief for work in works))
    sent = said = known = 0.0
    resent = 0.0
    for output, answer in turns:
        sent += context
        resent += known
        said += output
        known, context = context, context + output + answer
    return Cost(sent, resent, said, figures.pace * (LATENCY * len(turns) + said / SPEED), context)


def one(works: Sequence[Work], figures: Figures) -> Cost:
    """All in one conversation. A slip in any of them sends all of it back."""
    return conversation(works, figures).times(1 / (1 - figures.slips) ** len(works))


def in_series(works: Sequence[Work], figures: Figures) -> Cost:
    """A conversation for each task, one after the other: each begins with what those before have left."""
    each = [conversation([w], figures).times(1 / (1 - figures.slips)) for w in works]
    return _sum(each, sum(c.seconds for c in each))


def at_once(works: Sequence[Work], figures: Figures, slots: int) -> Cost:
    """A conversation for each task, as many at once as the plan and the slots allow; clashes are done again."""
    each = [conversation([w], figures).times(1 / (1 - figures.slips)) for w in works]
    again = redone(works, figures, slots, [c.seconds for c in each])
    each = [c.times(1 + again[w.name]) for w, c in zip(works, each, strict=True)]
    seconds = {w.name: c.seconds for w, c in zip(works, each, strict=True)}
    together = _sum(each, simulate(seconds, {w.name: w.needs for w in works}, slots).makespan)
    return together._replace(again=max(again.values(), default=0.0))


def redone(works: Sequence[Work], figures: Figures, slots: int, seconds: Sequence[float]) -> dict[str, float]:
    """How often each task is expected to be sent back: of two at work at once, the one that lands later."""
    takes = {w.name: s for w, s in zip(works, seconds, strict=True)}
    plan = simulate(takes, {w.name: w.needs for w in works}, slots)
    found = dict.fromkeys(takes, 0.0)
    for i, a in enumerate(works):
        for b in works[i + 1 :]:
            if plan.start[a.name] < plan.finish[b.name] and plan.start[b.name] < plan.finish[a.name]:
                later = a if plan.finish[a.name] > plan.finish[b.name] else b
                found[later.name] += risk(a, b, figures)
    return found


def risk(one: Work, two: Work, figures: Figures) -> float:
    """How likely the later of two tasks at work at once is sent back."""
    if not (one.writes and two.writes):
        return figures.near if any(overlap(a, b) for a in _places(one) for b in _places(two)) else figures.blind
    pairs = [(w, r) for w in one.writes for r in two.reads] + [(w, r) for w in two.writes for r in one.reads]
    return figures.stale if any(overlap(w, r) for w, r in pairs) else figures.apart


def _places(work: Work) -> tuple[str, ...]:
    return (*work.reads, *work.writes)


def width(works: Sequence[Work]) -> tuple[int, int]:
    """How many tasks can be at work at once if there are slots for all, and how many the longest chain has."""
    if not works:
        return 0, 0
    needs = {w.name: w.needs for w in works}
    plan = simulate(dict.fromkeys(needs, 1.0), needs, len(works))
    starts = list(plan.start.values())
    return max(starts.count(at) for at in starts), round(plan.makespan)


def in_order(works: Sequence[Work]) -> tuple[Work, ...]:
    """The tasks so that each comes after what it needs."""
    named = {w.name: w for w in works}
    return tuple(named[n] for n in dag.ordered(list(named), {w.name: w.needs for w in works}, "tasks"))


def _sum(each: Sequence[Cost], seconds: float) -> Cost:
    sent, resent, said = sum(c.input for c in each), sum(c.resent for c in each), sum(c.output for c in each)
    return Cost(sent, resent, said, seconds, max((c.context for c in each), default=0.0))
