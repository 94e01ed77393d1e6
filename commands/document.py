"""/document: one documenter brings the documentation up to date with a change."""

from pathlib import PurePosixPath

from stretto.commands.app import App, require_supported
from stretto.commands.development import one_text, run
from stretto.commands.invocation import Invocation
from stretto.commands.options import WORK
from stretto.commands.reply import Reply
from stretto.graph import recipes
from stretto.state.errors import BadInput


def handle(invocation: Invocation, app: App) -> Reply:
    """Document a change; a scope that is a folder or file bounds what may be written."""
    require_supported(invocation, WORK | {"scope"})
    change = one_text(invocation, "change", 'stretto document "JWT authentication" docs')
    words = [w.text for w in invocation.words[1:]]
    scope = str(invocation.flags.get("scope", words[0] if words else ""))
    if scope == "comprehensive":
        scope = ""
    if scope and (scope.startswith("/") or ".." in PurePosixPath(scope).parts):
        raise BadInput(f"The scope {scope!r} lies outside the project.", field="scope")
    return run(invocation, app, change, recipes.document(change, scope))
