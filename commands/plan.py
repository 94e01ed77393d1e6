"""/plan: one planner writes one plan, from reports if there are any."""

from pathlib import Path

from stretto.commands.app import App, require_supported
from stretto.commands.development import one_text, run
from stretto.commands.invocation import Invocation
from stretto.commands.options import WORK
from stretto.commands.reply import Reply
from stretto.graph import recipes
from stretto.state.errors import BadInput


def handle(invocation: Invocation, app: App) -> Reply:
    """Plan a feature and commit the plan."""
    require_supported(invocation, WORK | {"reports"})
    feature = one_text(invocation, "feature", 'stretto plan "Add JWT authentication" specs/reports/001_jwt.md')
    named = str(invocation.flags.get("reports", "")).split()
    reports = [*(w.text for w in invocation.words[1:]), *named]
    return run(invocation, app, feature, recipes.plan(feature, [existing(app.project, r, "reports") for r in reports]))


def existing(project: Path, path: str, field: str) -> str:
    """A file of the project, as a path relative to it.

    Raises:
        BadInput: It is not there, or lies outside.
    """
    full = (project / path).resolve()
    if not full.is_relative_to(project.resolve()):
        raise BadInput(f"{path!r} lies outside the project.", field=field)
    if not full.is_file():
        raise BadInput(f"There is no file {path!r} in the project.", field=field)
    return full.relative_to(project.resolve()).as_posix()
