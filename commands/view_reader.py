"""Another reader of a store, as a process: it keeps a view of every workflow and says when each event was in it.

    python -m stretto.commands.view_reader STORE

Prints `ready`; then for each event its id and the machine's monotonic clock in seconds; at last the views, as one line
of JSON, when an event of the kind `end` has come.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from stretto.state.figures import WorkflowView
from stretto.state.subscription import AT_ONCE, Subscription
from stretto.state.view import apply
from stretto.state.wire import Event

END = "end"
READER = "view_reader"


def summary(views: dict[str, WorkflowView]) -> dict[str, list[str]]:
    """What two readers must agree on: the status of each workflow, and the state of each of its phases."""
    return {name: [view.status, *(f"{p.name} {p.state}" for p in view.phases.values())] for name, view in views.items()}


def main(store: str) -> None:
    """Read until the end is told."""
    views: dict[str, WorkflowView] = {}
    with Subscription.open(Path(store), READER, after=0, pace=AT_ONCE) as mine:

        def take(events: Sequence[Event]) -> None:
            for event in events:
                apply(views.setdefault(event.workflow_id, WorkflowView()), event)
                _say(f"{event.event_id} {time.monotonic():.6f}")
                if event.data.get("kind") == END:
                    mine.stop()

        _say("ready")
        mine.deliver(take)
    _say(json.dumps(summary(views)))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
