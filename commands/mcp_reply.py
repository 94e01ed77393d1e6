"""What an MCP client gets for a call: a text for people, data for programs, and whether it went well."""

import json
from typing import Any, NamedTuple

from stretto.commands.reply import Reply, envelope, error_envelope
from stretto.commands.safe import safe
from stretto.state.errors import StrettoError


class Said(NamedTuple):
    """An answer. `data` is the whole envelope if the line asked for `--json`, else only what one needs to go on.

    Clients show one of the two to their model, most of them `data`; so each holds everything that matters.
    """

    ok: bool
    text: str
    data: dict[str, Any]


def told(reply: Reply, as_json: bool) -> Said:
    """The answer that a reply is. Work that stopped and can be resumed went well."""
    full = envelope(reply)
    body: dict[str, Any] = json.loads(full)
    ok = body["status"] == "ok"
    if as_json:
        return Said(ok, full, body)
    text = reply.text if reply.exact else safe(reply.text)
    steps = [] if reply.exact else [safe(step) for step in reply.next_steps]
    data = {"status": body["status"], "workflow_id": reply.workflow_id, "text": text, "next_steps": steps}
    return Said(ok, _joined(text, steps), {key: value for key, value in data.items() if value})


def refused(error: StrettoError) -> Said:
    """The answer that an error is: its message, what is allowed, what to do next."""
    allowed: list[str] = error.details.get("allowed") or []
    named = all(word.partition(":")[0] in error.message for word in allowed)
    message = error.message if named else f"{error.message}\nallowed: {', '.join(allowed)}"
    data: dict[str, Any] = json.loads(error_envelope("stretto", error))
    return Said(error.exit_code == 3, _joined(safe(message), [safe(s) for s in error.next_steps]), data)


def _joined(text: str, steps: list[str]) -> str:
    return "\n".join([text, *(f"next: {step}" for step in steps)])
