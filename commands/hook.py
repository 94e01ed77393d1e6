"""Hooks: from one event of the client to the function that serves it, and its answer to stdout.

Standard library only, and little of it: the client waits for each of its hooks. A hook never fails the session; what
goes wrong in one is a line on stderr, which the client keeps for its debug log.
"""

import os
import sys

TYPE_CHECKING = False  # `typing` itself would take half as long as the interpreter's start
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Hook = Callable[[Mapping[str, Any]], dict[str, Any] | None]

HOOKS: dict[str, str] = {
    "expansion": "hook_lines:expansion",
    "skill": "hook_lines:skill",
    "session-start": "hook_session:start",
    "stop": "hook_session:stop",
    "shell": "hook_session:shell",
    "launch": "hook_orders:launch",
    "guard": "hook_orders:guard",
    "subagent-stop": "hook_orders:subagent_stop",
}
"""Events that are served, and by what: `module:function`, the module one of this room. A function takes what the client
sent, and returns what it is to be told, or None. An event that stands only in hooks/hooks.json does nothing."""


def main(event: str) -> None:
    """Serve one event: its JSON from stdin, the answer as JSON to stdout."""
    try:
        if data := os.environ.get("CLAUDE_PLUGIN_DATA"):
            _remember(data)
            if event == "session-start":
                _tell_shells(data)
        if event in HOOKS:
            _serve(_hook(event))
    except Exception as error:  # noqa: BLE001 - the last door: whatever it is, the session goes on
        _tell(event, error)


def _remember(data: str) -> None:
    """Keep the path of this Python for the next hook. In place by a rename, so that no other hook reads half of it."""
    path = os.path.join(data, "python")
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == f"{sys.executable}\n":
                return
    except OSError:
        pass
    try:
        os.makedirs(data, 0o700, exist_ok=True)
        with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as file:
            file.write(f"{sys.executable}\n")
        os.replace(f"{path}.{os.getpid()}", path)
    except OSError as error:
        sys.stderr.write(f"stretto: {error}\n")


def _tell_shells(data: str) -> None:
    """Let `stretto` find our data in the shells of this session: the client tells them no folder of a plugin."""
    if exports := os.environ.get("CLAUDE_ENV_FILE"):
        quoted = data.replace("'", "'\\''")
        with open(exports, "a", encoding="utf-8") as file:
            file.write(f"export STRETTO_DATA='{quoted}'\n")


def _hook(event: str) -> "Hook":
    name, _, function = HOOKS[event].partition(":")
    module = f"stretto.commands.{name}"
    __import__(module)  # `importlib` would be a part of the hook's time that shows
    found: Hook = getattr(sys.modules[module], function)
    return found


def _serve(hook: "Hook") -> None:
    from stretto.state.quick_json import dumps, loads  # here: an event that nobody serves goes without

    payload: Any = loads(sys.stdin.buffer.read().decode())
    if payload.__class__ is not dict:
        raise TypeError("the client sent no object")
    answer = hook(payload)
    if answer is not None:
        sys.stdout.write(dumps(answer) + "\n")  # ASCII: stdout may have any encoding
        sys.stdout.flush()


def _tell(event: str, error: Exception) -> None:
    if os.environ.get("STRETTO_DEBUG"):
        import traceback

        traceback.print_exc()
    words = " ".join(f"{type(error).__name__}: {error}".split())
    sys.stderr.write(f"stretto: hook {event}: {words}\n".encode("ascii", "backslashreplace").decode("ascii"))
