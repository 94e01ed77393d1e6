"""Hooks on a session: what waits when it starts, what it must not leave lying, and which of our commands it may run.

Standard library only.
"""

from collections.abc import Mapping
from typing import Any, cast

from stretto.commands.hook_orders import OURS, Answer, Payload, allow, store_of
from stretto.state import lease, orders
from stretto.state.log import Log
from stretto.state.rows import Order

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./#~=-")
_READING = frozenset({"brief", "check", "workflow-status", "events", "logs", "diff"})
_SAFE_IN_QUOTES = frozenset(" ,;:'()[]{}?&|<>*+@%^") | _PLAIN


def start(payload: Payload) -> Answer:
    """When a session starts: one line for each workflow that waits for somebody to go on with it."""
    directory = store_of(payload)
    log = Log.find(directory) if directory else None
    if log is None:
        return None
    with log:
        rows = [row for row in log.workflows() if row.status in ("RUNNING", "PAUSED")]
        lines = [line for row in rows if (line := _waits(log, row.id, row.status))]
    if not lines:
        return None
    said = "\n".join(lines)
    return {
        "systemMessage": said,
        "hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": said},
    }


def _waits(log: Log, workflow: str, status: str) -> str:
    standing = log.standing_orders(workflow)
    holder = lease.holder(log, workflow)
    again = f"/stretto:orchestrate --resume {workflow} goes on."
    if status == "RUNNING":
        return "" if holder and holder.alive else f"Stretto: {workflow} was cut off; {again}"
    if not standing:
        return ""
    lost = sum(order.state == "taken" and orders.gone(order) for order in standing)
    left = f", {lost} of them left by agents that are gone" if lost else ""
    return f"Stretto: {workflow} waits for {len(standing)} work order{'' if len(standing) == 1 else 's'}{left}; {again}"


def stop(payload: Payload) -> Answer:
    """When a session would stop: say so once if what its agents have reported is not taken up."""
    directory = None if payload.get("stop_hook_active") else store_of(payload)
    at_work = any(str(t.get("agent_type", "")).startswith(OURS) for t in _tasks(payload))
    log = Log.find(directory) if directory and not at_work else None
    if log is None:
        return None
    with log:
        mine = [o for o in log.standing_orders() if _reported_here(o, str(payload.get("session_id", "")))]
    if not mine:
        return None
    names = dict.fromkeys(o.workflow_id for o in mine)
    told = "; ".join(f"stretto orchestrate --resume {name}" for name in names)
    return {"decision": "block", "reason": f"Agents have reported and their work is not taken up yet. Run: {told}"}


def _tasks(payload: Payload) -> list[Mapping[str, Any]]:
    found: object = payload.get("background_tasks")
    tasks = cast("list[object]", found) if isinstance(found, list) else []
    return [cast("Mapping[str, Any]", t) for t in tasks if isinstance(t, Mapping)]


def _reported_here(order: Order, session: str) -> bool:
    return order.state == "reported" and order.taker is not None and order.taker.session == session


def shell(payload: Payload) -> Answer:
    """Before a shell command that begins with `stretto`: let it run if it can only do what orders are made of.

    Whatever a shell could make more of, and whatever decides for the person (a gate, a new workflow), is left to the
    client's own rules.
    """
    tool: Mapping[str, Any] = payload.get("tool_input") or {}
    return allow("") if harmless(str(tool.get("command", ""))) else None


def harmless(command: str) -> bool:
    """Whether a shell command is one plain call of ours that reads, reports, or goes on with a workflow."""
    before, amp, after = command.strip().partition(" && ")
    if amp:
        words = before.split(" ")
        if len(words) != 2 or words[0] != "cd" or not _plain(words[1]):
            return False
    call = after if amp else before
    if not call.startswith("stretto "):
        return False
    verb, _, rest = call.removeprefix("stretto ").partition(" ")
    if verb == "report":
        return _failing(rest)
    words = rest.split(" ") if rest else []  # any other white space ends a command, or a word that nobody sees
    if not all(map(_plain, words)):
        return False
    return verb in _READING or (verb == "orchestrate" and len(words) == 2 and words[0] == "--resume")


def _failing(rest: str) -> bool:
    """`ORDER --failed "WHY"`, where the reason holds nothing that a shell would expand."""
    order, _, flag = rest.partition(" --failed ")
    quoted = len(flag) > 1 and flag[0] == flag[-1] == '"'
    return orders.is_id(order) and quoted and _SAFE_IN_QUOTES.issuperset(flag[1:-1])


def _plain(word: str) -> bool:
    return bool(word) and _PLAIN.issuperset(word)
