"""/test-all: the project's whole test suite, run in the checkout as it is."""

from stretto.commands.app import App, require_supported
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.test import SUPPORTED, run_tests
from stretto.state.errors import BadInput


def handle(invocation: Invocation, app: App) -> Reply:
    """Run every test; counts come from the runner. No tests found is a failure."""
    require_supported(invocation, SUPPORTED)
    if invocation.words:
        raise BadInput(
            f"/test-all cannot do {invocation.words[0].text!r} yet; it runs the whole suite.", field="scope", allowed=()
        )
    return run_tests(invocation, app, "all")
