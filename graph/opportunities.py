"""Opportunities: agents that are held and do nothing while somebody waits for agents, with the events that say so."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from stretto.graph.admission import Decision
from stretto.state.allocation import Allocation
from stretto.state.figures import WorkflowView
from stretto.state.moments import moment
from stretto.state.wire import Event

LEAST_SECONDS: Final = 60.0
"""For less long it is no opportunity: between two phases everybody does nothing."""


class Opportunity(NamedTuple):
    """Who holds idle agents, who waits for some (of which role, if one was asked for), for how long both, what to do.

    `action` is a line that can be typed as it stands.
    """

    holds: str
    idle_agents: int
    waits: str
    role: str
    seconds: float
    events: tuple[str, ...]
    action: str


def opportunities(
    held: Iterable[Allocation],
    waits: Iterable[tuple[Allocation, Decision]],
    views: Mapping[str, WorkflowView],
    events: Sequence[Event],
    free: float,
    now: float,
) -> list[Opportunity]:
    """One for each pair of an idle holder and one who lacks agents that the idle ones are enough for; longest first."""
    idle = [(one, since) for one in held if (since := _idle_since(one, views)) is not None]
    found: list[Opportunity] = []
    for waiting, decision in waits:
        missing = int(waiting.wanted.get("agents", 0) - free)
        for holder, since in idle if "agents" in decision.reason else ():
            agents = int(holder.granted.get("agents", 0))
            seconds = now - max(since, moment(waiting.requested))
            if 0 < missing <= agents and seconds >= LEAST_SECONDS:
                told = (_last(events, "RESOURCE_ALLOCATED", holder), _last(events, "WORKFLOW_QUEUED", waiting))
                ids = tuple(e.event_id for e in told if e)
                role = str(waiting.wanted.get("specialization", ""))
                action = _action(holder.workflow_id, agents - missing)
                found.append(Opportunity(holder.workflow_id, agents, waiting.workflow_id, role, seconds, ids, action))
    return sorted(found, key=lambda one: (-one.seconds, one.holds, one.waits))


def _idle_since(one: Allocation, views: Mapping[str, WorkflowView]) -> float | None:
    """Since when nothing of its workflow has been at work; None if something is, or nobody can tell."""
    view = views.get(one.workflow_id)
    if one.state != "active" or view is None or any(p.state == "in_progress" for p in view.phases.values()):
        return None
    ends = [phase.finished for phase in view.phases.values() if phase.finished is not None]
    return max([moment(one.since), *ends])


def _last(events: Sequence[Event], kind: str, one: Allocation) -> Event | None:
    mine = (e for e in reversed(events) if e.workflow_id == one.workflow_id and e.type == kind)
    return next((e for e in mine if e.data.get("allocation_id", one.id) == one.id), None)


def _action(holder: str, agents: int) -> str:
    """Give up what is missing; who would have nothing left had better begin."""
    if agents < 1:
        return f"stretto coordination-hub start {holder}"
    return f"stretto resource-manager reallocate {holder} --agents={agents}"
