"""Trouble that a document lets happen, read ahead of time.

An event of the class `error` in a bash fence fails a phase of a workflow. Until that line comes, the phase is held: the
workflow gets as far as this phase and waits there.
"""

from typing import NamedTuple

from stretto.commands.scenario_document import Example, Step
from stretto.state import registry
from stretto.state.errors import BadInput
from stretto.state.wire import Line, parse_event


class Place(NamedTuple):
    """A phase of a workflow."""

    workflow: str
    phase: str


class Trouble:
    """Where work is held, and where it fails, with the error."""

    def __init__(self, example: Example) -> None:
        found = [troubling(step) for step in example.steps if step.kind == "event"]
        self._held = {Place(line.workflow_id, line.phase) for line in found if line}
        self._errors: dict[Place, str] = {}

    def holds(self, workflow: str, phase: str) -> bool:
        """Whether nobody may begin there yet."""
        return Place(workflow, phase) in self._held

    def phases(self, workflow: str) -> tuple[str, ...]:
        """The phases of a workflow that trouble will come to."""
        return tuple(sorted(place.phase for place in self._held if place.workflow == workflow))

    def strike(self, line: Line) -> None:
        """From now on the work there fails."""
        place = Place(line.workflow_id, line.phase)
        self._held.discard(place)
        self._errors[place] = str(line.data.get("error") or line.type)

    def error(self, workflow: str, phase: str) -> str:
        """The error with which work fails there; empty if it does not."""
        return self._errors.get(Place(workflow, phase), "")

    def over(self, line: Line) -> None:
        """The trouble is over: who tries again will not meet it."""
        self._errors.pop(Place(line.workflow_id, line.phase), None)


def troubling(step: Step) -> Line | None:
    """The event of a step if it tells of an error."""
    try:
        line = parse_event(step.text)
    except BadInput:
        return None
    return line if "error" in registry.classes(registry.canonical(line.type)) else None
