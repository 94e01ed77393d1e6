"""/implement --orchestrated: the phases of a plan as tracks of one workflow, which stays open when they have ended."""

from collections.abc import Mapping
from typing import Literal

from stretto.commands.invocation import Invocation
from stretto.graph.plan import Plan
from stretto.graph.plan_tasks import PlanTasks
from stretto.graph.recipes import implement
from stretto.graph.spec import Orchestrated, PhaseSpec
from stretto.graph.tracks import tracks
from stretto.state.errors import BadInput

FLAGS = frozenset({"orchestrated", "resource-coordination", "monitoring"})
SAMPLING: Mapping[str, Literal["", "adaptive", "full"]] = {
    "minimal": "",
    "standard": "adaptive",
    "verbose": "full",
    "comprehensive": "full",
}
"""How the figures of the workflow are tracked at each level of `--monitoring`."""


def wanted(invocation: Invocation) -> Orchestrated | None:
    """What the flags say, or None without `--orchestrated`.

    Raises:
        BadInput: A flag that only an orchestrated workflow understands stands alone.
    """
    if "orchestrated" not in invocation.flags:
        if alone := FLAGS & invocation.flags.keys():
            raise BadInput(
                f"--{min(alone)} is for an orchestrated implementation.",
                field=f"--{min(alone)}",
                next_steps=(f"stretto implement PLAN.md --orchestrated --{min(alone)}=…",),
            )
        return None
    return Orchestrated(
        agents="adaptive" if "resource-coordination" in invocation.flags else "",
        sampling=SAMPLING[str(invocation.flags.get("monitoring", "minimal"))],
    )


def phases(plan: Plan, found: PlanTasks) -> tuple[PhaseSpec, ...]:
    """One phase of all tasks, divided in tracks. Each track has tests of its own, so no phase of tests follows."""
    implementation, *_ = implement()
    return (implementation.model_copy(update={"tasks": found.tasks, "tracks": tracks(plan, found)}),)
