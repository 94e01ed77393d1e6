"""/report: one researcher writes one report."""

from stretto.commands.app import App, require_supported
from stretto.commands.development import one_text, run
from stretto.commands.invocation import Invocation
from stretto.commands.options import WORK
from stretto.commands.reply import Reply
from stretto.graph import recipes

SUPPORTED = WORK


def handle(invocation: Invocation, app: App) -> Reply:
    """Research a topic and commit the report."""
    require_supported(invocation, SUPPORTED)
    topic = one_text(invocation, "topic", 'stretto report "How sessions are stored"')
    return run(invocation, app, topic, recipes.report(topic))
