"""Work beside a workflow: which one a command's figures belong to, and how they get into its events."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from stretto.commands.app import App
from stretto.commands.coordinating import open_log
from stretto.commands.invocation import Invocation
from stretto.commands.workflows import find
from stretto.state.log import Log
from stretto.state.machine import FINAL, STATUSES

PHASE = "testing"
MEASURED = "measured"
"""The fact that keeps the figures which were recorded for a workflow."""


class Attached(NamedTuple):
    """A workflow, and how it was found; no id where none is open."""

    workflow_id: str = ""
    notice: str = ""


def attach(invocation: Invocation, app: App) -> Attached:
    """`--workflow-context`, or the newest workflow of the project that has not ended.

    Raises:
        NotFound: There is no workflow of that id.
    """
    if given := invocation.flags.get("workflow-context"):
        log, row = find(app, str(given), field="--workflow-context")
        log.close()
        return Attached(row.id, f"Recorded for {row.id}.")
    found = Log.find(app.state)
    if found is None:
        return Attached()
    with found as log:
        open_ = log.newest_workflows(2, [s for s in STATUSES if s not in FINAL])
    if not open_:
        return Attached()
    more = " (the newest of several that are open; --workflow-context=ID names another)" if open_[1:] else ""
    return Attached(open_[0].id, f"No --workflow-context was given: recorded for {open_[0].id}, which is open{more}.")


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
