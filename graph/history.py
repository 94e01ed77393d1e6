"""What past tasks took: the history that estimates are made from, read from the event log."""

from collections.abc import Iterator
from typing import cast

from pydantic import ValidationError

from stretto.agents.task import RoleName
from stretto.graph.coordination import RUNNER
from stretto.graph.estimate import PastTask
from stretto.graph.spec import Kind, Spec
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow
from stretto.state.view import fold

RECENT = 100
"""Workflows that are looked at: enough to estimate from, in a time that does not grow with the store."""


def past_tasks(log: Log) -> tuple[PastTask, ...]:
    """Every completed agent task of the store's newest workflows, oldest workflow first.

    Those that commands move by hand have no agents' tasks of ours.
    """
    rows = [row for row in reversed(log.newest_workflows(RECENT)) if row.runner != RUNNER]
    return tuple(task for row in rows if (spec := _spec(row)) for task in _tasks(log, row.id, spec))


def _spec(row: WorkflowRow) -> Spec | None:
    """None for what a newer version has written: that is no reason not to begin something else."""
    try:
        return Spec.model_validate(row.spec)
    except ValidationError:
        return None


def _tasks(log: Log, workflow_id: str, spec: Spec) -> Iterator[PastTask]:
    kinds: dict[str, Kind] = {p.name: p.kind for p in spec.phases}
    for task in fold(log.events(workflow_id)).tasks.values():
        seconds = task.seconds()
        if task.state != "completed" or seconds is None or task.agent == "checks":
            continue
        usage = task.usage
        yield PastTask(
            role=cast("RoleName", task.role),
            phase_kind=kinds.get(task.phase, "debug"),
            seconds=seconds,
            input_tokens=_whole(usage.input_tokens.total),
            output_tokens=_whole(usage.output_tokens.total),
            cost_usd=usage.cost_usd.total,
            attempts=task.attempts,
        )


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
