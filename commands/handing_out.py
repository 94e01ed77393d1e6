"""How the assistant is told to have work orders carried out. Standard library only."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_LAUNCH = """\

Launch an agent for each order below that is open: all of them now, in one message, in the background. The agent's
type stands beside the order; its prompt is the order's id alone, and nothing else: it is given its brief.\
"""
_THEN = """\

Whenever one has ended, run:  stretto orchestrate --resume {workflow}
That judges its work, commits it, and hands out what comes next; allow it ten minutes. Do none of the work yourself.
If an agent has ended and its order still is at work:  stretto report ORDER --failed "what it said"\
"""


def handed_out(workflow: str, orders: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines that name the orders, and what to do with them. None without orders."""
    if not orders:
        return
    if any(order["state"] == "open" for order in orders):
        yield _LAUNCH
    yield ""
    for order in orders:
        state = {"open": "open", "taken": "at work", "reported": "reported"}[order["state"]]
        yield f"  {state:<10}{agent_type(order['role']):<22}{order['order']}"
    yield _THEN.format(workflow=workflow)


def agent_type(role: str) -> str:
    """What Claude Code calls the plugin's agent of a role."""
    return f"stretto:{role}"
