"""What is said, and what can be done, when a workflow has stopped at one of its caps."""

from collections.abc import Mapping
from typing import Any

from stretto.graph.capping import LIMIT


def told(facts: Mapping[str, Any], why: str) -> str:
    """The rest of a sentence that begins with the workflow's id; empty if it stopped for something else."""
    if facts.get("orders") or not facts.get(LIMIT):
        return ""
    return f"stopped: {why}. What is finished is kept; nothing new is begun."


def steps(name: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The commands with which it goes on; none if it stopped for something else."""
    if not (limit := facts.get(LIMIT)):
        return ()
    return (f"stretto orchestrate --resume {limit['of']} {limit['flag']} {limit['more']}", f"stretto diff {name}")
