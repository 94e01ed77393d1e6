"""Reply: what a handler returns, and the one envelope in which programs get it.

Standard library only, for the quick doors.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import time

from stretto.state.errors import StrettoError
from stretto.state.light import NamedTuple
from stretto.state.quick_json import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Reply(NamedTuple):
    """What a command did.

    `text` is for people; `result` for programs; `events` are the ids of the events it wrote; `exit_code` is 0, or 3
    when the command's own work stopped and can be resumed, or 1 when it failed after a proper start, or 4 when it found
    the store damaged. `exact` marks a text that is for other programs too, a patch, which is printed to them as it is
    and alone.
    """

    command: str
    text: str
    result: Mapping[str, Any] = {}
    operation: str = ""
    workflow_id: str = ""
    events: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()
    exit_code: int = 0
    exact: bool = False


_DAMAGED = 4


def _now() -> str:
    from stretto.state.moments import stamp  # here: a text needs no timestamp

    return stamp(time())


def envelope(reply: Reply) -> str:
    """The reply as one line of JSON."""
    body: dict[str, Any] = {
        "status": "ok" if reply.exit_code in (0, 3) else "error",
        "command": reply.command,
        "operation": reply.operation,
        "workflow_id": reply.workflow_id or None,
        "timestamp": _now(),
        "result": dict(reply.result),
        "events": list(reply.events),
        "next_steps": list(reply.next_steps),
    }
    if body["status"] == "error":
        body["error"] = {
            "code": "STORE_DAMAGED" if reply.exit_code == _DAMAGED else "FAILED",
            "message": reply.text,
            "details": dict(reply.result),
            "next_steps": list(reply.next_steps),
        }
    return dumps(body, ensure_ascii=False)


def error_envelope(command: str, error: StrettoError) -> str:
    """An error as one line of JSON."""
    return dumps(
        {
            "status": "error",
            "command": command,
            "timestamp": _now(),
            "error": {
                "code": error.code,
                "message": error.message,
                "details": error.details,
                "next_steps": list(error.next_steps),
            },
        },
        ensure_ascii=False,
        default=str,
    )
