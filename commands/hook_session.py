"""Hooks on a session: what waits when it starts, what it must not leave lying, and which of our commands it may run.

Standard library only.
"""

import os

from stretto.commands.hook_orders import OURS, allow, store, store_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from stretto.commands.hook_orders import Answer, Payload
    from stretto.state.reader import Reader
    from stretto.state.standing import Standing

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./#~=-")
_READING = frozenset({"brief", "check", "workflow-status", "events", "logs", "diff"})
_SAFE_IN_QUOTES = frozenset(" ,;:'()[]{}?&|<>*+@%^") | _PLAIN


def start(payload: "Payload") -> "Answer":
    """When a session starts: one line for each workflow that waits for somebody to go on with it."""
    if not (directory := store(payload)):
        return None
    from stretto.state.standing import begun, look

    with look(directory) as reader:
        lines = [line for name, status in begun(reader) if (line := _waits(reader, name, status))]
    if not lines:
        return None
    said = "\n".join(lines)
    return {
        "systemMessage": said,
        "hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": said},
    }


def _waits(reader: "Reader", workflow: str, status: str) -> str:
    from stretto.state.standing import driven, orders

    again = f"/stretto:orchestrate --resume {workflow} goes on."
    if status == "RUNNING":
        return "" if driven(reader, workflow) else f"Stretto: {workflow} was cut off; {again}"
    if not (left := orders(reader, workflow)):
        return ""
    lost = sum(order.state == "taken" and order.gone for order in left)
    told = f", {lost} of them left by agents that are gone" if lost else ""
    return f"Stretto: {workflow} waits for {len(left)} work order{'' if len(left) == 1 else 's'}{told}; {again}"


def stop(payload: "Payload") -> "Answer":
    """When a session would stop: say so once if what its agents have reported is not taken up."""
    at_work = any(str(t.get("agent_type", "")).startswith(OURS) for t in _tasks(payload))
    if payload.get("stop_hook_active") or at_work or not (directory := store(payload)):
        return None
    from stretto.state.standing import look, orders

    session = str(payload.get("session_id", ""))
    with look(directory) as reader:
        mine = [o for o in orders(reader) if _reported_here(o, session)]
    if not mine:
        return None
    names = dict.fromkeys(o.workflow_id for o in mine)
    told = "; ".join(f"stretto orchestrate --resume {name}" for name in names)
    return {"decision": "block", "reason": f"Agents have reported and their work is not taken up yet. Run: {told}"}


def _tasks(payload: "Payload") -> "list[dict[str, Any]]":
    found: Any = payload.get("background_tasks")
    tasks: list[Any] = found if found.__class__ is list else []
    return [task for task in tasks if task.__class__ is dict]


def _reported_here(order: "Standing", session: str) -> bool:
    return order.state == "reported" and order.taken_in == session


def shell(payload: "Payload") -> "Answer":
    """Before a shell command that begins with `stretto`: let it run if it can only do what orders are made of.

    Whatever a shell could make more of, and whatever decides for the person (a gate, a new workflow), is left to the
    client's own rules.
    """
    tool: Mapping[str, Any] = payload.get("tool_input") or {}
    command = str(tool.get("command", ""))
    if not harmless(command):
        return None
    folder = _split(command)[0]
    return allow("") if store_at(os.path.join(str(payload.get("cwd", "")), folder)) else None


def _split(command: str) -> tuple[str, str]:
    """The folder that a command goes to first, empty for none, and what it calls there."""
    before, amp, after = command.strip(" ").partition(" && ")
    return (before.removeprefix("cd "), after) if amp else ("", before)


def harmless(command: str) -> bool:
    """Whether a shell command is one plain call of ours that reads, reports, or goes on with a workflow."""
    folder, call = _split(command)
    if " && " in command and not (command.strip(" ").startswith("cd ") and _plain(folder)):
        return False
    if not call.startswith("stretto "):
        return False
    verb, _, rest = call.removeprefix("stretto ").partition(" ")
    if verb == "report":
        return _failing(rest)
    words = rest.split(" ") if rest else []  # any other white space ends a command, or a word that nobody sees
    if not all(map(_plain, words)) or any(w.startswith(("--store", "--project")) for w in words):
        return False
    return verb in _READING or (verb == "orchestrate" and len(words) == 2 and words[0] == "--resume")


def _failing(rest: str) -> bool:
    """`ORDER --failed "WHY"`, where the reason holds nothing that a shell would expand."""
    from stretto.state.ids import is_order_id

    order, _, flag = rest.partition(" --failed ")
    quoted = len(flag) > 1 and flag[0] == flag[-1] == '"'
    return is_order_id(order) and quoted and _SAFE_IN_QUOTES.issuperset(flag[1:-1])


def _plain(word: str) -> bool:
    return bool(word) and _PLAIN.issuperset(word)
