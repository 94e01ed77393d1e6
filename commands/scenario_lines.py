"""The lines of a scenario one by one: what each of them means, and which workflows it names or makes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from stretto.commands.invocation import Invocation
from stretto.commands.options import MOST_HELPERS
from stretto.commands.parse import parse_line
from stretto.commands.scenario_document import Step
from stretto.state.errors import StrettoError
from stretto.state.ids import RESERVED
from stretto.state.wire import Line, parse_event

CREATIONS = frozenset({"create", "create-workflow", "create-test-workflow"})
"""Operations of the hub that make workflows, or attach to one that is there."""
_ALLOCATIONS: Final = frozenset({"allocate", "reserve"})
_ID_FLAGS: Final = ("workflow-context", "workflow", "continue-from", "resume")


class Said(NamedTuple):
    """A step, with its meaning if it is a command that has one, or its event if it is one."""

    step: Step
    invocation: Invocation | None = None
    event: Line | None = None


def starts(invocation: Invocation | None) -> bool:
    """Whether a line has a driver begin a workflow whose phases other lines may take up."""
    return (
        invocation is not None
        and invocation.command == "orchestrate"
        and not invocation.operation
        and bool(invocation.words)
        and "resume" not in invocation.flags
    )


def read(step: Step, folder: Path) -> Said:
    """A step and what it means; a search in it is made in `folder`."""
    try:
        if step.kind == "event":
            return Said(step, event=parse_event(step.text))
        return Said(step, parse_line(step.text, project=folder)) if step.kind == "command" else Said(step)
    except StrettoError:  # it will say so when it is run
        return Said(step)


def description(said: Said) -> str:
    """The text behind a command such as `/orchestrate`."""
    return said.invocation.words[0].text if said.invocation and said.invocation.words else ""


def context(said: Said) -> Mapping[str, Any]:
    """The context of a `/subagents` line; of any other, none."""
    if said.invocation is None or said.invocation.command != "subagents" or len(said.invocation.json) != 2:
        return {}
    return _object(said.invocation.json[0])


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def tasks(said: Said) -> list[Mapping[str, Any]]:
    """The tasks of a `/subagents` line."""
    given: object = said.invocation.json[1] if context(said) and said.invocation else ()
    found = cast("list[object]", given) if isinstance(given, list) else []
    return [cast("Mapping[str, Any]", task) for task in found if isinstance(task, dict)]


def allocated(said: Said, workflow: str) -> int:
    """How many agents a line has allocated to a workflow, by number; else 0."""
    one = said.invocation
    if one is None or (one.command, one.operation) != ("resource-manager", "allocate"):
        return 0
    if workflow not in (*one.ids, *_named_inside(one)):
        return 0
    wanted = _object(_object(one.json[0] if one.json else {}).get("resources"))
    number = one.flags.get("agents", wanted.get("agents"))
    return number if isinstance(number, int) and 0 < number <= MOST_HELPERS else 0


def spoken_of(said: Said) -> Iterator[str]:
    """The ids that a step names."""
    if said.event and said.event.workflow_id not in RESERVED:
        yield said.event.workflow_id
    if said.invocation is None:
        return
    yield from said.invocation.ids
    yield from (
        str(said.invocation.flags[flag]) for flag in (*_ID_FLAGS, "workflow-id") if flag in said.invocation.flags
    )
    yield from _named_inside(said.invocation)


def _named_inside(invocation: Invocation) -> Iterator[str]:
    """The `workflow_id` of a body."""
    for body in invocation.json:
        if isinstance(name := _object(body).get("workflow_id"), str):
            yield name


def made(said: Said) -> Iterator[str]:
    """The ids of workflows that a line makes for sure: a creation without a body may mean one that is there."""
    one = said.invocation
    if one is None:
        return
    if "workflow-id" in one.flags:
        yield str(one.flags["workflow-id"])
    if one.command == "coordination-hub" and one.operation in CREATIONS and one.json:
        yield from (*one.ids, *_named_inside(one))
    if one.operation == "transition":
        yield from one.ids[1:]


def taken_for_granted(said: Said) -> Iterator[str]:
    """The ids of workflows that must be there already, or the line fails."""
    one = said.invocation
    if said.event and said.event.workflow_id not in RESERVED:
        yield said.event.workflow_id
    if one is None or one.command == "subagents" or one.operation in CREATIONS | _ALLOCATIONS:
        return
    yield from one.ids[:1]
    yield from (str(one.flags[flag]) for flag in _ID_FLAGS if flag in one.flags)
