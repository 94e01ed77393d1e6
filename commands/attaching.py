"""Work beside a workflow: which one a command's figures belong to, and how they get into its events."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from stretto.commands.app import App
from stretto.commands.coordinating import open_log
from stretto.commands.invocation import Invocation
from stretto.commands.workflows import find
from stretto.graph.staying_open import open_workflows
from stretto.state.errors import BadInput
from stretto.state.log import Log
from stretto.state.machine import ACTIVE

PHASE = "testing"
_MOST = 20
MEASURED = "measured"
"""The fact that keeps the figures which were recorded for a workflow."""


class Attached(NamedTuple):
    """A workflow, and how it was found; no id where none is open."""

    workflow_id: str = ""
    notice: str = ""


def attach(invocation: Invocation, app: App) -> Attached:
    """`--workflow-context`, or the open workflow of the project.

    One whose work is delivered and waits to be tested comes before those that have not come so far.

    Raises:
        NotFound: There is no workflow of that id.
        BadInput: Several are open, and nobody says which is meant.
    """
    if given := invocation.flags.get("workflow-context"):
        log, row = find(app, str(given), field="--workflow-context")
        log.close()
        return Attached(row.id, f"Recorded for {row.id}.")
    found = Log.find(app.state)
    if found is None:
        return Attached()
    with found as log:
        going = [row.id for row in log.newest_workflows(_MOST, ACTIVE)]
        open_ = open_workflows(log) or going
    if not open_:
        return Attached()
    if open_[1:]:
        raise BadInput(
            f"{len(open_)} workflows are open. For which of them is this?",
            field="--workflow-context",
            allowed=open_,
            next_steps=(f"… --workflow-context={open_[0]}",),
        )
    others = [name for name in going if name != open_[0]]
    more = f" and waits for this; also going on: {', '.join(others)}" if others else ""
    return Attached(open_[0], f"No --workflow-context was given: recorded for {open_[0]}, which is open{more}.")


def began_at(app: App, to: Attached) -> str:
    """The commit at which a driven workflow began; empty for any other."""
    found = Log.find(app.state) if to.workflow_id else None
    if found is None:
        return ""
    with found as log:
        started = (e for e in log.events(to.workflow_id) if e.type == "WORKFLOW_STARTED")
        return next((str(e.data.get("base", "")) for e in started), "")


def record(app: App, to: Attached, figures: Mapping[str, Any]) -> tuple[str, ...]:
    """Write METRICS_RECORDED with these figures, and TESTING_COMPLETED once both coverage and a scan are known."""
    if not to.workflow_id:
        return ()
    name = to.workflow_id
    with open_log(app) as log:
        told = any(e.type == "TESTING_COMPLETED" for e in log.events(name))
        known: dict[str, Any] = {**(log.fact(name, MEASURED) or {}), **figures}
        with log.write() as tx:
            tx.put_fact(name, MEASURED, known)
            tx.event("METRICS_RECORDED", name, PHASE, {"metrics": dict(figures)})
            both: dict[str, Any] = {k: known[k] for k in ("coverage", "security_passed") if k in known}
            if len(both) == 2 and not isinstance(both["coverage"], str) and not told:
                tx.event("TESTING_COMPLETED", name, PHASE, both)
        return tuple(tx.ids)
