"""Demand: how many agents, how much memory and how long a workflow of a type will need, and how sure that is.

From finished workflows of the type; the ones named as similar count three times, whatever their type. Agents and memory
are what four of five of them needed; the duration is their median, with what lies between the tenth and the ninetieth
percent of them, which is `unknown` for fewer than five. Where complexities are recorded, amounts are scaled from one to
the other by 1, 1.5, 2 and 2.5. `confidence` is how many of them would have had enough if it had been predicted from the
others, divided by their number and two more, so that a few lucky ones do not make it sure.

Nothing of the kind has finished: the defaults of the type, with confidence 0.
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from stretto.graph.analyze import PHASES
from stretto.graph.learning import PastWorkflow
from stretto.state.ids import slug

ENOUGH: Final = 5
SIMILAR_COUNTS: Final = 3
QUANTILE: Final = 0.8
COMPLEXITIES: Final = {"low": 1.0, "medium": 1.5, "high": 2.0, "very_high": 2.5}
_GIB: Final = 1024**3
_BASE: Final = {
    "feature_development": (3, 4, 8),
    "api_development": (3, 4, 8),
    "frontend_development": (2, 3, 6),
    "database_development": (2, 3, 8),
    "bug_fix": (1, 2, 4),
    "research_project": (1, 2, 4),
}
"""Agents, cores and GiB of a type."""
_HOURS: Final = {
    "feature_development": 24,
    "api_development": 24,
    "frontend_development": 20,
    "database_development": 18,
    "bug_fix": 8,
    "research_project": 12,
    "documentation_update": 6,
    "testing_project": 16,
    "refactoring_project": 20,
}
_TEMPLATES: Final = {
    "bug_fix": "bug-fix",
    "documentation_update": "documentation-update",
    "testing_project": "testing",
    "refactoring_project": "refactoring",
    "research_project": "research",
}
_RECENT = 10


class Named(NamedTuple):
    """An input that a request named, and the stored records that it stands for; none means that it is empty."""

    name: str
    records: tuple[str, ...]
    value: float | None = None


class Demand(NamedTuple):
    """What is predicted. `low` to `high` holds four of five durations; None is unknown."""

    agents: int
    memory: int
    cpu: float
    seconds: float
    low: float | None
    high: float | None
    n: int
    confidence: float
    basis: str
    similar: tuple[Named, ...] = ()
    team: Named | None = None
    touches: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """As a reply and the request's context tell it."""
        return {
            "agents": self.agents,
            "memory": self.memory,
            "cpu": self.cpu,
            "seconds": self.seconds,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "confidence": self.confidence,
            "basis": self.basis,
        }


def predict(
    past: Sequence[PastWorkflow],
    kind: str,
    complexity: str = "",
    similar: Sequence[str] = (),
    *,
    team: bool = False,
) -> Demand:
    """What a workflow of this kind will need."""
    named = tuple(Named(name, tuple(p.workflow_id for p in past if _is(p, name))) for name in similar)
    chosen = {name for one in named for name in one.records}
    pool = [p for p in past if p.kind == kind or p.workflow_id in chosen]
    pace = _pace(past) if team else None
    found = _of_history(pool, chosen, complexity) if pool else _of_type(kind, complexity)
    speed = pace.value if pace and pace.value is not None else 1.0
    return found._replace(
        seconds=found.seconds * speed,
        low=None if found.low is None else found.low * speed,
        high=None if found.high is None else found.high * speed,
        similar=named,
        team=pace,
        touches=_often([p for p in pool if p.workflow_id in chosen]),
    )


def _is(past: PastWorkflow, name: str) -> bool:
    """`auth_feature` names `auth_feature`, `auth_feature_001`, and what is called "Auth feature"."""
    head, _, number = past.workflow_id.rpartition("_")
    return name in (past.workflow_id, slug(past.name)) or (head == name and number.isdecimal())


