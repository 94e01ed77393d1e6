"""/resource-manager: agents, cores, memory and files: who has them, who waits, and what may be needed."""

from collections.abc import Callable
from importlib import import_module

from stretto.commands.app import App, require_supported
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.state.errors import BadInput

Handle = Callable[[Invocation, App], Reply]
_EXPLAIN = frozenset({"explain"})
OPERATIONS: dict[str, tuple[str, frozenset[str]]] = {
    "status": ("resource_looking:show", _EXPLAIN),
    "usage": ("resource_looking:show", _EXPLAIN),
    "monitor": ("resource_looking:show", _EXPLAIN),
    "capacity": ("resource_looking:show", _EXPLAIN),
    "configure": ("resource_choosing:configure", frozenset()),
    "allocate": ("resource_asking:allocate", frozenset({"agents", "specialization", "priority"})),
    "release": ("resource_changing:release", frozenset()),
    "reserve": ("resource_changing:reserve", frozenset({"priority"})),
    "reallocate": ("resource_changing:reallocate", frozenset({"agents"})),
    "transition": ("resource_passing:transition", frozenset({"preserve-context"})),
    "check-conflicts": ("resource_conflicts:check", frozenset()),
    "resolve-conflicts": ("resource_conflicts:resolve", frozenset()),
    "prevent-conflicts": ("resource_conflicts:prevent", frozenset()),
    "optimize": ("resource_optimizing:optimize", frozenset({"dry-run", "undo"})),
    "prefetch": ("resource_prefetching:prefetch", frozenset()),
    "forecast": ("resource_forecasting:forecast", frozenset()),
    "predict": ("resource_forecasting:forecast", frozenset()),
    "plan-capacity": ("resource_forecasting:plan_capacity", frozenset()),
    "analyze-utilization": ("resource_forecasting:analyze", _EXPLAIN),
    "test-allocation": ("resource_trying:test_allocation", frozenset()),
    "handle-failure": ("resource_passing:handle_failure", frozenset()),
}
"""Each operation as `module:function` of `stretto.commands`, and its flags."""
SUPPORTED = frozenset[str]().union(*(flags for _, flags in OPERATIONS.values()))


def handle(invocation: Invocation, app: App) -> Reply:
    """Hand the operation to its function.

    Raises:
        BadInput: The grammar knows the operation, but this version does not have it.
    """
    if invocation.operation not in OPERATIONS:
        raise BadInput(
            f"/resource-manager {invocation.operation} is understood, but this version does not have it yet; nothing"
            " was done.",
            field="operation",
            allowed=sorted(OPERATIONS),
        )
    where, flags = OPERATIONS[invocation.operation]
    require_supported(invocation, flags)
    module, _, name = where.partition(":")
    function: Handle = getattr(import_module(f"stretto.commands.{module}"), name)
    return function(invocation, app)
