"""/debug: one debugger finds a cause, writes a report and changes nothing."""

from typing import Any

from stretto.agents.scan import Scan
from stretto.commands.app import App, require_supported
from stretto.commands.attaching import Attached, attach, record
from stretto.commands.development import one_text, run
from stretto.commands.inputs import committed, existing
from stretto.commands.invocation import Invocation
from stretto.commands.options import WORK
from stretto.commands.reply import Reply
from stretto.commands.scanning import scan_project
from stretto.graph import recipes

_SECURITY = frozenset({"security-analysis", "penetration-testing"})
SUPPORTED = WORK | _SECURITY | {"workflow-context"}
NO_ATTACK = (
    "Penetration testing: not done. It needs a running system and the leave of whoever owns it: a tester, or OWASP ZAP"
    " (zap-baseline.py -t URL), would do it."
)


def handle(invocation: Invocation, app: App) -> Reply:
    """Find the cause of an issue and commit the debug report, with what a security scanner found if that was asked.

    Raises:
        BadInput: No issue, or a document that agents would not see.
    """
    require_supported(invocation, SUPPORTED)
    issue = one_text(invocation, "issue", 'stretto debug "Login fails after a password change"')
    context = [existing(app.project, w.text, "document") for w in invocation.words[1:]]
    committed(app, context, "document")
    if "dry-run" in invocation.flags or not invocation.flags.keys() & {*_SECURITY, "workflow-context"}:
        return run(invocation, app, issue, recipes.debug(issue, context))
    to = attach(invocation, app)
    found = scan_project(app) if "security-analysis" in invocation.flags else None
    known = [
        *(found.lines() if found else ()),
        *([NO_ATTACK] if "penetration-testing" in invocation.flags else ()),
    ]
    done = run(invocation, app, issue, recipes.debug(issue, context, known))
    return _with(done, to, known, _figures(found), record(app, to, {**_figures(found), "debugged": done.workflow_id}))


def _figures(found: Scan | None) -> dict[str, Any]:
    if found is None:
        return {}
    if found.why:
        return {"security": f"not available: {found.why}"}
    counts = {"scanner": found.scanner, "files": found.files, "findings": len(found.findings)}
    return {"security": counts, "security_passed": bool(found.passed)}


def _with(done: Reply, to: Attached, known: list[str], figures: dict[str, Any], events: tuple[str, ...]) -> Reply:
    return done._replace(
        text="\n".join([done.text, *(f"  {line}" for line in known), *([to.notice] if to.notice else [])]),
        result={**done.result, **figures, "known": known, "recorded_for": to.workflow_id or None},
        events=(*done.events, *events),
    )
