"""The command line: argv to a handler, its reply to stdout, words about progress to stderr, an exit code.

The only module that prints. It imports a handler when it is asked for, so that the quick commands stay quick.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator, Sequence

from stretto.commands.app import App
from stretto.commands.doors import Door, folder, open_door, positionals, raw_line
from stretto.commands.handlers import HANDLERS
from stretto.commands.invocation import Invocation
from stretto.commands.parse import parse_argv, parse_line
from stretto.commands.reply import Reply, envelope, error_envelope
from stretto.commands.safe import safe
from stretto.commands.source import nearest
from stretto.commands.tables import COMMANDS
from stretto.state.errors import BadInput, StrettoError
from stretto.state.ids import is_order_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERBS = (
    "events",
    "logs",
    "diff",
    "cancel",
    "undo",
    "brief",
    "check",
    "steer",
    "mcp",
    "setup",
    "verify",
    "eval",
    "store",
    "doctor",
    "cassette",
    "pack",
)
Answer = Reply | Iterator[str]
_WAITS = 3
"""Exit code of a command whose work waits for somebody. In the shell of an assistant that is no failure: its tool would
show an error to the person and to the model at every step of a workflow. The text says it, and with --json the code."""


class _Asked:
    """What is known so far of the request: which command, and whether its answer is for a program."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.command = door.name if door.name in {*COMMANDS, *VERBS} else "stretto"
        self.json = door.json


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 bad input, 3 stopped and resumable, 4 damaged."""
    asked = _Asked(open_door(sys.argv[1:] if argv is None else argv))
    _encodable()
    try:
        return _show(_answer(asked), asked)
    except StrettoError as error:
        return _show_error(asked, error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left; say nothing more
        return 1
    except KeyboardInterrupt:
        return _show_error(asked, _Interrupted("stopped"))
    except Exception as error:  # noqa: BLE001 - the last door: programs get JSON for what nobody foresaw, too
        import traceback

        print(traceback.format_exc(), file=sys.stderr)
        return _show_error(asked, _Unforeseen(f"An error nobody foresaw: {type(error).__name__}: {error}"))


def answer(args: Sequence[str]) -> Answer:
    """What `main` prints for these arguments, from the same handlers.

    Raises:
        StrettoError: It would print an error.
    """
    return _answer(_Asked(open_door(args)))


class _Interrupted(StrettoError):
    code = "STOPPED"
    exit_code = 3


class _Unforeseen(StrettoError):
    code = "INTERNAL"


def _encodable() -> None:
    """A terminal that cannot show a character gets its escape, not a crash."""
    for stream in (sys.stdout, sys.stderr):
        if callable(reconfigure := getattr(stream, "reconfigure", None)):
            reconfigure(errors="backslashreplace")


def _answer(asked: _Asked) -> Answer:
    door = asked.door
    if door.help or door.name == "help" or ({*door.rest} <= {"--json", "--version"} and not door.name):
        return _about(door)
    if verb := _verb(door):
        from stretto.commands import verbs

        return verbs.run(verb, [a for a in door.rest if a != "--json"], asked.json)
    if door.name == "typed":
        from stretto.commands.typed import typed

        return Reply("typed", typed(positionals(door), handle))
    project = folder(door.flags.get("project", "."))
    invocation = _line(asked, project) if door.name == "line" else _command(door, project)
    asked.command = invocation.command
    asked.json = asked.json or bool(invocation.flags.get("json"))
    if invocation.command == "workflow-status" and "follow" in invocation.flags:
        from stretto.commands.status_subscribe import follow

        return follow(invocation, _app(invocation)._replace(json=asked.json))
    return handle(invocation)


def _verb(door: Door) -> str:
    """The verb that is asked for; empty for a command. `report ORDER` is one, `report "TOPIC"` is the command."""
    if door.name == "report" and any(is_order_id(word) for word in door.rest):
        from stretto.commands.help import ORDER_REPORT

        return ORDER_REPORT
    return door.name if door.name in VERBS else ""


def _about(door: Door) -> Reply:
    """Help and version."""
    if "--version" in door.rest and not door.name:
        from stretto.commands.version import version

        return Reply("version", f"stretto {version()}", {"version": version()})
    named = next((a for a in door.rest if not a.startswith("-")), "") if door.name == "help" else door.name
    text = _help(named, folder(door.flags.get("project", ".")))
    return Reply("help", text, {"text": text})


def _help(name: str, project: str) -> str:
    from stretto.commands import pack_names
    from stretto.commands.help import command_help, overview

    if not name:
        return overview(HANDLERS) + pack_names.overview(project)
    named = None if name.removeprefix("stretto:") in COMMANDS or name in VERBS else pack_names.find(name, project)
    return pack_names.help_of(named, project) if named else command_help(name, HANDLERS)


def _command(door: Door, project: str) -> Invocation:
    if door.name and door.name.removeprefix("stretto:") not in COMMANDS and not _packed(door.name, project):
        known = [*HANDLERS, *VERBS, "line"]
        guess = nearest(door.name, known)
        hint = f" Did you mean {guess!r}?" if guess else ""
        raise BadInput(f"There is no command {door.name!r}.{hint}", field="command", allowed=known)
    return parse_argv([*filter(None, [door.name]), *door.rest], project=project)


def _packed(name: str, project: str) -> bool:
    """Whether it is a command of one of the project's packs."""
    from stretto.commands import pack_names

    return pack_names.find(name.removeprefix("/"), project) is not None


