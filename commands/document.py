"""/document: one documenter brings the documentation up to date with a change."""

from pathlib import PurePosixPath

from stretto.commands.app import App, require_supported
from stretto.commands.attaching import Attached, attach, record
from stretto.commands.development import one_text, run
from stretto.commands.invocation import Invocation
from stretto.commands.options import WORK
from stretto.commands.reply import Reply
from stretto.graph import recipes
from stretto.graph.staying_open import open_workflows
from stretto.state.errors import BadInput
from stretto.state.log import Log

SUPPORTED = WORK | {"scope", "cross-reference", "audience", "workflow-context"}
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
    audience = str(invocation.flags.get("audience", ""))
    phases = recipes.document(
        change,
        "" if scope == ANYWHERE else _within(app, scope),
        links="cross-reference" in invocation.flags,
        about=f"Write for {audience}." if audience else "",
    )
    to = Attached() if "dry-run" in invocation.flags else _beside(invocation, app)
    done = run(invocation, app, change, phases)
    if not to.workflow_id:
        return done
    events = record(app, to, {"documented": done.workflow_id, "documentation": str(done.result.get("status"))})
    return done._replace(text=f"{done.text}\n{to.notice}", events=(*done.events, *events))


def _beside(invocation: Invocation, app: App) -> Attached:
    """The workflow that is named, or the one that stays open to be documented. Documents may be for none at all."""
    if "workflow-context" in invocation.flags or (found := Log.find(app.state)) is None:
        return attach(invocation, app) if "workflow-context" in invocation.flags else Attached()
    with found as log:
        waits = open_workflows(log)
    return attach(invocation, app) if waits else Attached()


def _within(app: App, scope: str) -> str:
    """A folder bounds what is written below it, which its slash says; a file is promised to be there afterwards."""
    folder = (app.project / scope).is_dir() or not PurePosixPath(scope).suffix
    return f"{scope.rstrip('/')}/" if folder else scope
