"""The state machine of a workflow: statuses, arrows, and the one event that each arrow writes."""

from stretto.state.errors import InvalidTransition

FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "ARCHIVED"})
_STOPS = frozenset({"FAILED", "CANCELLED"})
ARROWS: dict[str, frozenset[str]] = {
    "CREATED": frozenset({"SCHEDULED", "QUEUED"}) | _STOPS,
    "QUEUED": frozenset({"SCHEDULED"}) | _STOPS,
    "SCHEDULED": frozenset({"RUNNING"}) | _STOPS,
    "RUNNING": frozenset({"PAUSED", "RECOVERING", "COMPLETED"}) | _STOPS,
    "PAUSED": frozenset({"RUNNING"}) | _STOPS,
    "RECOVERING": frozenset({"RUNNING", "PAUSED"}) | _STOPS,
    "COMPLETED": frozenset({"ARCHIVED"}),
    "FAILED": frozenset({"RECOVERING", "RUNNING", "ARCHIVED"}),
    "CANCELLED": frozenset({"ARCHIVED"}),
    "ARCHIVED": frozenset(),
}
"""From each status, the ones it may go to. FAILED → RUNNING is a resume."""

STATUSES = tuple(ARROWS)
ACTIVE = tuple(status for status in STATUSES if status not in FINAL)
"""Statuses of what has not ended."""
STATUS_AFTER = {
    "WORKFLOW_CREATED": "CREATED",
    "WORKFLOW_SCHEDULED": "SCHEDULED",
    "WORKFLOW_QUEUED": "QUEUED",
    "WORKFLOW_STARTED": "RUNNING",
    "WORKFLOW_RESUMED": "RUNNING",
    "WORKFLOW_PAUSED": "PAUSED",
    "WORKFLOW_COMPLETED": "COMPLETED",
    "WORKFLOW_FAILED": "FAILED",
    "WORKFLOW_CANCELLED": "CANCELLED",
}
"""What an event says about the status. `WORKFLOW_STATE_UPDATED` names it in its data, under `to`."""


def arrow(workflow_id: str, old: str, new: str, *, driven: bool) -> str:
    """The type of the event that going from `old` to `new` writes.

    RUNNING → RUNNING exists for whoever holds the lease alone (`driven`): a new driver takes up what a dead one left.

    Raises:
        InvalidTransition: There is no such arrow.
    """
    taken_up = driven and old == new == "RUNNING"
    if new not in ARROWS[old] and not taken_up:
        allowed = sorted(ARROWS[old])
        raise InvalidTransition(
            f"Workflow {workflow_id!r} is {old} and cannot become {new}; it is unchanged.",
            field="status",
            allowed=allowed,
            next_steps=() if allowed else ("Start a new workflow.",),
        )
    if new == "RUNNING":
        return "WORKFLOW_STARTED" if old == "SCHEDULED" else "WORKFLOW_RESUMED"
    return f"WORKFLOW_{new}" if f"WORKFLOW_{new}" in STATUS_AFTER else "WORKFLOW_STATE_UPDATED"
