"""The command line: argv to a handler, its reply to stdout, words about progress to stderr, an exit code.

The only module that prints. It imports a handler when it is asked for, so that the quick commands stay quick.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from stretto.commands.app import App
from stretto.commands.help import command_help, overview
from stretto.commands.invocation import Invocation
from stretto.commands.parse import parse_argv, parse_line
from stretto.commands.reply import Reply, envelope, error_envelope
from stretto.commands.tables import COMMANDS
from stretto.state.errors import BadInput, StrettoError

HANDLERS = {
    "orchestrate": "orchestrate",
    "report": "report",
    "plan": "plan",
    "implement": "implement",
    "debug": "debug",
    "test": "test",
    "test-all": "test_all",
    "document": "document",
    "subagents": "subagents",
    "workflow-status": "workflow_status",
}
"""Slash commands that this version has, and the modules that handle them."""
VERBS = ("events", "logs", "diff", "cancel", "undo")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 bad input, 3 stopped and resumable, 4 damaged."""
    args = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in args
    try:
        return _show(_run(args), as_json)
    except StrettoError as error:
        return _show_error(_name_in(args), error, as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left; say nothing more
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 3


def _run(args: list[str]) -> Reply | str:
    plain = [a for a in args if a != "--json"]
    if not plain or plain[0] in {"--help", "-h", "help"}:
        return command_help(plain[1], HANDLERS) if len(plain) > 1 else overview(HANDLERS)
    if plain[0] == "--version":
        from importlib.metadata import version

        return f"stretto {version('stretto')}"
    if "--help" in plain or "-h" in plain:
        return command_help(_name_in(plain), HANDLERS)
    if plain[0] in VERBS:
        from stretto.commands import verbs

        return verbs.run(plain[0], plain[1:], "--json" in args)
    invocation = _line(plain[1:], args) if plain[0] == "line" else parse_argv(args, project=_project(args))
    return handle(invocation)


def handle(invocation: Invocation) -> Reply:
    """Hand an invocation to its handler.

    Raises:
        BadInput: The command is known to the grammar, but this version does not have it.
    """
    module = HANDLERS.get(invocation.command)
    if module is None:
        raise BadInput(
            f"/{invocation.command} is understood, but this version does not have it yet; nothing was done.",
            field="command",
            allowed=sorted(HANDLERS),
        )
    reply: Reply = import_module(f"stretto.commands.{module}").handle(invocation, _app(invocation))
    return reply


def _line(rest: list[str], args: list[str]) -> Invocation:
    """`stretto line '/…'`, or `-` for stdin."""
    texts = [a for a in rest if not a.startswith("--")]
    if len(texts) != 1:
        raise BadInput("`stretto line` takes one slash line, or - to read it from stdin.", field="line")
    raw = sys.stdin.read() if texts[0] == "-" else texts[0]
    invocation = parse_line(raw, project=_project(args))
    outer = (
        parse_argv([invocation.command, *[a for a in args if a.startswith("--")]], project=_project(args))
        if len(rest) > 1 or "--json" in args
        else None
    )
    if outer:
        invocation.flags.update({k: v for k, v in outer.flags.items() if k not in invocation.flags})
    return invocation


def _app(invocation: Invocation) -> App:
    flags = invocation.flags
    return App(
        project=_folder(str(flags.get("project", "."))),
        store=str(flags.get("store", "")),
        json=bool(flags.get("json", False)),
        runner=str(flags.get("runner", "")),
    )


def _folder(text: str) -> Path:
    path = Path(text).expanduser().resolve()
    if not path.is_dir():
        raise BadInput(f"--project {text!r} is not a folder.", field="--project")
    return path


def _project(args: Sequence[str]) -> Path:
    """The project folder, needed before the line is parsed: paths in it are checked against it."""
    for i, arg in enumerate(args):
        if arg.startswith("--project="):
            return _folder(arg.partition("=")[2])
        if arg == "--project" and i + 1 < len(args):
            return _folder(args[i + 1])
    return Path.cwd()


def _name_in(args: Sequence[str]) -> str:
    names = {*COMMANDS, *VERBS}
    return next((a.removeprefix("/") for a in args if a.removeprefix("/") in names), "stretto")


def _show(reply: Reply | str, as_json: bool) -> int:
    if isinstance(reply, str):
        print(reply)
        return 0
    if as_json:
        print(envelope(reply))
        return reply.exit_code
    if reply.text:
        print(reply.text)
    if reply.next_steps:
        print("\nnext:")
        for step in reply.next_steps:
            print(f"  {step}")
    return reply.exit_code


def _show_error(command: str, error: StrettoError, as_json: bool) -> int:
    if as_json:
        print(error_envelope(command, error))
        return error.exit_code
    print(f"stretto: {error.message}", file=sys.stderr)
    if allowed := error.details.get("allowed"):
        print(f"  allowed: {', '.join(allowed)}", file=sys.stderr)
    for step in error.next_steps:
        print(f"  next: {step}", file=sys.stderr)
    return error.exit_code
