"""`stretto events WORKFLOW --hash`: one hash of what a workflow's log tells."""

from types import SimpleNamespace

from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.commands.workflows import find
from stretto.state.errors import BadInput
from stretto.state.log_hash import canonical, log_hash


def event_hash(app: App, args: SimpleNamespace) -> Reply:
    """The hash of a whole workflow.

    Raises:
        BadInput: No workflow is named, or a part of its events.
        NotFound: There is no such workflow.
    """
    if not args.workflow:
        raise BadInput("--hash is of one workflow: name it.", field="workflow")
    if args.follow or args.pattern or vars(args)["class"] or args.severity or args.after is not None:
        raise BadInput("--hash is of a whole log: give it alone.", field="--hash")
    log, row = find(app, args.workflow)
    with log:
        events = list(log.events(row.id))
    facts = {"log_hash": log_hash(events), "events": len(events), "counted": len(canonical(events))}
    return Reply("events", str(facts["log_hash"]), facts, workflow_id=row.id)
