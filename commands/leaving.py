"""A workflow that leaves a phase to other commands: how its pause says so, and what can be done about it.

Imports nothing, for the quick doors.
"""

LEFT = "left"
"""The key under which WORKFLOW_PAUSED names the phase."""


def taking_up(name: str, phase: str) -> tuple[str, ...]:
    """How the phase is done."""
    context = f'{{"phase": "{phase}", "workflow_id": "{name}"}}'
    again = f"stretto orchestrate --resume {name}   (does it by itself)"
    return (f"stretto subagents '{context}' '[…]'", again, f"stretto cancel {name}")
