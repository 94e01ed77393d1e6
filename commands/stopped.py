"""What is said, and what can be done, when a workflow has stopped at a cap or because its provider is not there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from stretto.graph.capping import LIMIT
from stretto.graph.outages import OUTAGE


def told(facts: Mapping[str, Any], why: str) -> str:
    """The rest of a sentence that begins with the workflow's id; empty if it stopped for something else."""
    if facts.get("orders") or not (facts.get(LIMIT) or facts.get(OUTAGE)):
        return ""
    return f"stopped: {why}. What is finished is kept; nothing new is begun."


def steps(name: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The commands with which it goes on; none if it stopped for something else."""
    if facts.get("orders"):
        return ()
    again = f"stretto orchestrate --resume {name}"
    if met := facts.get(OUTAGE):
        when = met["retry_at"]
        first = f"{again} --wait   (goes on at {when})" if when else again
        return (first, f"{again} --runner …   (with another model)", f"stretto diff {name}")
    if not (limit := facts.get(LIMIT)):
        return ()
    raised = f"stretto orchestrate --resume {limit['of']} {limit['flag']} {limit['more']}"
    return (raised, *([again] if limit["of"] != name else []), f"stretto diff {name}")


def until(facts: Mapping[str, Any]) -> float | None:
    """When the provider may be asked again, in seconds since the epoch; None if it stopped for something else."""
    met: Mapping[str, Any] = facts.get(OUTAGE) or {}
    at = met.get("retry_at")
    return datetime.fromisoformat(at).timestamp() if at else None
