"""/resource-manager: agents, cores, memory and files: who has them, who waits, and what may be needed."""

from stretto.commands import operations
from stretto.commands.app import App
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply

OPERATIONS: operations.Operations = {
    "status": "resource_looking:show",
    "usage": "resource_looking:show",
    "monitor": "resource_looking:show",
    "capacity": "resource_looking:show",
    "configure": "resource_choosing:configure",
    "allocate": "resource_asking:allocate",
    "release": "resource_changing:release",
    "reserve": "resource_changing:reserve",
    "reallocate": "resource_changing:reallocate",
    "transition": "resource_passing:transition",
    "check-conflicts": "resource_conflicts:check",
    "resolve-conflicts": "resource_conflicts:resolve",
    "prevent-conflicts": "resource_conflicts:prevent",
    "optimize": "resource_optimizing:optimize",
    "prefetch": "resource_prefetching:prefetch",
    "forecast": "resource_forecasting:forecast",
    "predict": "resource_forecasting:forecast",
    "plan-capacity": "resource_forecasting:plan_capacity",
    "analyze-utilization": "resource_forecasting:analyze",
    "test-allocation": "resource_trying:test_allocation",
    "handle-failure": "resource_passing:handle_failure",
}
_EXPLAIN = frozenset({"explain"})
FLAGS = {
    "status": _EXPLAIN,
    "usage": _EXPLAIN,
    "monitor": _EXPLAIN,
    "capacity": _EXPLAIN,
    "allocate": frozenset({"agents", "specialization", "priority"}),
    "reserve": frozenset({"priority"}),
    "reallocate": frozenset({"agents"}),
    "transition": frozenset({"preserve-context"}),
    "optimize": frozenset({"dry-run", "undo"}),
    "analyze-utilization": _EXPLAIN,
}
"""Flags of the operations that have some."""
SUPPORTED = frozenset[str]().union(*FLAGS.values())


def handle(invocation: Invocation, app: App) -> Reply:
    """Hand the operation to its function.

    Raises:
        BadInput: This version does not have it, or a flag does nothing there.
    """
    return operations.run(invocation, app, OPERATIONS, FLAGS)
