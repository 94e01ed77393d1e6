"""The workload of a scenario: what is run where a document asks for figures of a period, so that there are some.

The same workflows each time, made and moved as all others are. They come in groups, ask for more agents than there are
together, and take longer or less long than was said.
"""

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final

from stretto.commands.scenario_document import Step

GROUPS: Final = 5
SIZE: Final = 4
"""Workflows that come at one moment: twenty in all."""
PREFIX: Final = "workload_"
_MEASURING = ("/performance-monitor benchmark", "/performance-monitor compare-optimization")
_APPLIED = "/resource-manager optimize"
_COMPARED = "/performance-monitor compare-optimization"
_PRIORITIES = ("critical", "high", "medium", "low")


def first_needed(steps: Sequence[Step]) -> int | None:
    """The line before which the workload must have been run: where one measures, the first that does, or optimises."""
    if not any(step.text.startswith(_MEASURING) for step in steps):
        return None
    return next(step.line for step in steps if step.text.startswith(_MEASURING) or _optimises(step))


def again_after(steps: Sequence[Step]) -> int | None:
    """The line after which it must be run again: the first that optimises, where a later one compares."""
    lines = [step.line for step in steps if _optimises(step)]
    compared = [step.line for step in steps if step.text.startswith(_COMPARED)]
    return lines[0] if lines and compared and lines[0] < compared[-1] else None


def _optimises(step: Step) -> bool:
    """Whether a line changes the settings, and does not only show what it would change."""
    return step.text.startswith(_APPLIED) and "--dry-run" not in step.text and "--undo" not in step.text


def groups(period: str) -> Iterator[list[str]]:
    """The lines that create it, those of one moment together."""
    for group in range(GROUPS):
        yield [_line(period, group * SIZE + i) for i in range(SIZE)]


def _line(period: str, number: int) -> str:
    body = {
        "workflow_id": f"{PREFIX}{period}_{number + 1:03d}",
        "type": "feature_development",
        "complexity": "high",
        "priority": _PRIORITIES[number % len(_PRIORITIES)],
        "phases": ["planning", "implementation", "testing"],
        "resource_requirements": {
            "agents": 1 + part(f"agents {number}", 3),
            "memory": "1GB",
            "duration": f"{30 + 10 * part(f'duration {number}', 7)}m",
        },
    }
    return f"/coordination-hub create-workflow '{json.dumps(body)}'"


def part(text: str, parts: int) -> int:
    """A number below `parts`, the same for the same text: chance without a die."""
    return sha256(text.encode()).digest()[0] % parts


def stretched(workflow: str, phase: str) -> float:
    """How much longer a phase takes than was said: from 0.8 to 1.3 in the workload, the same in each period; else 1."""
    if not workflow.startswith(PREFIX):
        return 1.0
    number = workflow.rpartition("_")[2]
    return 0.8 + 0.05 * part(f"{number} {phase}", 11)
