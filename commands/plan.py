"""/plan: one planner writes one plan, from reports if there are any."""

from stretto.commands.app import App, require_supported
from stretto.commands.development import one_text, run
from stretto.commands.inputs import committed, existing
from stretto.commands.invocation import Invocation
from stretto.commands.options import WORK
from stretto.commands.reply import Reply
from stretto.graph import recipes

SUPPORTED = WORK | {"reports"}


def handle(invocation: Invocation, app: App) -> Reply:
    """Plan a feature and commit the plan."""
    require_supported(invocation, SUPPORTED)
    feature = one_text(invocation, "feature", 'stretto plan "Add JWT authentication" specs/reports/001_jwt.md')
    named = [*(w.text for w in invocation.words[1:]), *invocation.flags.get("reports", ())]
    reports = list(dict.fromkeys(existing(app.project, r, "reports") for r in named))
    committed(app, reports, "reports")
    return run(invocation, app, feature, recipes.plan(feature, reports))
