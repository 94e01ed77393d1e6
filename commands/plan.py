"""/plan: one planner writes one plan, from reports if there are any, staged as the draft of a workflow if asked."""

from typing import Any

from stretto.commands.app import App, require_supported
from stretto.commands.attaching import attach
from stretto.commands.coordinating import open_log
from stretto.commands.development import COMPLEXITIES, one_text, run
from stretto.commands.inputs import committed, existing, text_of
from stretto.commands.invocation import Invocation
from stretto.commands.options import WORK
from stretto.commands.reply import Reply
from stretto.graph import recipes
from stretto.graph.handing_over import DRAFT
from stretto.graph.plan_file import parse
from stretto.state.errors import BadInput
from stretto.state.rows import WorkflowRow

SUPPORTED = WORK | {"reports", "workflow-context", "coordination", "orchestrated", "complexity"}


def handle(invocation: Invocation, app: App) -> Reply:
    """Plan a feature and commit the plan.

    Raises:
        BadInput: A report is not there, or the plan is to be staged and no workflow is named.
    """
    require_supported(invocation, SUPPORTED)
    feature = one_text(invocation, "feature", 'stretto plan "Add JWT authentication" specs/reports/001_jwt.md')
    staged = bool({"coordination", "orchestrated"} & invocation.flags.keys())
    context = attach(invocation, app).workflow_id if "workflow-context" in invocation.flags else ""
    if staged and not context:
        raise BadInput(
            "An orchestrated plan is staged as the draft of a workflow: which?",
            field="--workflow-context",
            next_steps=("Name it with --workflow-context=ID.",),
        )
    named = [*(w.text for w in invocation.words[1:]), *invocation.flags.get("reports", ())]
    own = () if named or not context else _reports(app, context)
    reports = list(dict.fromkeys([*(existing(app.project, r, "reports") for r in named), *own]))
    committed(app, reports, "reports")
    phases = recipes.plan(feature, reports)
    done = run(invocation, app, feature, phases, complexity=invocation.flags.get("complexity"))
    if not context or "dry-run" in invocation.flags:
        return done
    return (
        _staged(invocation, done, app, context)
        if staged
        else done._replace(result={**done.result, "workflow_context": context})
    )


def _reports(app: App, context: str) -> list[str]:
    """The reports that a workflow left, as far as they are there."""
    with open_log(app) as log:
        events = list(log.events(context))
    metrics: list[dict[str, Any]] = [e.data.get("success_metrics") or {} for e in events]
    left = dict.fromkeys(str(path) for told in metrics for path in told.get("artifacts") or ())
    return [path for path in left if path.startswith("specs/reports/") and (app.project / path).is_file()]


def _complexity(row: WorkflowRow | None) -> str:
    found = str(row.spec.get("complexity")) if row else ""
    return found if found in COMPLEXITIES else "low"


def _staged(invocation: Invocation, done: Reply, app: App, context: str) -> Reply:
    """The plan as the draft of a workflow: `resource-manager transition` hands it on.

    It is as complex as that workflow, or more, if nobody says how complex it is.
    """
    path = next((str(p) for p in done.result.get("artifacts", ()) if str(p).startswith("specs/plans/")), "")
    if not path or not (app.project / path).is_file():
        return done._replace(text=f"{done.text}\nNo plan is in the checkout, so none was staged for {context}.")
    plan = parse(text_of(app.project, path, "plan"), source=path)
    with open_log(app) as log:
        row = log.workflow(done.workflow_id)
        rows = (row,) if "complexity" in invocation.flags else (row, log.workflow(context))
        complexity = max((_complexity(one) for one in rows), key=COMPLEXITIES.index)
        draft = {"path": path, "phases": len(plan.phases), "complexity": complexity}
        with log.write() as tx:
            tx.put_fact(context, DRAFT, draft)
            tx.event("WORKFLOW_STATE_UPDATED", context, "planning", {DRAFT: draft})
    return done._replace(
        text=f"{done.text}\n{path} is the draft plan of {context}.",
        result={**done.result, "workflow_context": context, DRAFT: draft},
        events=(*done.events, *tx.ids),
        next_steps=(
            f"stretto resource-manager transition {context} NEXT --preserve-context   (hands the draft on)",
            *done.next_steps,
        ),
    )
