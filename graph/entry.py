"""Entry: how a driver goes into a graph, from what the last checkpoint waits for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from langgraph.types import Command, Interrupt, StateSnapshot

from stretto.graph.channels import Json, empty
from stretto.state.errors import InvalidTransition
from stretto.state.log import Log


class Answer(NamedTuple):
    """A person's decision at a gate."""

    approve: bool
    why: str = ""


class Given(NamedTuple):
    """What another command brings to a phase that was left to it.

    `tasks` are those to be done there, each as a `TaskSpec`'s JSON; without any the phase does its own.
    """

    phase: str
    tasks: tuple[Json, ...] = ()


class Entry(NamedTuple):
    """What to feed the graph: the first state, an answer, the order to try again, or nothing.

    `waits` names the gate that nobody answered: then there is nothing to feed. `left` names the phase that was left to
    other commands and at which the workflow stands. `stops` are the ids of the gate or the halts at which it stands;
    `retries` says that tasks which failed are tried again. `facts` are for the event that says that the workflow runs.
    """

    payload: Any = None
    waits: str = ""
    left: str = ""
    stops: tuple[str, ...] = ()
    retries: bool = False
    facts: Mapping[str, Any] = MappingProxyType({})


def enter(workflow_id: str, snapshot: StateSnapshot, answer: Answer | None) -> Entry:
    """The way in.

    Raises:
        InvalidTransition: There is an answer, and no gate that waits for one.
    """
    gates = [i for i in snapshot.interrupts if "gate" in i.value]
    if answer and not gates:
        raise InvalidTransition(
            f"Workflow {workflow_id!r} waits at no gate, so there is nothing to approve or reject.",
            field="approve",
            next_steps=(f"stretto workflow-status {workflow_id}", f"stretto orchestrate --resume {workflow_id}"),
        )
    if gates:
        return _at_gate(gates[0], answer)
    if halts := [i for i in snapshot.interrupts if "halt" in i.value]:
        again: Command[Any] = Command(resume={i.id: "again" for i in halts})
        return Entry(again, stops=tuple(sorted(i.id for i in halts)), retries=True)
    left = next((str(i.value["left"]) for i in snapshot.interrupts if "left" in i.value), "")
    return Entry(None if snapshot.created_at else empty(), left=left)


def expected(workflow_id: str, entry: Entry, given: Given) -> None:
    """Whether the workflow stands where something is brought to.

    Raises:
        InvalidTransition: It does not.
    """
    if entry.left != given.phase:
        stands = f"it waits at {entry.left!r}" if entry.left else "it waits for no other command"
        raise InvalidTransition(
            f"Workflow {workflow_id!r} does not leave {given.phase!r} to others now: {stands}. Nothing was written.",
            field="phase",
            next_steps=(f"stretto workflow-status {workflow_id}",),
        )


def leaves(phase: str) -> dict[str, Any]:
    """What WORKFLOW_PAUSED says of a workflow that leaves a phase to other commands."""
    return {"pause_reason": f"leaves {phase} to other commands", "current_state": "waiting for commands", "left": phase}


def _at_gate(gate: Interrupt, answer: Answer | None) -> Entry:
    if answer is None:
        return Entry(waits=str(gate.value["gate"]), stops=(gate.id,))
    facts = {"gate": gate.value["gate"], "approved": answer.approve, "why": answer.why}
    return Entry(
        Command(resume={gate.id: {"approve": answer.approve, "why": answer.why}}), stops=(gate.id,), facts=facts
    )


def waiting(gate: str) -> dict[str, Any]:
    """What WORKFLOW_PAUSED says of a workflow that waits for a person."""
    reason = f"waits at the gate {gate!r}"
    return {"pause_reason": reason, "current_state": "waiting for a person", "gate": gate}


def ordered(log: Log, workflow_id: str) -> dict[str, Any]:
    """What WORKFLOW_PAUSED says of a workflow whose tasks are in the hands of somebody outside."""
    standing = log.standing_orders(workflow_id)
    count = f"{len(standing)} work order{'' if len(standing) == 1 else 's'}"
    orders = [{"order": o.id, "role": o.work["brief"]["role"], "state": o.state} for o in standing]
    why = f"waits for {count}" if standing else "held by its agents"
    return {"pause_reason": why, "current_state": "waiting for agents", "orders": orders}
