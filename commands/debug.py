"""/debug: one debugger finds a cause, writes a report and changes nothing."""

from stretto.commands.app import App, require_supported
from stretto.commands.development import one_text, run
from stretto.commands.inputs import committed, existing
from stretto.commands.invocation import Invocation
from stretto.commands.options import WORK
from stretto.commands.reply import Reply
from stretto.graph import recipes

SUPPORTED = WORK


def handle(invocation: Invocation, app: App) -> Reply:
    """Find the cause of an issue and commit the debug report."""
    require_supported(invocation, SUPPORTED)
    issue = one_text(invocation, "issue", 'stretto debug "Login fails after a password change"')
    context = [existing(app.project, w.text, "document") for w in invocation.words[1:]]
    committed(app, context, "document")
    return run(invocation, app, issue, recipes.debug(issue, context))
