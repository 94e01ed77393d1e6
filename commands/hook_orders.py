"""Hooks on work orders: an agent is given its brief, changes only what its order declares, and its report is kept.

The client tells of every agent and every change of a file in any project, so each hook first looks whether there is a
store here at all. Standard library only.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stretto.agents import transcript
from stretto.commands import guarding
from stretto.commands.orders import steering, taker, with_notes
from stretto.state import orders
from stretto.state.errors import StrettoError
from stretto.state.log import Log
from stretto.state.rows import Order
from stretto.state.store import EVENTS, find_project, store_directory

Payload = Mapping[str, Any]
Answer = dict[str, Any] | None
OURS = "stretto:"
_REMINDER = (
    "Your last message is not a report. Return it now: one JSON object with `status` (completed, partial or failed),"
    " `summary` and what else your instructions name, and nothing before or after it."
)


def launch(payload: Payload) -> Answer:
    """Before an agent is launched: if its prompt is an order, take the order and give the agent its brief."""
    tool: Mapping[str, Any] = payload.get("tool_input") or {}
    words = str(tool.get("prompt", "")).split()
    order = next((w.strip("`'\".,") for w in words[:12] if "#" in w and orders.is_id(w.strip("`'\".,"))), "")
    directory = store_of(payload)
    if not order or directory is None or not str(tool.get("subagent_type", "")).startswith(OURS):
        return None
    role = str(tool["subagent_type"]).removeprefix(OURS)
    who = taker(str(payload.get("session_id", "")), str(payload.get("tool_use_id", "")))
    try:
        with Log.open(directory) as log, log.write() as tx:
            found = orders.take(tx, order, who)
            _for_role(found, role)
            text = with_notes(found, orders.read_notes(tx, order))
    except StrettoError as error:
        return deny(f"{error.message} {' '.join(error.next_steps)}")
    return allow("", updatedInput={**tool, "prompt": text})


def _for_role(order: Order, role: str) -> None:
    meant = str(order.work["brief"]["role"])
    if meant != role:
        raise StrettoError(f"Order {order.id!r} is for the agent {OURS}{meant}; nothing was taken.")


def guard(payload: Payload) -> Answer:
    """Before a file is changed: an agent at work on an order stays inside what its order declares."""
    if (directory := store_of(payload)) is None:
        return None
    tool: Mapping[str, Any] = payload.get("tool_input") or {}
    path = Path(str(payload.get("cwd", ""))) / str(tool.get("file_path") or tool.get("notebook_path") or "")
    log = Log.find(directory)
    if log is None:
        return None
    with log:
        standing = [o for o in log.standing_orders() if o.state != "reported"]
    verdict = guarding.judge(path, standing, by_agent=str(payload.get("agent_type", "")).startswith(OURS))
    if verdict is None:
        return None
    if verdict.denied:
        return deny(verdict.denied)
    return allow(_news(directory, verdict.order))


def _news(directory: Path, order: str) -> str:
    """What a person has said to the agent since it looked last."""
    log = Log.find(directory)
    if log is None:
        return ""
    with log:
        found = log.order(*orders.parse(order))
    if found is None or not orders.unread(found):
        return ""
    with Log.open(directory) as written, written.write() as tx:
        return "\n".join(steering(note) for note in orders.read_notes(tx, order))


def subagent_stop(payload: Payload) -> Answer:
    """When an agent ends: keep its last message as the report of its order, with what it used.

    It is sent back once if that is no report, and once for each word that a person has said to it in time; never more.
    """
    directory = store_of(payload)
    if directory is None or not str(payload.get("agent_type", "")).startswith(OURS):
        return None
    place = str(payload.get("agent_transcript_path", ""))
    if not (order := transcript.order_of(Path(place))):
        return None
    if news := _news(directory, order):
        return {"decision": "block", "reason": f"{news}\nTake it into account, then report anew."}
    text = str(payload.get("last_assistant_message") or "")
    if not is_report(text) and not payload.get("stop_hook_active"):
        return {"decision": "block", "reason": _REMINDER}
    with Log.open(directory) as log, log.write() as tx:
        orders.report(tx, order, {"text": text, "transcript": place, "agent": str(payload.get("agent_id", ""))})
    return None


def is_report(text: str) -> bool:
    """Whether a message has the shape of a report: an object with a status, bare or as the only fenced block."""
    body = text.strip()
    if body.count("```") == 2:
        body = body.split("```")[1].removeprefix("json").strip()
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "status" in found


def store_of(payload: Payload) -> Path | None:
    """The store of the project that the session works on; None where there is none."""
    import os

    cwd = os.environ.get("CLAUDE_PROJECT_DIR") or str(payload.get("cwd", ""))
    directory = store_directory(find_project(Path(cwd)), None, os.environ)
    return directory if (directory / EVENTS).is_file() else None


def deny(why: str) -> dict[str, Any]:
    """The answer that keeps the client from using a tool, and tells the model why."""
    return _decision("deny", permissionDecisionReason=why)


def allow(context: str, **more: Any) -> dict[str, Any]:
    """The answer that lets a tool be used without asking the person; `context` is told to the model."""
    return _decision("allow", **({"additionalContext": context} if context else {}), **more)


def _decision(decision: str, **more: Any) -> dict[str, Any]:
    return {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": decision, **more}}
