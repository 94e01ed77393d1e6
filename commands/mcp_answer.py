"""The process behind one call of an MCP tool: a line on stdin, its answer on stdout, progress as JSON on stderr.

    python -I -m stretto.commands.mcp_answer

stdin holds `{"line": "…"}`, stdout gets one JSON object with the fields of `mcp_reply.Said`.
"""

import json
import shlex
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from stretto.commands.cli import Answer, answer, handle
from stretto.commands.doors import open_door
from stretto.commands.handlers import HANDLERS
from stretto.commands.mcp_reply import Said, refused, told
from stretto.commands.parse import parse_line
from stretto.commands.reply import Reply
from stretto.state.errors import BadInput, StrettoError

_SHELL = "stretto "
_STREAMS = frozenset({"mcp", "line"})
"""Commands that read stdin themselves."""


class _Stopped(StrettoError):
    code = "STOPPED"
    exit_code = 3


class _Unforeseen(StrettoError):
    code = "INTERNAL"


def main() -> int:
    """Answer the call. Whatever happens, stdout gets one JSON object."""
    sys.stdout.write(json.dumps(_said()._asdict()))
    return 0


def _said() -> Said:
    try:
        return _answered(str(json.load(sys.stdin.buffer)["line"]))
    except StrettoError as error:
        return refused(error)
    except KeyboardInterrupt:
        return refused(_Stopped("Stopped before its end."))
    except Exception as error:  # noqa: BLE001 - the last door, as in cli
        sys.stderr.write(traceback.format_exc())
        return refused(_Unforeseen(f"An error nobody foresaw: {type(error).__name__}: {error}"))


def _answered(line: str) -> Said:
    ask, as_json = _as_in_a_shell(line) if line.startswith(_SHELL) else _slash(line)
    found = ask()
    if isinstance(found, Reply):
        return told(found, as_json)
    text = "\n".join(found)
    return Said(True, text, {"status": "ok", "text": text})


def _slash(line: str) -> tuple[Callable[[], Answer], bool]:
    invocation = parse_line(line, project=Path.cwd())
    as_json = bool(invocation.flags.get("json"))
    wordless = invocation._replace(flags={**invocation.flags, "json": True})  # which makes the progress JSON
    return lambda: handle(wordless), as_json


def _as_in_a_shell(line: str) -> tuple[Callable[[], Answer], bool]:
    """`stretto …`, as replies name what to do next: words as a shell would make them, and no shell."""
    try:
        words = shlex.split(line)[1:]
    except ValueError as error:
        raise BadInput(f"The line cannot be read: {error}.", field="line") from error
    door = open_door(words)
    if door.name in _STREAMS or "--follow" in words:
        raise BadInput(f"{line[:80]!r} is for a terminal; here it would have no end.", field="line")
    progress = ["--json"] if door.name in HANDLERS and not door.json else []
    return lambda: answer([*progress, *words]), door.json


if __name__ == "__main__":
    sys.exit(main())
