"""A command of a pack that has a handler: a program of the pack, run in a sandbox."""

import json

from stretto.commands.app import App
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.safe import safe
from stretto.packs.handler import run_handler
from stretto.state.store import find_project


def handle(invocation: Invocation, app: App) -> Reply:
    """Run the handler; exit 1 if it says that it failed.

    Raises:
        BadInput: It is not what the lock says, or there is no sandbox and nobody agreed that it runs without one.
        PermanentError: It failed, took too long, or gave no answer.
    """
    pack, _, command = invocation.command.partition(":")
    words = [word.text for word in invocation.words]
    answer = run_handler(find_project(app.project), pack, command, invocation.line, words)
    result = answer["result"]
    text = answer["message"] or (json.dumps(result, ensure_ascii=False, indent=2) if result else answer["status"])
    return Reply(
        invocation.command,
        safe(text),
        result,
        next_steps=tuple(safe(step) for step in answer["next_steps"]),
        exit_code=0 if answer["status"] == "ok" else 1,
    )
