"""Tracks: the phases of a plan as parts of one implementation, each with a name, an order and tests of its own."""

import re

from stretto.graph.plan import Plan, PlanPhase
from stretto.graph.plan_tasks import PlanTasks
from stretto.graph.spec import Spec, Track
from stretto.graph.track_tests import PREFIX
from stretto.state.errors import BadInput

_RESERVED = ("implementation", "debugging", "finalization")


def tracks(plan: Plan, found: PlanTasks) -> tuple[Track, ...]:
    """A track for each phase of the plan that has something left to do, in the plan's order.

    Raises:
        BadInput: A task has a name that the tests of tracks have.
    """
    if taken := next((t.id for t in found.tasks if t.id.startswith(PREFIX)), None):
        raise BadInput(f"A task of the plan is called {taken!r}; the tests of a track are called so.", field="plan")
    numbers = sorted(set(found.phase_of.values()))
    phases = [p for p in plan.phases if p.number in numbers]
    named = {p.number: label(p, [q for q in phases if q.number != p.number]) for p in phases}
    return tuple(_track(p, found, named) for p in phases)


def _track(phase: PlanPhase, found: PlanTasks, named: dict[int, str]) -> Track:
    mine = [t for t in found.tasks if found.phase_of[t.id] == phase.number]
    before = sorted({found.phase_of[d] for t in mine for d in t.depends_on} - {phase.number})
    return Track(
        name=named[phase.number],
        number=phase.number,
        tasks=tuple(t.id for t in mine),
        after=tuple(named[n] for n in before),
        checks=phase.testing,
    )


def label(phase: PlanPhase, others: list[PlanPhase]) -> str:
    """The phase's name as a word; with its number where it says nothing, or the same as another's."""
    word = _word(phase.name)
    if not word[:1].isalpha():
        return f"phase-{phase.number}"
    return f"{word}-{phase.number}" if word in (*_RESERVED, *(_word(p.name) for p in others)) else word


def _word(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9_]+", text.lower()))[:30].strip("-_")


def tracks_of(spec: Spec) -> tuple[Track, ...]:
    """All tracks of a workflow."""
    return tuple(track for phase in spec.phases for track in phase.tracks)
