"""What the tables hold, as Python sees it."""

from __future__ import annotations

from stretto.state.light import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class WorkflowRow(NamedTuple):
    """One workflow as it stands. `spec` is the JSON it was created from; times are UTC, ISO 8601."""

    id: str
    kind: str
    description: str
    status: str
    phase: str
    spec: dict[str, Any]
    runner: str
    state_version: int
    created: str
    updated: str


class AttemptRow(NamedTuple):
    """One try of a task. `starts` counts how often it began: more than once when its driver died in the middle.

    `outcome` is None, and `finished` and `commit_sha` are empty, until they are known.
    """

    workflow_id: str
    task_id: str
    attempt: int
    key: str
    state: str
    starts: int
    commit_sha: str
    outcome: dict[str, Any] | None
    started: str
    finished: str


class Recorded(NamedTuple):
    """The outcome that a task ended with, and which attempt it came from."""

    attempt: int
    outcome: dict[str, Any]


class Request(NamedTuple):
    """What another process asks of the driver of a workflow: `cancel` or `drain`."""

    kind: str
    data: dict[str, Any]
    at: str


class LeaseRow(NamedTuple):
    """Who drives a workflow, or drove it last. `token` grows with every acquisition; `released` is 0 or 1."""

    workflow_id: str
    token: int
    released: int
    pid: int
    boot: str
    started: str
    host: str
    since: str


class Fence(NamedTuple):
    """The right to write for a workflow, as long as nobody took the lease over."""

    workflow_id: str
    token: int


class Taker(NamedTuple):
    """Who has taken a work order: an agent of a session, and the process that it ends with (pid 0: not known)."""

    session: str
    agent: str
    pid: int
    boot: str
    started: str
    host: str


class Order(NamedTuple):
    """An attempt that somebody outside carries out.

    `state` is `open`, `taken`, `reported`, `closed` or `void`; `work` what its taker and its driver need to know;
    `notes` are `{"text", "at", "read"}`.
    """

    workflow_id: str
    task_id: str
    attempt: int
    state: str
    taker: Taker | None
    taken: str
    work: dict[str, Any]
    report: dict[str, Any] | None
    notes: list[dict[str, Any]]

    @property
    def id(self) -> str:
        """The idempotency key of the attempt."""
        return f"{self.workflow_id}/{self.task_id}#{self.attempt}"
