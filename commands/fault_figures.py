"""What a fault did, as figures: how much longer the work took, by pairs of the same task with it and without it.

Both runs go on at the same time on the same machine. The task that was struck says what was lost; the others of its
chain, pair by pair, say how much slower all else went. Their median is taken, so that a moment in which the machine
did something else counts for no more than one pair; the second least and the second most of nine hold it with 96 %.
"""

import os
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from stretto.commands.fault_late import Late
from stretto.commands.fault_workload import LENGTH, VICTIM, Span, chain_ids

BUSY: Final = 0.7
"""The load of the machine, over all its processors, above which too long a time is not held against a recovery."""
_STRUCK = chain_ids("a", LENGTH).index(VICTIM)


class Longer(NamedTuple):
    """How much longer it took, as shares of the time without the fault; over `pairs` of tasks that were not struck."""

    share: float
    low: float
    high: float
    pairs: int


def longer(struck: Span, calm: Span) -> Longer | None:
    """How much longer the struck run took than the calm one beside it; None if one of them did not end."""
    if not len(struck.links) == len(calm.links) == LENGTH:
        return None
    more = [with_it - without for with_it, without in zip(struck.links, calm.links, strict=True)]
    lost, others = more[_STRUCK], sorted(more[:_STRUCK] + more[_STRUCK + 1 :])
    shares = [(lost + len(others) * each) / calm.makespan for each in (median(others), others[1], others[-2])]
    return Longer(shares[0], shares[1], shares[2], len(others))


def machine_load() -> float:
    """What runs on this machine or waits for it, over its processors, in the last minute."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


class Injected(NamedTuple):
    """One fault. Seconds of the wall: `makespan` with it, `undisturbed` beside it without it; `load` is that one's.

    `degradation` is by pairs of tasks, in `interval` with 96 %. `files_equal`: both left the same files.
    `machine_load` is what the machine had to do before. `higher` is the same at the higher load, `late` what came of a
    report after the cut; None where there was none, or no time was left. What did not end has no degradation.
    """

    error_type: str
    impact: str
    cause: str
    evidence: str
    recovered: bool
    recovery_seconds: float | None
    made_good_seconds: float | None
    rows_hash: str
    replay_hash: str
    chain_sound: bool
    files_equal: bool
    load: float
    makespan: float
    undisturbed: float
    degradation: float | None
    interval: Sequence[float] | None
    pairs: int
    machine_load: float
    higher: Mapping[str, Any] | None = None
    late: Late | None = None

    @property
    def consistent(self) -> bool:
        """Whether rows are what a replay gives, files what they would have been, and nothing that came late counted."""
        held_off = self.late is None or self.late.held_off
        return self.rows_hash == self.replay_hash and self.chain_sound and self.files_equal and held_off

    def told(self) -> dict[str, Any]:
        """For programs."""
        late = self.late._asdict() if self.late else None
        return {**self._asdict(), "late": late, "consistent": self.consistent}
