"""Where a workflow lives, and how a drive of it ended."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from stretto.graph.staying_open import WHY, delivered
from stretto.state import store
from stretto.state.log import Log

End = Literal["completed", "open", "failed", "paused", "cancelled"]


class Result(NamedTuple):
    """How a drive ended. `gate` names the gate it waits at; `facts` are those of the last WORKFLOW_ event."""

    workflow_id: str
    status: End
    why: str = ""
    gate: str = ""
    facts: Mapping[str, Any] = {}
    events: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Place(NamedTuple):
    """Where a workflow lives: the folder to work on, the store, what its writes survive, and where time comes from."""

    project: Path
    store: Path | None = None
    durability: str = "power"
    clock: Callable[[], float] = time.time

    def directory(self) -> Path:
        """The state directory."""
        override = str(self.store) if self.store else None
        return store.store_directory(store.find_project(self.project), override, os.environ)


def end_of(workflow_id: str, log: Log, before: int) -> Result:
    """The result of a workflow that has completed, or stays open; with the events written after `before`."""
    facts: dict[str, Any] = {}
    written: list[str] = []
    for event in log.events(workflow_id):
        if event.type == "WORKFLOW_COMPLETED":
            facts = dict(event.data)
        if event.seq > before:
            written.append(event.event_id)
    delivery = delivered(log.database, workflow_id)
    if delivery is not None:
        return Result(workflow_id, "open", WHY, facts=delivery, events=tuple(written))
    return Result(workflow_id, "completed", facts=facts, events=tuple(written))
