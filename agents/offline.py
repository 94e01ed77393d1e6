"""Offline: where STRETTO_OFFLINE is set, no model is called and no agent's program is started.

It is a variable, not a switch in this process, so that it holds for every command that a test starts, too.
"""

import os

from stretto.state.errors import BadInput

VARIABLE = "STRETTO_OFFLINE"
"""Its value says why, in words for whoever is refused."""
_LIVE = ("claude", "model", "command")


def refuse_live(text: str) -> None:
    """Refuse a runner that would call a model or start an agent, where this process is offline.

    Raises:
        BadInput: It is, and `text` names such a runner. A recording and a script are spoken by nobody and are let pass.
    """
    why = os.environ.get(VARIABLE, "")
    kind, _, argument = text.strip().partition(":")
    if not why or kind not in _LIVE or (kind == "model" and _scripted(argument)):
        return
    raise BadInput(
        f"The runner {text!r} is live, and nothing live runs here: {why}. Nothing was started.",
        field="runner",
        allowed=("replay:PATH", "model:script/PATH"),
        next_steps=(f"Take a recording, or unset {VARIABLE}.",),
    )


def _scripted(argument: str) -> bool:
    from stretto.agents.providers import spoken_by_nobody  # here: it brings langchain, which other runners do without

    return spoken_by_nobody(argument)
