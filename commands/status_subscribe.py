"""/workflow-status ID --subscribe: a durable place in the log, and what has come since the last look."""

import hashlib
import json
from collections.abc import Iterator, Sequence

from stretto.commands.app import App
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.workflows import find
from stretto.state.errors import BadInput
from stretto.state.filter import Filter
from stretto.state.registry import CLASSES
from stretto.state.subscription import AT_ONCE, Subscription
from stretto.state.wake import LOOK_SECONDS, Bell
from stretto.state.wire import Event


def subscribe(app: App, workflow_id: str, classes: Sequence[str]) -> Reply:
    """Begin a subscription, or take it up, and hand over what is pending.

    The same workflow and classes are the same subscription: each event comes once, whoever looks, whichever process.

    Raises:
        BadInput: There is no such class.
        StateConflict: Another process serves it at this moment.
    """
    wanted, name = _wanted(workflow_id, classes)
    found: list[Event] = []
    with Subscription.open(app.directory, name, wanted, pace=AT_ONCE) as mine:
        mine.catch_up(found.extend)
        cursor = mine.cursor
    lines = [e.line() for e in found] or [f"Nothing new. What comes from event {cursor + 1} on is kept for you."]
    text = "\n".join([*lines, f"subscription {name}: {', '.join(wanted.classes)} of {workflow_id}"])
    result = {
        "subscription_id": name,
        "classes": list(wanted.classes),
        "cursor": cursor,
        "pending": [e.envelope() for e in found],
    }
    again = f"stretto workflow-status {workflow_id} --subscribe --events={','.join(wanted.classes)}"
    steps = (f"{again}   (what came since)", f"{again} --follow   (as it comes)")
    return Reply("workflow-status", text, result, workflow_id=workflow_id, next_steps=steps)


def _wanted(workflow_id: str, classes: Sequence[str]) -> tuple[Filter, str]:
    """What is wanted, and the name of the subscription that wants it."""
    wanted = Filter(classes=tuple(sorted(set(classes) or CLASSES)), workflow=workflow_id)
    wanted.test()
    return wanted, f"status_{hashlib.sha256(repr(wanted).encode()).hexdigest()[:12]}"


def follow(invocation: Invocation, app: App) -> Iterator[str]:
    """`ID --subscribe --follow`: the same subscription, what is pending and then each event as it comes, until Ctrl-C.

    Raises:
        BadInput: It is no subscription, or a flag is about something else.
        NotFound: There is no such workflow.
    """
    if "subscribe" not in invocation.flags or not invocation.ids:
        raise BadInput("--follow says how to subscribe to a workflow: ID --subscribe --follow.", field="--follow")
    if foreign := invocation.flags.keys() - {"subscribe", "follow", "events", "json", "store", "project"}:
        raise BadInput(f"--{min(foreign)} does nothing beside --follow.", field=f"--{min(foreign)}")
    log, row = find(app, invocation.ids[0], field="workflow_id")
    log.close()
    return _followed(app, *_wanted(row.id, invocation.flags.get("events", ())))


def _followed(app: App, wanted: Filter, name: str) -> Iterator[str]:
    bell = Bell.hang(app.directory)
    try:
        with Subscription.open(app.directory, name, wanted, pace=AT_ONCE) as mine:
            while True:
                found: list[Event] = []
                mine.catch_up(found.extend)
                yield from (json.dumps(e.envelope(), ensure_ascii=False) if app.json else e.line() for e in found)
                bell.wait(LOOK_SECONDS)
    except KeyboardInterrupt:
        return
    finally:
        bell.close()