def _line(asked: _Asked, project: str) -> Invocation:
    """`stretto line '/…'`, or `-` for stdin. The flags beside the line go everywhere; those in the line win."""
    raw = raw_line(asked.door)
    asked.json = asked.door.json or "--json" in raw.split()  # a line that cannot be read may hold it
    invocation = parse_line(raw, project=project)
    asked.json = asked.door.json
    flags = {**asked.door.flags, **invocation.flags}
    if asked.json:
        flags["json"] = True
    return invocation._replace(flags=flags)


def handle(invocation: Invocation, app: App | None = None) -> Reply:
    """Hand an invocation to its handler, with the folder, store and runner that its flags name, or with this `app`."""
    module = "pack_run" if ":" in invocation.command else HANDLERS[invocation.command]
    reply: Reply = _imported(module).handle(invocation, app or _app(invocation))
    return reply


def _imported(module: str) -> Any:
    """The module of a handler. What is imported stays: looking for garbage meanwhile takes a tenth of a start."""
    looks, name = gc.isenabled(), f"stretto.commands.{module}"
    gc.disable()
    try:
        __import__(name)  # `importlib` would be a part of a hook's time that shows
        return sys.modules[name]
    finally:
        if looks:
            gc.enable()


def _app(invocation: Invocation) -> App:
    flags = invocation.flags
    return App(
        folder=folder(str(flags.get("project", "."))),
        store=str(flags.get("store", "")),
        json=bool(flags.get("json", False)),
        runner=str(flags.get("runner", "")),
    )


def _show(answer: Answer, asked: _Asked) -> int:
    if not isinstance(answer, Reply):
        for line in answer:
            print(line, flush=True)
        return 0
    if asked.json:
        print(envelope(answer), flush=True)
        return answer.exit_code
    if answer.text:
        print(answer.text if answer.exact and not sys.stdout.isatty() else safe(answer.text))
    if answer.next_steps and not answer.exact:
        print("\nnext:")
    for step in () if answer.exact else answer.next_steps:
        print(f"  {safe(step)}")
    sys.stdout.flush()
    return 0 if answer.exit_code == _WAITS and os.environ.get("CLAUDECODE") == "1" else answer.exit_code


def _show_error(asked: _Asked, error: StrettoError) -> int:
    if asked.json:
        print(error_envelope(asked.command, error), flush=True)
        return error.exit_code
    print(f"stretto: {safe(error.message)}", file=sys.stderr)
    allowed: list[str] = error.details.get("allowed") or []
    if not all(word.partition(":")[0] in error.message for word in allowed):
        print(f"  allowed: {safe(', '.join(allowed))}", file=sys.stderr)
    for step in error.next_steps:
        print(f"  next: {safe(step)}", file=sys.stderr)
    return error.exit_code
