"""/workflow-status ID --subscribe: a durable place in the log, and what has come since the last look."""

import hashlib
from collections.abc import Sequence

from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.state.filter import Filter
from stretto.state.registry import CLASSES
from stretto.state.subscription import AT_ONCE, Subscription
from stretto.state.wire import Event


def subscribe(app: App, workflow_id: str, classes: Sequence[str]) -> Reply:
    """Begin a subscription, or take it up, and hand over what is pending.

    The same workflow and classes are the same subscription: each event comes once, whoever looks, whichever process.

    Raises:
        BadInput: There is no such class.
        StateConflict: Another process serves it at this moment.
    """
    wanted = Filter(classes=tuple(sorted(set(classes) or CLASSES)), workflow=workflow_id)
    wanted.test()
    name = f"status_{hashlib.sha256(repr(wanted).encode()).hexdigest()[:12]}"
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
    follow = f"stretto events {workflow_id} --follow" + "".join(f" --class={c}" for c in wanted.classes)
    steps = (f"{again}   (what came since)", f"{follow}   (as it comes)")
    return Reply("workflow-status", text, result, workflow_id=workflow_id, next_steps=steps)