def _of_history(pool: Sequence[PastWorkflow], similar: set[str], complexity: str) -> Demand:
    weights = [SIMILAR_COUNTS if p.workflow_id in similar else 1 for p in pool]
    scaled = [_scaled(p, complexity) for p in pool]
    hits = sum(_enough(scaled, weights, at) for at in range(len(pool))) if len(pool) > 1 else 0
    found = _estimate(scaled, weights)
    basis = f"{len(pool)} finished workflows"
    if similar:
        basis += f", {sum(p.workflow_id in similar for p in pool)} of them similar"
    return found._replace(n=len(pool), confidence=hits / (len(pool) + 2), basis=basis)


class _Sample(NamedTuple):
    agents: float
    memory: float
    seconds: float


def _scaled(past: PastWorkflow, complexity: str) -> _Sample:
    known = COMPLEXITIES.get(past.complexity)
    factor = COMPLEXITIES[complexity] / known if complexity and known else 1.0
    return _Sample((past.agents or 1) * factor, (past.memory or 0) * factor, past.seconds * factor)


def _estimate(samples: Sequence[_Sample], weights: Sequence[int]) -> Demand:
    seconds = [s.seconds for s in samples]
    few = len(samples) < ENOUGH
    return Demand(
        agents=max(1, math.ceil(_quantile([s.agents for s in samples], weights, QUANTILE) - 1e-9)),
        memory=round(_quantile([s.memory for s in samples], weights, QUANTILE)),
        cpu=0.0,
        seconds=_quantile(seconds, weights, 0.5),
        low=None if few else _quantile(seconds, weights, 0.1),
        high=None if few else _quantile(seconds, weights, 0.9),
        n=len(samples),
        confidence=0.0,
        basis="",
    )


def _enough(samples: Sequence[_Sample], weights: Sequence[int], at: int) -> bool:
    """Whether this one would have had enough, predicted from the others."""
    others = [*samples[:at], *samples[at + 1 :]]
    found = _estimate(others, [*weights[:at], *weights[at + 1 :]])
    one = samples[at]
    in_time = found.high is None or one.seconds <= found.high
    return one.agents <= found.agents and one.memory <= found.memory and in_time


def _quantile(values: Sequence[float], weights: Sequence[int], share: float) -> float:
    """The least value that is not below this share of the weight."""
    ranked = sorted(zip(values, weights, strict=True))
    total, passed = sum(weights), 0
    for value, weight in ranked:
        passed += weight
        if passed >= share * total - 1e-9:
            return value
    return ranked[-1][0]


def _of_type(kind: str, complexity: str) -> Demand:
    agents, cores, gigabytes = _BASE.get(kind, (2, 3, 6))
    factor = COMPLEXITIES.get(complexity, 1.0)
    phases = len(PHASES[_TEMPLATES.get(kind, "feature-development")])
    return Demand(
        agents=math.ceil(agents * factor),
        memory=round(gigabytes * factor * _GIB),
        cpu=cores * factor,
        seconds=_HOURS.get(kind, 16) * factor * phases / 4 * 3600,
        low=None,
        high=None,
        n=0,
        confidence=0.0,
        basis="no finished workflow of this type: defaults of the type, confidence 0",
    )


def _pace(past: Sequence[PastWorkflow]) -> Named:
    """How long the newest workflows took, against the median of their types; above 1 is slower."""
    found: dict[str, float] = {}
    for one in sorted(past, key=lambda p: p.finished)[-_RECENT:]:
        peers = [p.seconds for p in past if p.kind == one.kind]
        if len(peers) > 1:
            found[one.workflow_id] = one.seconds / median(peers)
    return Named("current_team_metrics", tuple(found), median(found.values()) if found else None)


def _often(past: Sequence[PastWorkflow]) -> tuple[str, ...]:
    """The files that more than half of these changed."""
    counts: dict[str, int] = {}
    for one in past:
        for path in one.writes:
            counts[path] = counts.get(path, 0) + 1
    return tuple(sorted(path for path, count in counts.items() if count * 2 > len(past)))
