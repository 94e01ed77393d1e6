"""/document: one documenter brings the documentation up to date with a change."""

from pathlib import PurePosixPath

from stretto.commands.app import App, require_supported
from stretto.commands.development import one_text, run
from stretto.commands.invocation import Invocation
from stretto.commands.options import WORK
from stretto.commands.reply import Reply
from stretto.graph import recipes
from stretto.state.errors import BadInput

SUPPORTED = WORK | {"scope"}
ANYWHERE = "comprehensive"


def handle(invocation: Invocation, app: App) -> Reply:
    """Document a change; a scope that is a folder or file bounds what may be written.

    Raises:
        BadInput: No change is named, or two scopes are.
    """
    require_supported(invocation, SUPPORTED)
    change = one_text(invocation, "change", 'stretto document "JWT authentication" docs')
    scopes = {*(w.text for w in invocation.words[1:]), *filter(None, [str(invocation.flags.get("scope", ""))])}
    if len(scopes) > 1:
        raise BadInput(f"One scope at most, and here are {', '.join(map(repr, sorted(scopes)))}.", field="scope")
    scope = next(iter(scopes), ANYWHERE)
    return run(invocation, app, change, recipes.document(change, "" if scope == ANYWHERE else _within(app, scope)))


def _within(app: App, scope: str) -> str:
    """A folder bounds what is written below it, which its slash says; a file is promised to be there afterwards."""
    folder = (app.project / scope).is_dir() or not PurePosixPath(scope).suffix
    return f"{scope.rstrip('/')}/" if folder else scope
