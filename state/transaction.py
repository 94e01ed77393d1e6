"""What may be written: each change of state together with the event that tells of it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from stretto.state import chain, ids, machine, registry, wire
from stretto.state.database import Database
from stretto.state.errors import BadInput, NotFound, StateConflict, WorkflowExists
from stretto.state.order_rows import put_order, standing_orders
from stretto.state.queries import FORGIVEN, attempt_row, last_seq, outcome_of, outcomes, requests, workflow_row
from stretto.state.quick_json import loads
from stretto.state.rows import AttemptRow, Fence, Request, WorkflowRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ENDED = frozenset({"completed", "failed"})
"""States of an attempt that never starts again. Any other word is the graph's own, from `started` on."""
REQUESTS = ("cancel", "drain")


class Transaction:
    """An open write. All of it is stored, or none. `now` is the timestamp of everything in it.

    `fence` is the lease under which it writes, if any; `Log.write` has checked it. A `strict` one refuses events that
    the registry does not know, and those that leave out what it requires. `ids` are those of the events that it wrote.
    """

    def __init__(self, database: Database, now: str, fence: Fence | None, *, strict: bool = False) -> None:
        self.database = database
        self.now = now
        self.fence = fence
        self.strict = strict
        self.ids: list[str] = []
        self._seq: int | None = None
        self._heads: dict[str, str] = {}

    def event(
        self,
        event_type: str,
        workflow_id: str,
        phase: str,
        data: Mapping[str, Any],
        *,
        severity: str = "info",
        source: str = "stretto",
        correlation_id: str = "",
    ) -> str:
        """Append one event and return its id. Aliases of types are stored under their canonical name.

        Raises:
            BadInput: A word has a character that the wire does not allow, the severity is unknown, `data` is
                not JSON; or, in a strict log, the type is unknown or a required field is missing.
        """
        name = registry.canonical(event_type)
        wire.check_fields(name, workflow_id, phase)
        if self.strict:
            _check_strictly(name, data)
        if severity not in registry.SEVERITIES:
            raise BadInput(f"There is no severity {severity!r}.", field="severity", allowed=registry.SEVERITIES)
        event_id = _event_id()
        text = wire.compact(data)
        words = (event_id, name, workflow_id, phase, self.now, source, severity, text, correlation_id)
        self._append(workflow_id, words)
        return event_id

    def _append(self, workflow_id: str, words: tuple[str, ...]) -> None:
        """The numbers and hashes are asked for once: nobody else writes while this is open."""
        if self._seq is None:
            self._seq = last_seq(self.database)
        if workflow_id not in self._heads:
            self._heads[workflow_id] = chain.head(self.database, workflow_id)
        prev = self._heads[workflow_id]
        values: tuple[str | int, ...] = (self._seq + 1, *words)
        head = chain.link(prev, values)
        self.database.put("events", (*values, prev, head))
        self._seq, self._heads[workflow_id] = self._seq + 1, head
        self.ids.append(words[0])

    def create_workflow(
        self,
        workflow_id: str,
        *,
        kind: str,
        description: str,
        spec: Mapping[str, Any],
        runner: str,
        phase: str = "setup",
        data: Mapping[str, Any] | None = None,
    ) -> bool:
        """Create a workflow and write `WORKFLOW_CREATED` with `description`, `type` and `data`.

        Returns False, and writes nothing, if the same workflow is there already.

        Raises:
            WorkflowExists: One of this id with another kind, description, spec or runner is there.
            BadInput: The id is not one.
        """
        ids.workflow_id(workflow_id)
        text = wire.compact(spec)
        if old := workflow_row(self.database, workflow_id):
            if (old.kind, old.description, old.spec, old.runner) == (kind, description, loads(text), runner):
                return False
            raise WorkflowExists(
                f"Workflow {workflow_id!r} exists already and is another one: {old.description!r}, {old.status}.",
                field="workflow_id",
                next_steps=("Choose another id, or resume that one.",),
            )
        self.database.put(
            "workflows", (workflow_id, kind, description, "CREATED", phase, text, runner, 1, self.now, self.now)
        )
        facts = {"description": description, "type": kind, **(data or {})}
        self.event("WORKFLOW_CREATED", workflow_id, phase, facts)
        return True

    def set_status(
        self,
        workflow_id: str,
        status: str,
        data: Mapping[str, Any] | None = None,
        *,
        phase: str = "",
        expect: int | None = None,
    ) -> str:
        """Take one arrow of the state machine and write its `WORKFLOW_*` event; return the event's id.

        `phase` is the event's, by default the workflow's current one. `expect` is the `state_version` that the
        decision was based on. Under the workflow's fence RUNNING → RUNNING takes up what a dead driver left.

        Raises:
            InvalidTransition: There is no such arrow.
            StateConflict: The workflow's version is not `expect`.
            NotFound: No such workflow.
        """
        old = self._workflow(workflow_id)
        if expect is not None and expect != old.state_version:
            raise StateConflict(
                f"Workflow {workflow_id!r} is at version {old.state_version}, not {expect}: somebody else changed it."
                " Nothing was written.",
                next_steps=("Read it again, then decide.",),
            )
        if status not in machine.ARROWS:
            raise BadInput(f"There is no status {status!r}.", field="status", allowed=machine.STATUSES)
        driven = self.fence is not None and self.fence.workflow_id == workflow_id
        event_type = machine.arrow(workflow_id, old.status, status, driven=driven)
        self._put_workflow(old._replace(status=status))
        if status in ("COMPLETED", "CANCELLED"):
            self.void_orders(workflow_id)
        extra = {"from": old.status, "to": status} if event_type == "WORKFLOW_STATE_UPDATED" else {}
        return self.event(event_type, workflow_id, phase or old.phase, {**extra, **(data or {})})

    def respecify(self, workflow_id: str, spec: Mapping[str, Any]) -> None:
        """Give a workflow another spec. The caller writes the event that tells of it.

        Raises:
            NotFound: No such workflow.
        """
        self._put_workflow(self._workflow(workflow_id)._replace(spec=dict(spec)))

    def void_orders(self, workflow_id: str) -> None:
        """Nobody needs the work orders of a workflow any more; a report that comes for one is refused."""
        for order in standing_orders(self.database, workflow_id):
            put_order(self.database, order._replace(state="void"))

    def set_phase(self, workflow_id: str, phase: str, data: Mapping[str, Any] | None = None) -> str:
        """Enter a phase and write `PHASE_STARTED` with its id and `data`; return the event's id.

        Raises:
            NotFound: No such workflow.
        """
        self._put_workflow(self._workflow(workflow_id)._replace(phase=phase))
        return self.event("PHASE_STARTED", workflow_id, phase, {"phase_id": phase, **(data or {})})

    def _workflow(self, workflow_id: str) -> WorkflowRow:
        if row := workflow_row(self.database, workflow_id):
            return row
        raise NotFound(
            f"There is no workflow {workflow_id!r}.", field="workflow_id", next_steps=("stretto workflow-status",)
        )

    def _put_workflow(self, row: WorkflowRow) -> None:
        spec = wire.compact(row.spec)
        new = row._replace(state_version=row.state_version + 1, updated=self.now)
        self.database.put("workflows", (*new[:5], spec, *new[6:]))

    def start_attempt(
        self, workflow_id: str, task_id: str, attempt: int, key: str, phase: str, data: Mapping[str, Any]
    ) -> str:
        """Begin an attempt and write `TASK_STARTED` with `task_id`, `attempt` and `data`; return the event's id.

        One that was cut off may begin again, under the same key; `starts` counts it.

        Raises:
            StateConflict: The task has its outcome, the attempt has ended, or the key is another than before:
                finished work must never be done twice.
            BadInput: The task's id is not one.
        """
        ids.task_id(task_id)
        if outcome_of(self.database, workflow_id, task_id):
            raise StateConflict(f"Task {task_id!r} of {workflow_id!r} is finished; it was not started again.")
        old = attempt_row(self.database, workflow_id, task_id, attempt)
        if old and (old.state in ENDED or old.key != key):
            raise StateConflict(
                f"Attempt {attempt} of task {task_id!r} of {workflow_id!r} is {old.state} with key {old.key!r};"
                f" it was not started again with key {key!r}."
            )
        starts = old.starts + 1 if old else 1
        new = AttemptRow(workflow_id, task_id, attempt, key, "started", starts, "", None, self.now, "")
        self._put_attempt(new)
        return self.event("TASK_STARTED", workflow_id, phase, {"task_id": task_id, "attempt": attempt, **data})

    def update_attempt(
        self,
        workflow_id: str,
        task_id: str,
        attempt: int,
        *,
        state: str,
        commit_sha: str | None = None,
        outcome: Mapping[str, Any] | None = None,
    ) -> None:
        """Note how far an attempt came; what is None stays as it is. The caller writes the event that tells of it.

        Raises:
            NotFound: It never started.
            StateConflict: It has ended, otherwise than `state` says.
        """
        old = attempt_row(self.database, workflow_id, task_id, attempt)
        if old is None:
            raise NotFound(f"Attempt {attempt} of task {task_id!r} of {workflow_id!r} never started.", field="attempt")
        if old.state in ENDED and old.state != state:
            raise StateConflict(f"Attempt {attempt} of task {task_id!r} is {old.state}; it cannot become {state!r}.")
        new = old._replace(state=state, finished=self.now if state in ENDED else "")
        if commit_sha is not None:
            new = new._replace(commit_sha=commit_sha)
        if outcome is not None:
            new = new._replace(outcome=dict(outcome))
        self._put_attempt(new)

    def _put_attempt(self, row: AttemptRow) -> None:
        outcome = "" if row.outcome is None else wire.compact(row.outcome)
        self.database.put("attempts", (*row[:7], outcome, *row[8:]))

    def record_outcome(
        self,
        workflow_id: str,
        task_id: str,
        attempt: int,
        outcome: Mapping[str, Any],
        event_type: str,
        phase: str,
        data: Mapping[str, Any],
        *,
        severity: str = "info",
    ) -> bool:
        """End a task: keep its outcome, close the attempt and write the event with `task_id`, `attempt` and `data`.

        The first outcome of a task stands. Returns False, and writes nothing, if there is one.
        """
        if outcome_of(self.database, workflow_id, task_id):
            return False
        self.database.put("outcomes", (workflow_id, task_id, attempt, wire.compact(outcome)))
        tried = attempt_row(self.database, workflow_id, task_id, attempt)
        if tried and tried.state not in ENDED:
            state = "failed" if outcome.get("status") == "failed" else "completed"
            self.update_attempt(workflow_id, task_id, attempt, state=state, outcome=outcome)
        facts = {"task_id": task_id, "attempt": attempt, **data}
        self.event(event_type, workflow_id, phase, facts, severity=severity)
        return True

    def forget_failures(self, workflow_id: str) -> list[str]:
        """Let the tasks that ended in failure be tried again, and name them: for the resume of a failed workflow.

        Their attempts and events stay; which attempt was the last before is kept, so that a limit on attempts can be
        counted from there (`Log.forgiven`). The caller's `WORKFLOW_RESUMED` should name the tasks.
        """
        known = outcomes(self.database, workflow_id).items()
        failed = {task: found.attempt for task, found in known if found.outcome.get("status") == "failed"}
        for task, attempt in failed.items():
            self.database.execute("DELETE FROM outcomes WHERE workflow_id = ? AND task_id = ?", (workflow_id, task))
            self.put_fact(workflow_id, f"{FORGIVEN}{task}", attempt)
        return list(failed)

    def put_fact(self, workflow_id: str, name: str, value: Any) -> None:
        """Keep a JSON value under a name of the workflow's: its base commit, its branch. A newer one replaces it."""
        self.database.put("facts", (workflow_id, name, wire.compact({"value": value})))

    def request(self, workflow_id: str, kind: str, data: Mapping[str, Any] | None = None) -> None:
        """Ask the driver of a workflow for something; asking twice is asking once.

        Raises:
            BadInput: It cannot be asked for that.
            NotFound: No such workflow.
        """
        if kind not in REQUESTS:
            raise BadInput(f"A driver cannot be asked to {kind!r}.", field="kind", allowed=REQUESTS)
        self._workflow(workflow_id)
        self.database.put("requests", (workflow_id, kind, wire.compact(data or {}), self.now))

    def take_requests(self, workflow_id: str) -> list[Request]:
        """What was asked of the driver, oldest first; they are gone afterwards."""
        found = requests(self.database, workflow_id)
        self.database.execute("DELETE FROM requests WHERE workflow_id = ?", (workflow_id,))
        return found


def _event_id() -> str:
    """Unique, and growing with the time, so that the index of many ids is written in one place and not all over."""
    return f"evt_{time.time_ns() // 1_000_000:012x}{os.urandom(6).hex()}"


def _check_strictly(event_type: str, data: Mapping[str, Any]) -> None:
    if not registry.is_known(event_type):
        raise BadInput(
            f"There is no event type {event_type!r}, and this log is strict; nothing was written.",
            field="type",
            allowed=sorted(registry.TYPES),
        )
    if missing := registry.missing(event_type, data):
        raise BadInput(
            f"{event_type} must say {', '.join(missing)}, and this log is strict; nothing was written.",
            field=missing[0],
            allowed=registry.REQUIRED[event_type],
        )
