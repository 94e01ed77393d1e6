"""The score by which an agent is chosen: whether its role fits, how reliable it was, how much it has to do.

    score = 70 · fit + 25 · (done + 1) ÷ (done + failed + 2) + 5 ÷ (1 + open)

`fit` is 1 for a role that shares a word with one that is wanted, or where none is wanted; 1/2 for an agent without a
role; 0 for another role. A role that fits thus wins over any other, whatever the rest. `done` and `failed` are tasks
that ended in its hands, as the log tells; the share of successes is Laplace's rule of succession, 1/2 for an agent that
nobody has seen at work. `open` are tasks that it has and that have not ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from stretto.graph.failing import belong
from stretto.state.pool import Agent
from stretto.state.wire import Event

_FIT, _RELIABLE, _FREE = 70.0, 25.0, 5.0
_HAS = frozenset({"TASK_ASSIGNED", "TASK_STARTED", "TASK_REASSIGNED"})


class Record(NamedTuple):
    """What an agent has to show: tasks done, tasks (or itself) failed, and the tasks that it has now."""

    done: int = 0
    failed: int = 0
    open: tuple[str, ...] = ()

    @property
    def reliability(self) -> float:
        """The share of tasks that it may be expected to end well."""
        return (self.done + 1) / (self.done + self.failed + 2)


class Scored(NamedTuple):
    """An agent, its score out of 100, and what that is made of."""

    agent: Agent
    score: float
    fit: float
    record: Record


def records(events: Iterable[Event]) -> dict[str, Record]:
    """What each agent has to show, by its id."""
    done: dict[str, int] = {}
    failed: dict[str, int] = {}
    holders: dict[tuple[str, str], str] = {}
    for event in events:
        task, agent = str(event.data.get("task_id", "")), _agent(event)
        if event.type in _HAS:
            holders[event.workflow_id, task] = agent
        elif event.type == "TASK_COMPLETED":
            done[agent] = done.get(agent, 0) + 1
            holders.pop((event.workflow_id, task), None)
        elif event.type == "TASK_FAILED" and event.data.get("final") is not False:
            failed[agent] = failed.get(agent, 0) + 1
            holders.pop((event.workflow_id, task), None)
        elif event.type in ("AGENT_ERROR", "AGENT_TIMEOUT"):
            failed[agent] = failed.get(agent, 0) + 1
        elif event.type in ("WORKFLOW_COMPLETED", "WORKFLOW_CANCELLED"):
            holders = {key: name for key, name in holders.items() if key[0] != event.workflow_id}
    names = {*done, *failed, *holders.values()} - {""}
    has = {name: tuple(f"{w}:{t}" for (w, t), one in holders.items() if one == name) for name in names}
    return {name: Record(done.get(name, 0), failed.get(name, 0), has[name]) for name in sorted(names)}


def _agent(event: Event) -> str:
    new = event.data.get("new_agent") if event.type == "TASK_REASSIGNED" else None
    return str(new if new is not None else event.data.get("agent_id", ""))


def scored(agent: Agent, wanted: Sequence[str], known: Mapping[str, Record]) -> Scored:
    """The score of one agent for work that wants one of these roles; none wanted is any."""
    record = known.get(agent.agent_id, Record())
    fit = 1.0 if not wanted or any(belong(role, agent.role) for role in wanted) else 0.0 if agent.role else 0.5
    return Scored(agent, _FIT * fit + _RELIABLE * record.reliability + _FREE / (1 + len(record.open)), fit, record)


def best(agents: Iterable[Agent], wanted: Sequence[str], known: Mapping[str, Record]) -> list[Scored]:
    """These agents, the best for this work first; of equals the one of the lower id."""
    return sorted((scored(one, wanted, known) for one in agents), key=lambda s: (-s.score, s.agent.agent_id))
