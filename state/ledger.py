"""The ledger folded from the log: which allocations hold something or wait for it, after any number of events.

The rows of `allocations` that are live say the same; this is how anybody can check them, and how what was held at any
time in the past is known.
"""

from __future__ import annotations

from collections.abc import Iterable

from stretto.state.allocation import Allocation
from stretto.state.wire import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KINDS = frozenset({"RESOURCE_REQUESTED", "RESOURCE_RESERVED", "RESOURCE_ALLOCATED", "RESOURCE_DEALLOCATED"})
"""The events that move allocations."""


class Ledger:
    """The live allocations by id, one event at a time."""

    def __init__(self) -> None:
        self.rows: dict[str, Allocation] = {}

    def apply(self, event: Event) -> None:
        """Take one more event; one that is no allocation's changes nothing."""
        name = event.data.get("allocation_id")
        if event.type not in KINDS or not isinstance(name, str):
            return
        if event.type == "RESOURCE_DEALLOCATED":
            self._released(event, name)
        else:
            self._moved(event, name)

    def _released(self, event: Event, name: str) -> None:
        left: dict[str, Any] | None = event.data.get("remaining")
        if left is not None and name in self.rows:
            self.rows[name] = self.rows[name]._replace(granted=left)
        else:
            self.rows.pop(name, None)

    def _moved(self, event: Event, name: str) -> None:
        data: dict[str, Any] = event.data
        details: dict[str, Any] = data.get("resource_details", {})
        old = self.rows.pop(data.get("taken_over") or name, None)
        state = {"RESOURCE_REQUESTED": "queued", "RESOURCE_RESERVED": "reserved"}.get(event.type, "active")
        self.rows[name] = Allocation(
            id=name,
            workflow_id=event.workflow_id,
            state=state,
            priority=data.get("priority", ""),
            wanted=old.wanted if old else details,
            granted={} if state == "queued" else details,
            context=data.get("context", {}),
            requested=data.get("requested", event.timestamp),
            since=_since(event, old, state),
            until=data.get("until", ""),
        )


def _since(event: Event, old: Allocation | None, state: str) -> str:
    """When its state began: what is granted anew, or passed on, has not changed its state."""
    return old.since if old and old.state == state else event.timestamp


def fold(events: Iterable[Event]) -> dict[str, Allocation]:
    """The live allocations after these events, by id."""
    found = Ledger()
    for event in events:
        found.apply(event)
    return found.rows
