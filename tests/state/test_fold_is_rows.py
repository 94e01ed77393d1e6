"""After any sequence of commands the fold of the events says exactly what the rows say, at every prefix."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from stretto.state import lease, machine, orders
from stretto.state.errors import StrettoError
from stretto.state.figures import TaskView
from stretto.state.log import Log
from stretto.state.rows import AttemptRow, Taker
from stretto.state.transaction import Transaction
from stretto.state.view import fold

WORKFLOWS = ("shop_001", "school_001")
TASKS = ("plan/T1", "plan/T2", "code/T1")
USAGE = {"input_tokens": 1, "output_tokens": 1, "cost_usd": 0.5}
Command = Callable[[Log], None]


class Standing(NamedTuple):
    """What rows and fold must agree on, for one workflow."""

    status: str
    phase: str
    version: int
    description: str
    type: str
    tasks: dict[str, tuple[int, str]]


def writing(change: Callable[[Transaction], object]) -> Command:
    def run(log: Log) -> None:
        with log.write() as tx:
            change(tx)

    return run


def create(workflow: str) -> Command:
    return writing(
        lambda tx: tx.create_workflow(workflow, kind="feature", description=f"Make {workflow}", spec={}, runner="r")
    )


def move(workflow: str, status: str) -> Command:
    return writing(lambda tx: tx.set_status(workflow, status, {"failure_reason": "no"}))


def enter(workflow: str, phase: str) -> Command:
    return writing(lambda tx: tx.set_phase(workflow, phase, {"tasks": 2}))


def drive(workflow: str) -> Command:
    """A driver goes on with what is RUNNING or FAILED; failed tasks are tried again."""

    def run(log: Log) -> None:
        fence = lease.acquire(log, workflow)
        try:
            with log.write(fence) as tx:
                row = log.workflow(workflow)
                retried = tx.forget_failures(workflow) if row and row.status == "FAILED" else []
                tx.set_status(workflow, "RUNNING", {"retried": retried})
        finally:
            lease.release(log, fence)

    return run


def start(workflow: str, task: str) -> Command:
    """The attempt that was cut off once more, or the next one."""

    def run(log: Log) -> None:
        newest = attempt_of(log, workflow, task)
        number = 1 if newest is None else newest.attempt + (newest.state == "failed")
        with log.write() as tx:
            if log.workflow(workflow):
                tx.start_attempt(workflow, task, number, f"{workflow}/{task}#{number}", "plan", {"agent_id": "a"})

    return run


def attempt_of(log: Log, workflow: str, task: str) -> AttemptRow | None:
    """The newest one."""
    return next((a for a in reversed(log.attempts(workflow)) if a.task_id == task), None)


def fail_attempt(workflow: str, task: str) -> Command:
    """As an executor does that will try once more."""

    def run(log: Log) -> None:
        newest = attempt_of(log, workflow, task)
        if newest is None or newest.state == "failed":
            return
        facts = {"task_id": task, "attempt": newest.attempt, "final": False, "failure_reason": "no", "usage": USAGE}
        with log.write() as tx:
            tx.update_attempt(workflow, task, newest.attempt, state="failed", outcome={"status": "failed"})
            tx.event("TASK_FAILED", workflow, "plan", facts)

    return run


def end(workflow: str, task: str, status: str) -> Command:
    """As a node does: the outcome belongs to the newest attempt."""

    def run(log: Log) -> None:
        newest = attempt_of(log, workflow, task)
        data = {"results": {"usage": USAGE}} if status == "completed" else {"failure_reason": "no", "final": True}
        with log.write() as tx:
            if newest and not (newest.state == "failed" and status == "completed"):
                kind = f"TASK_{status.upper()}"
                tx.record_outcome(workflow, task, newest.attempt, {"status": status}, kind, "plan", data)

    return run


def hand_out(workflow: str, task: str) -> Command:
    def run(log: Log) -> None:
        with log.write() as tx:
            if log.workflow(workflow) and attempt_of(log, workflow, task) is None:
                order = f"{workflow}/{task}#1"
                orders.make(tx, order, {"phase": "plan", "started": {"agent_id": "a", "order": order}}, {})

    return run


def take(workflow: str, task: str) -> Command:
    return writing(lambda tx: orders.take(tx, f"{workflow}/{task}#1", Taker("s", "a", 0, "", "", "")))


def note(workflow: str, kind: str) -> Command:
    return writing(lambda tx: tx.event(kind, workflow, "plan", {"task_id": 3, "to": "NONE"}))


_W, _T = st.sampled_from(WORKFLOWS), st.sampled_from(TASKS)
COMMANDS = st.one_of(
    st.builds(create, _W),
    st.builds(move, _W, st.sampled_from(machine.STATUSES)),
    st.builds(enter, _W, st.sampled_from(["plan", "code"])),
    st.builds(drive, _W),
    st.builds(start, _W, _T),
    st.builds(fail_attempt, _W, _T),
    st.builds(end, _W, _T, st.sampled_from(["completed", "failed"])),
    st.builds(hand_out, _W, _T),
    st.builds(take, _W, _T),
    st.builds(note, _W, st.sampled_from(["PHASE_PROGRESS", "TASK_STARTED", "MY_OWN_THING", "WORKFLOW_STATE_UPDATED"])),
)
BEGUN: list[Command] = [
    *(command for w in WORKFLOWS for command in (create(w), move(w, "SCHEDULED"), move(w, "RUNNING"))),
    start(WORKFLOWS[0], TASKS[0]),
]


_FAILED_AND_RESUMED = [end("shop_001", "plan/T1", "failed"), move("shop_001", "FAILED"), drive("shop_001")]


@settings(max_examples=60)
@example(_FAILED_AND_RESUMED)
@example([*_FAILED_AND_RESUMED, start("shop_001", "plan/T1"), end("shop_001", "plan/T1", "completed")])
@given(st.lists(COMMANDS, max_size=40))
def test_the_fold_of_the_events_is_what_the_rows_say_at_every_prefix(commands: list[Command]) -> None:
    with tempfile.TemporaryDirectory() as folder, Log.open(Path(folder), durability="process") as log:
        seen: list[tuple[int, dict[str, Standing]]] = []
        for command in BEGUN + commands:
            before = log.last_seq(), rows(log)
            try:
                command(log)
            except StrettoError:
                assert (log.last_seq(), rows(log)) == before
            seen.append((log.last_seq(), rows(log)))

        for last, standing in seen:
            assert {w: folded(log, w, last) for w in WORKFLOWS if w in standing} == standing
        log.verify()


def rows(log: Log) -> dict[str, Standing]:
    return {
        w.id: Standing(w.status, w.phase, w.state_version, w.description, w.kind, tasks_in_rows(log, w.id))
        for w in log.workflows()
    }


def tasks_in_rows(log: Log, workflow: str) -> dict[str, tuple[int, str]]:
    """By task, the number of the newest attempt, and how that stands."""
    newest: dict[str, AttemptRow] = {a.task_id: a for a in log.attempts(workflow)}
    outcomes = log.outcomes(workflow)
    return {t: (a.attempt, state_of(a, t in outcomes)) for t, a in newest.items()}


def state_of(attempt: AttemptRow, ended: bool) -> str:
    if attempt.state == "completed":
        return "completed"
    if attempt.state == "failed":
        return "failed" if ended else "retrying"
    return "open"


def folded(log: Log, workflow: str, last: int) -> Standing:
    events = [e for e in log.events(workflow) if e.seq <= last]
    view = fold(events)
    moves = sum(e.type in machine.STATUS_AFTER or e.type == "PHASE_STARTED" or "from" in e.data for e in events)
    tasks = {t: (v.attempts, shown(v)) for t, v in view.tasks.items() if v.started is not None}
    return Standing(view.status, view.phase or "setup", moves, view.description, view.type, tasks)


def shown(task: TaskView) -> str:
    return "open" if task.state in {"running", "interrupted"} else task.state
