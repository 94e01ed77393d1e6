"""The event types: which ones there are, the other names they go by, what each must say, and the classes to ask for.

A type that is not here, or an event that leaves out what its type must say, is kept as it came and marked (`is_known`,
`missing`), so that a newer writer or another tool loses nothing. A log that was opened as strict refuses both.
"""

from collections.abc import Mapping

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
OWN = frozenset(
    {
        "TASK_STEERED",
        "TASK_REUSED",
        "CACHE_REFUSED",
        "SETTINGS_CHANGED",
        "METRICS_RECORDED",
        "RESOURCE_REQUESTED",
        "RESOURCE_RESERVED",
        "DEPENDENCIES_VALIDATED",
        "MODEL_CHANGED",
        "BATCH_DELIVERED",
        "PARALLELISM_CHOSEN",
    }
)
"""What only we tell: a person's word to an agent at work; that an outcome was kept and holds here, or is no good; a
choice that commands go by from now on; that resources are asked for, and that they are kept for a time to come; that
what a workflow depends on was looked at; that another model stands in; how the tasks of a plan are shared out, and
why; that a subscriber was handed events, how many and how long they had waited."""
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

_REQUIRED = """
WORKFLOW_PAUSED pause_reason
WORKFLOW_FAILED failure_reason
WORKFLOW_CANCELLED cancellation_reason cleanup_status
PHASE_FAILED failure_reason
PHASE_SKIPPED skip_reason
PHASE_PROGRESS progress_percentage
TASK_ASSIGNED task_id agent_id
TASK_STARTED task_id agent_id
TASK_COMPLETED task_id agent_id results
TASK_FAILED task_id agent_id failure_reason retry_count
TASK_TIMEOUT task_id agent_id timeout_duration
TASK_REASSIGNED task_id reason
TASK_STEERED task_id
TASK_REUSED task_id agent_id key
CACHE_REFUSED task_id key reason
MODEL_CHANGED task_id old new reason
SETTINGS_CHANGED name version value
PARALLELISM_CHOSEN mode why
METRICS_RECORDED metrics
AGENT_ALLOCATED agent_id role
AGENT_DEALLOCATED agent_id reason
AGENT_PERFORMANCE_ALERT agent_id performance_metric threshold
AGENT_ERROR agent_id error_type error_details
AGENT_TIMEOUT agent_id timeout_duration
RESOURCE_REQUESTED allocation_id resource_details requester
RESOURCE_RESERVED allocation_id resource_details requester
RESOURCE_ALLOCATED allocation_id resource_details requester
RESOURCE_DEALLOCATED allocation_id release_reason
RESOURCE_CONFLICT conflict_id conflicting_requests severity
RESOURCE_THRESHOLD resource_type current_usage threshold
RESOURCE_OPTIMIZED optimization_type improvement_metrics
SYSTEM_STARTUP component_name version
SYSTEM_SHUTDOWN component_name shutdown_reason
SYSTEM_THRESHOLD metric_name current_value threshold
SYSTEM_ERROR error_type affected_components severity
SYSTEM_MAINTENANCE operation_type
ERROR_ENCOUNTERED error
"""
REQUIRED = {words[0]: tuple(words[1:]) for words in map(str.split, _REQUIRED.strip().splitlines())}
"""What the data of an event of this type must hold.

Of what the command protocols list, without what the envelope says anyway (workflow, phase, times) and what nobody may
know when it is written (estimates, measurements): a field that could only be filled with a guess is none to require.
"""

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


def missing(event_type: str, data: Mapping[str, object]) -> tuple[str, ...]:
    """What an event of this canonical type must say and does not."""
    return tuple(field for field in REQUIRED.get(event_type, ()) if field not in data)


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
