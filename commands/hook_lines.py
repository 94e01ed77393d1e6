"""Hooks on slash commands: what stands behind one is kept as data, and what needs no model is answered at once.

`expansion` sees a command that a person typed, `skill` one that the model calls; both run before the command's own
text is made, which has Stretto read what was kept (`typed.py`).
"""

import os

from stretto.commands.arguments import put

TYPE_CHECKING = False  # `typing` costs a hook half of its time
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_PLUGIN = "stretto:"
_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz-")


def expansion(payload: "Mapping[str, Any]") -> "dict[str, Any] | None":
    """Answer what a person typed without the model, or keep what stands behind the command."""
    name = _ours(str(payload.get("command_name", "")), str(payload.get("cwd", "")))
    if not name:
        return None
    text = str(payload.get("command_args") or "")
    from stretto.commands.free import answer

    if (said := answer(name, text, str(payload.get("cwd") or "."))) is not None:
        # `decision` rather than `continue`: what is said this way never comes before the model, in no later turn.
        more = {"hookEventName": "UserPromptExpansion", "suppressOriginalPrompt": True}
        return {"decision": "block", "reason": said, "hookSpecificOutput": more}
    _keep(payload, name, text)
    return None


def skill(payload: "Mapping[str, Any]") -> None:
    """Keep what the model put behind a command."""
    given: Mapping[str, Any] = payload["tool_input"]
    name = str(given.get("skill", "")).removeprefix("/").removeprefix(_PLUGIN)
    if _is_command(name):
        _keep(payload, name, str(given.get("args") or ""))


def _keep(payload: "Mapping[str, Any]", name: str, text: str) -> None:
    data = os.environ["CLAUDE_PLUGIN_DATA"]
    put(data, str(payload["session_id"]), name, str(payload.get("prompt_id") or ""), text)


def _ours(command: str, project: str) -> str:
    """The name of one of our commands. A bare name is ours if the project's page of that name calls us."""
    if command.startswith(_PLUGIN):
        name = command.removeprefix(_PLUGIN)
        return name if _is_command(name) else ""
    return command if _is_command(command) and _page_calls_us(command, project) else ""


def _is_command(name: str) -> bool:
    return bool(name) and _LETTERS.issuperset(name) and os.path.isfile(_page(os.path.dirname(__file__), name))


def _page_calls_us(name: str, project: str) -> bool:
    folder = os.environ.get("CLAUDE_PROJECT_DIR") or project
    try:
        with open(_page(os.path.join(folder, ".claude", "commands"), name), encoding="utf-8") as file:
            return f" typed {name}" in file.read()
    except (OSError, UnicodeDecodeError):
        return False


def _page(folder: str, name: str) -> str:
    return os.path.join(folder, f"{name}.md")
