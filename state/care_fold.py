"""What the log says the rows beside it must hold: events folded to workflows, attempts and ended tasks.

Not all of a row is told by events: the spec, the idempotency key, the outcome itself and how far an attempt came
before it ended are in the rows alone.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from stretto.state.care_rows import Row
from stretto.state.machine import STATUS_AFTER, STATUSES

ENDED = ("completed", "failed")


class Told(NamedTuple):
    """An event, as far as folding looks at it."""

    type: str
    workflow_id: str
    phase: str
    timestamp: str
    data: Mapping[str, Any]


class Tried:
    """An attempt, as its events tell it."""

    def __init__(self) -> None:
        self.starts = 0
        self.started = ""
        self.ended = ""
        self.finished = ""

    def start(self, timestamp: str) -> None:
        """It begins, for the first time or again after it was cut off."""
        self.starts += 1
        self.started, self.ended, self.finished = timestamp, "", ""


class Story:
    """A workflow, as its events tell it. `runner` is the one that it first began with; not `whole`: some are lost."""

    def __init__(self, *, whole: bool = True) -> None:
        self.created = ""
        self.updated = ""
        self.kind = ""
        self.description = ""
        self.status = ""
        self.phase = ""
        self.runner = ""
        self.version = 0
        self.attempts: dict[tuple[str, int], Tried] = {}
        self.ended: dict[str, int] = {}
        self.whole = whole

    def columns(self) -> dict[str, str | int]:
        """What a row of `workflows` must hold, as far as events tell."""
        return {
            "kind": self.kind,
            "description": self.description,
            "status": self.status,
            "phase": self.phase,
            "state_version": self.version,
            "created": self.created,
            "updated": self.updated,
        }

    def attempt_columns(self, task: str, number: int) -> dict[str, str | int]:
        """What a row of `attempts` must hold, as far as events tell. The state only where it has ended."""
        tried = self.attempts[task, number]
        told: dict[str, str | int] = {"starts": tried.starts, "started": tried.started, "finished": tried.finished}
        return {**told, "state": tried.ended} if tried.ended else told

    def take(self, event: Told) -> None:
        """Fold one more event in."""
        if event.type == "WORKFLOW_CREATED" and not self.created:
            self._create(event)
        elif event.type in STATUS_AFTER or event.type == "WORKFLOW_STATE_UPDATED":
            self._enter(event)
        elif event.type == "PHASE_STARTED":
            self.phase = event.phase
            self._touch(event)
        elif event.type in ("TASK_STARTED", "TASK_COMPLETED", "TASK_FAILED"):
            self._task(event)

    def _create(self, event: Told) -> None:
        self.created, self.status, self.phase = event.timestamp, "CREATED", event.phase
        self.kind, self.description = _text(event.data, "type"), _text(event.data, "description")
        self._touch(event)

    def _touch(self, event: Told) -> None:
        self.updated = event.timestamp
        self.version += 1

    def _enter(self, event: Told) -> None:
        status = STATUS_AFTER.get(event.type) or _text(event.data, "to")
        if status not in STATUSES:
            if "priority" in event.data:  # it is in the spec
                self._touch(event)
            return
        self.status = status
        self.runner = self.runner or _text(event.data, "runner")
        self._touch(event)
        retried = event.data.get("retried")
        for task in cast("list[object]", retried) if isinstance(retried, list) else ():
            self.ended.pop(str(task), None)

    def _task(self, event: Told) -> None:
        task, number = _text(event.data, "task_id"), _number(event.data)
        if not task or number is None:
            return
        if event.type == "TASK_STARTED":
            self.attempts.setdefault((task, number), Tried()).start(event.timestamp)
            return
        if event.type == "TASK_COMPLETED" or event.data.get("final") is not False:
            self.ended.setdefault(task, number)
        if (tried := self.attempts.get((task, number))) and not tried.ended:
            tried.ended = "completed" if event.type == "TASK_COMPLETED" else "failed"
            tried.finished = event.timestamp


def differences(row: Row, columns: tuple[str, ...], told: Mapping[str, str | int]) -> Iterator[str]:
    """The columns in which a row is not what events tell."""
    held = dict(zip(columns, row, strict=True))
    for name, value in told.items():
        if held[name] != value:
            yield f"{name} is {held[name]!r} where the log tells {value!r}"
    if "starts" in told and "state" not in told and held["state"] in ENDED:
        yield f"state is {held['state']!r} where the log tells of no end"


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _number(data: Mapping[str, Any]) -> int | None:
    value = data.get("attempt", data.get("retry_count"))
    return value if isinstance(value, int) else None
