"""The event types: which ones there are, the other names they go by, and the classes one can ask for.

A type that is not here is kept as it came and marked as unknown (`is_known`), so that a newer writer or another tool
loses nothing.
"""

_TYPES = """
WORKFLOW_CREATED WORKFLOW_STARTED WORKFLOW_PAUSED WORKFLOW_RESUMED WORKFLOW_COMPLETED WORKFLOW_FAILED WORKFLOW_CANCELLED
WORKFLOW_UNDONE WORKFLOW_SCHEDULED WORKFLOW_QUEUED WORKFLOW_STATE_UPDATED
PHASE_STARTED PHASE_COMPLETED PHASE_FAILED PHASE_SKIPPED PHASE_PROGRESS
TASK_ASSIGNED TASK_STARTED TASK_COMPLETED TASK_FAILED TASK_TIMEOUT TASK_REASSIGNED
AGENT_ALLOCATED AGENT_DEALLOCATED AGENT_PERFORMANCE_ALERT AGENT_ERROR AGENT_TIMEOUT
RESOURCE_ALLOCATED RESOURCE_DEALLOCATED RESOURCE_CONFLICT RESOURCE_THRESHOLD RESOURCE_OPTIMIZED
RESOURCE_ANALYSIS_REQUESTED
SYSTEM_STARTUP SYSTEM_SHUTDOWN SYSTEM_THRESHOLD SYSTEM_ERROR SYSTEM_MAINTENANCE
ERROR_ENCOUNTERED RECOVERY_INITIATED RECOVERY_COMPLETED RECOVERY_FAILED
CHECKPOINT_CREATED CHECKPOINT_RESTORED
"""
STAGES = ("RESEARCH", "PLAN", "IMPLEMENTATION", "TESTING", "DOCUMENTATION")
OWN = frozenset({"TASK_STEERED"})
"""What only we tell: a person's word to an agent at work."""
TYPES = frozenset(_TYPES.split()) | {f"{s}_{end}" for s in STAGES for end in ("STARTED", "COMPLETED", "FAILED")} | OWN

ALIASES = {
    "PLANNING_STARTED": "PLAN_STARTED",
    "PLANNING_COMPLETED": "PLAN_COMPLETED",
    "PLANNING_FAILED": "PLAN_FAILED",
    "agent_assigned": "AGENT_ALLOCATED",
    "capacity_threshold": "RESOURCE_THRESHOLD",
    "optimization_applied": "RESOURCE_OPTIMIZED",
    "resource.released": "RESOURCE_DEALLOCATED",
    "error.recoverable": "ERROR_ENCOUNTERED",
    "error.critical": "ERROR_ENCOUNTERED",
    "recovery.started": "RECOVERY_INITIATED",
}
"""Names that mean a type but are not merely its lower-case or dotted spelling."""

CLASSES = ("state_change", "checkpoint", "error")
SEVERITIES = ("info", "warning", "error", "critical")


def canonical(name: str) -> str:
    """The type that `name` means: `phase.started` and `phase_started` → `PHASE_STARTED`; unknown names unchanged."""
    upper = name.upper().replace(".", "_") if name == name.lower() else name
    upper = ALIASES.get(upper, upper)
    return upper if upper in TYPES else ALIASES.get(name, name)


def is_known(event_type: str) -> bool:
    """Whether the type, in its canonical spelling, is in the registry."""
    return event_type in TYPES


def classes(event_type: str) -> frozenset[str]:
    """The classes an event belongs to, by its canonical type: none, one, or two (`WORKFLOW_FAILED`)."""
    found: set[str] = set()
    if event_type.startswith(("WORKFLOW_", "PHASE_", "TASK_")):
        found.add("state_change")
    if event_type.startswith("CHECKPOINT_"):
        found.add("checkpoint")
    if event_type.startswith("ERROR_") or event_type.endswith(("_FAILED", "_TIMEOUT", "_ERROR")):
        found.add("error")
    return frozenset(found)
