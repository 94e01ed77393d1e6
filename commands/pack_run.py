"""A command of a pack that has a handler: a program of the pack, run in a sandbox."""

from stretto.commands.app import App
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.state.errors import BadInput


def handle(invocation: Invocation, app: App) -> Reply:
    """Run the handler.

    Raises:
        BadInput: Nothing here can run it.
    """
    del app
    raise BadInput(
        f"/{invocation.command} is a program of its pack, and this Stretto cannot run it. Nothing was run.",
        field="command",
    )
