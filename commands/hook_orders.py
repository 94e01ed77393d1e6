"""Hooks on work orders: an agent is given its brief, changes only what its order declares, and its report is kept.

The client tells of every agent and every change of a file in any project, so each hook first looks, with as few imports
as can be, whether that is our business at all. Standard library only.
"""

import os

from stretto.state.ours import is_ours
from stretto.state.places import EVENTS, project_around, store_of
from stretto.state.quick_json import loads

TYPE_CHECKING = False  # `typing` and `pathlib` would each cost a hook half as long as the interpreter's start
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from stretto.state.rows import Order

    Payload = Mapping[str, Any]
    Answer = dict[str, Any] | None

OURS = "stretto:"
_TRANSCRIPT_SECONDS = 2.0
"""How long to wait for a transcript that is not written yet; the client gives this hook a minute."""
_REMINDER = (
    "Your last message is not a report. Return it now: one JSON object with `status` (completed, partial or failed),"
    " `summary` and what else your instructions name, and nothing before or after it."
)


def launch(payload: "Payload") -> "Answer":
    """Before an agent is launched: if its prompt is an order, take the order and give the agent its brief."""
    tool: Mapping[str, Any] = payload.get("tool_input") or {}
    kind = str(tool.get("subagent_type", ""))
    if not kind.startswith(OURS) or not (order := _named(str(tool.get("prompt", "")))):
        return None
    directory = store(payload)
    return _given(directory, order, kind.removeprefix(OURS), payload, tool) if directory else None


def _named(prompt: str) -> str:
    """The order that a prompt begins with, or nearly; empty if there is none."""
    from stretto.state.ids import is_order_id

    words = (word.strip("`'\".,") for word in prompt.split()[:12] if "#" in word)
    return next((word for word in words if is_order_id(word)), "")


def _given(directory: str, order: str, role: str, payload: "Payload", tool: "Mapping[str, Any]") -> "Answer":
    from stretto.commands.taking import taker, with_notes
    from stretto.state.errors import StrettoError
    from stretto.state.log import Log
    from stretto.state.orders import read_notes, take

    who = taker(str(payload.get("session_id", "")), str(payload.get("tool_use_id", "")))
    try:
        with Log.open(directory) as log, log.write() as tx:
            found = take(tx, order, who)
            _for_role(found, role)
            text = with_notes(found, read_notes(tx, order))
    except StrettoError as error:
        return deny(f"{error.message} {' '.join(error.next_steps)}")
    return allow("", updatedInput={**tool, "prompt": text})


def _for_role(order: "Order", role: str) -> None:
    from stretto.state.errors import StrettoError

    meant = str(order.work["brief"]["role"])
    if meant != role:
        raise StrettoError(f"Order {order.id!r} is for the agent {OURS}{meant}; nothing was taken.")


def guard(payload: "Payload") -> "Answer":
    """Before a file is changed: an agent at work on an order stays inside what its order declares."""
    if not (directory := store(payload)):
        return None
    from stretto.state.standing import look, orders

    with look(directory) as reader:
        found = [order for order in orders(reader) if order.state != "reported"]
    if not found:
        return None
    from stretto.commands.guarding import judge

    tool: Mapping[str, Any] = payload.get("tool_input") or {}
    path = os.path.join(str(payload.get("cwd", "")), str(tool.get("file_path") or tool.get("notebook_path") or ""))
    by_agent = str(payload.get("agent_type", "")).startswith(OURS)
    verdict = judge(path, found, by_agent=by_agent, launch=_launched(payload) if by_agent else "")
    if verdict is None:
        return None
    if verdict.denied or verdict.order is None:
        return deny(verdict.denied)
    return allow(_news(directory, verdict.order.id) if verdict.order.unread else "")


def _launched(payload: "Payload") -> str:
    """The tool call that launched the agent which asks, as the client notes it; empty if it does not, or elsewhere."""
    agent = str(payload.get("agent_id", ""))
    session = os.path.splitext(str(payload.get("transcript_path", "")))[0]
    if not agent or os.sep in agent:
        return ""
    try:
        with open(os.path.join(session, "subagents", f"agent-{agent}.meta.json"), encoding="utf-8") as file:
            found: Any = loads(file.read())
        return str(found["toolUseId"] or "")
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return ""


def _news(directory: str, order: str) -> str:
    """What a person has said to the agent since it looked last."""
    from stretto.commands.taking import steering
    from stretto.state.log import Log
    from stretto.state.orders import read_notes

    with Log.open(directory) as log, log.write() as tx:
        return "\n".join(steering(note) for note in read_notes(tx, order))


def subagent_stop(payload: "Payload") -> "Answer":
    """When an agent ends: keep its last message as the report of its order, with what it used.

    It is sent back once if that is no report, and once for each word that a person has said to it in time; never more.
    """
    if not str(payload.get("agent_type", "")).startswith(OURS) or not (directory := store(payload)):
        return None
    place = str(payload.get("agent_transcript_path", ""))
    order = _order(place)
    return _reported(directory, order, place, payload) if order else None


def _order(place: str) -> str:
    """The order that an agent worked on; empty if on none.

    The client writes a transcript a moment after what it tells of: an agent whose first words are its last may end
    before there is one.
    """
    import time

    from stretto.agents.transcript import order_of

    due = time.monotonic() + _TRANSCRIPT_SECONDS
    while (order := order_of(place)) is None and time.monotonic() < due:
        time.sleep(0.02)
    return order or ""


def _reported(directory: str, order: str, place: str, payload: "Payload") -> "Answer":
    from stretto.commands.taking import steering, taker
    from stretto.state.log import Log
    from stretto.state.orders import read_notes, report

    by = taker(str(payload.get("session_id", "")), "")
    text = str(payload.get("last_assistant_message") or "")
    with Log.open(directory) as log, log.write() as tx:
        if notes := read_notes(tx, order):
            news = "\n".join(map(steering, notes))
            return {"decision": "block", "reason": f"{news}\nTake it into account, then report anew."}
        if not is_report(text) and not payload.get("stop_hook_active"):
            return {"decision": "block", "reason": _REMINDER}
        report(tx, order, {"text": text, "transcript": place, "agent": str(payload.get("agent_id", ""))}, by)
    return None


def is_report(text: str) -> bool:
    """Whether a message has the shape of a report: an object with a status, bare or as the only fenced block."""
    body = text.strip()
    if body.count("```") == 2:
        body = body.split("```")[1].removeprefix("json").strip()
    try:
        found: object = loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "status" in found


def store(payload: "Payload") -> str:
    """The store of the project that the session works on; empty where there is none that this user has made."""
    return store_at(os.environ.get("CLAUDE_PROJECT_DIR") or str(payload.get("cwd", "")))


def store_at(cwd: str) -> str:
    """The store that a command finds in this folder; empty where there is none that this user has made."""
    directory = store_of(project_around(os.path.abspath(cwd)), None, os.environ)
    return directory if os.path.isfile(os.path.join(directory, EVENTS)) and is_ours(directory) else ""


def deny(why: str) -> "dict[str, Any]":
    """The answer that keeps the client from using a tool, and tells the model why."""
    return _decision("deny", permissionDecisionReason=why)


def allow(context: str, **more: "Any") -> "dict[str, Any]":
    """The answer that lets a tool be used without asking the person; `context` is told to the model."""
    return _decision("allow", **({"additionalContext": context} if context else {}), **more)


def _decision(decision: str, **more: "Any") -> "dict[str, Any]":
    return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": decision, **more}}
