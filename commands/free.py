"""Free answers: what a hook can say to a typed command without a model, or None.

Help, what cannot be read, what only looks, and dry runs. Everything else is for the command itself.
"""

import os

from stretto.commands.handlers import HANDLERS
from stretto.commands.words import of_error, of_reply, shortened
from stretto.state.errors import StrettoError

MOST = 9_000
"""Bytes of an answer: the client cuts what a hook says at 10,000 characters."""
LISTS = frozenset({"workflow-context", "orchestration-ready", "json"})
LOOKING = {
    "workflow-status": frozenset({"all", "detailed", "json"}),
    "list-plans": LISTS,
    "list-reports": LISTS,
    "list-summaries": LISTS,
}
"""Commands that change nothing and need nothing that must be installed, with these flags."""
READING = {"workflow-template": ("list", "show", "validate", "check", "verify")}
"""Operations that change nothing, but need what is installed: they are run as a dry run is."""


def answer(name: str, arguments: str, folder: str) -> str | None:
    """What to say to `/name arguments` typed in `folder`, or None if that is not for a hook to say."""
    try:
        bare = name == "workflow-status" and not arguments.strip()
        said = _bare(name, folder) if bare else _answer(name, f"/{name} {arguments}", folder)
    except StrettoError as error:
        said = of_error(error, HANDLERS)
    return None if said is None else shortened(said, MOST, f"To see the rest: stretto {name} … in a terminal.")


def _bare(name: str, folder: str) -> str:
    """Nothing stands behind the name, so there is nothing to parse: that alone takes as long as the rest."""
    from stretto.commands.app import App
    from stretto.commands.invocation import Invocation
    from stretto.commands.workflow_status import handle

    os.chdir(folder)
    return of_reply(handle(Invocation(name, line=f"/{name}"), App(os.path.realpath("."))), HANDLERS)


def _answer(name: str, line: str, folder: str) -> str | None:
    from stretto.commands.cli import handle
    from stretto.commands.line import lex
    from stretto.commands.parse import parse_line
    from stretto.commands.reply import envelope
    from stretto.commands.source import received

    if any(item.flag in ("help", "h") for item in lex(received(line))):
        from stretto.commands.help import command_help

        return command_help(name, HANDLERS)
    os.chdir(folder)
    invocation = parse_line(line, project=folder)
    if name in LOOKING and invocation.flags.keys() <= LOOKING[name]:
        reply = handle(invocation)
        return envelope(reply) if "json" in invocation.flags else of_reply(reply, HANDLERS)
    if "dry-run" not in invocation.flags and invocation.operation not in READING.get(name, ()):
        return None
    from stretto.commands.hook_dry import dry_run

    return dry_run(line, folder)
