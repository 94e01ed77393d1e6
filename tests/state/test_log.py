import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stretto.state import machine
from stretto.state.errors import (
    BadInput,
    Fenced,
    InvalidTransition,
    NotFound,
    StateConflict,
    StrettoError,
    WorkflowExists,
)
from stretto.state.lease import acquire
from stretto.state.log import Log
from stretto.state.moments import stamp
from stretto.state.rows import Fence, Recorded
from stretto.state.transaction import Transaction

W = "shop_001"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    with Log.open(tmp_path / "store", durability="process", clock=lambda: 1_700_000_000.123) as opened:
        yield opened


def create(tx: Transaction, workflow: str = W, **changed: Any) -> bool:
    body: dict[str, Any] = {"kind": "feature", "description": "Add a shop", "spec": {"b": 1, "a": [2]}, "runner": "r"}
    return tx.create_workflow(workflow, **{**body, **changed})


def running(log: Log) -> None:
    with log.write() as tx:
        create(tx)
        tx.set_status(W, "SCHEDULED")
        tx.set_status(W, "RUNNING")


def types(log: Log, workflow: str | None = None) -> list[str]:
    return [e.type for e in log.events(workflow)]


def test_a_workflow_is_created_with_its_event_and_read_back(log: Log) -> None:
    with log.write() as tx:
        assert create(tx, data={"priority": "high"})

    row = log.workflow(W)
    assert row
    assert row._asdict() == {
        "id": W,
        "kind": "feature",
        "description": "Add a shop",
        "status": "CREATED",
        "phase": "setup",
        "spec": {"b": 1, "a": [2]},
        "runner": "r",
        "state_version": 1,
        "created": "2023-11-14T22:13:20.123Z",
        "updated": "2023-11-14T22:13:20.123Z",
    }
    assert [e.line() for e in log.events()] == [
        'WORKFLOW_CREATED:shop_001:setup:{"description":"Add a shop","type":"feature","priority":"high"}'
    ]


def test_creating_the_same_workflow_again_writes_nothing_and_another_body_is_refused(log: Log) -> None:
    with log.write() as tx:
        create(tx)
    with log.write() as tx:
        assert not create(tx, spec={"a": [2], "b": 1})
    with pytest.raises(WorkflowExists), log.write() as tx:
        create(tx, description="Add a school")

    assert log.last_seq() == 1
    assert [w.id for w in log.workflows()] == [W]


def test_an_id_that_is_none_is_refused(log: Log) -> None:
    for bad in ("../up", "system", "a..b"):
        with pytest.raises(BadInput), log.write() as tx:
            create(tx, bad)
    running(log)
    with pytest.raises(BadInput), log.write() as tx:
        tx.start_attempt(W, "plan/../T1", 1, "key", "plan", {})

    assert [w.id for w in log.workflows()] == [W]
    assert log.attempts(W) == []


def test_an_exception_in_a_transaction_leaves_nothing_of_it(log: Log) -> None:
    def fail_halfway() -> None:
        with log.write() as tx:
            create(tx)
            tx.put_fact(W, "base", "abc")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()

    assert (log.last_seq(), log.workflow(W), log.fact(W, "base")) == (0, None, None)

    with log.write() as tx:
        create(tx)
    assert [e.seq for e in log.events()] == [1]


@pytest.mark.parametrize("old", machine.STATUSES)
@pytest.mark.parametrize("new", machine.STATUSES)
def test_each_arrow_writes_one_workflow_event_and_every_other_is_refused(log: Log, old: str, new: str) -> None:
    with log.write() as tx:
        create(tx)
        for step in path(old):
            tx.set_status(W, step)
    before = log.workflow(W)
    seq = log.last_seq()
    assert before

    if new in machine.ARROWS[old]:
        with log.write() as tx:
            event_id = tx.set_status(W, new, {"why": "test"}, expect=before.state_version)
        (event,) = log.events(after=seq)
        after = log.workflow(W)
        assert after
        assert (after.status, after.state_version) == (new, before.state_version + 1)
        assert event.type.startswith("WORKFLOW_")
        assert event.event_id == event_id
        assert event.known
        assert event.data["why"] == "test"
    else:
        with pytest.raises(InvalidTransition, match=f"is {old} and cannot become {new}"), log.write() as tx:
            tx.set_status(W, new)
        assert (log.workflow(W), log.last_seq()) == (before, seq)


def path(status: str) -> list[str]:
    """The shortest way from CREATED."""
    ways: list[list[str]] = [[]]
    for way in ways:
        at = way[-1] if way else "CREATED"
        if at == status:
            return way
        ways.extend([*way, following] for following in sorted(machine.ARROWS[at]))
    raise AssertionError(status)


def test_a_running_workflow_is_resumed_only_by_the_holder_of_its_lease(log: Log) -> None:
    running(log)
    fence = acquire(log, W)

    with pytest.raises(InvalidTransition), log.write() as tx:
        tx.set_status(W, "RUNNING")
    with log.write(fence) as tx:
        tx.set_status(W, "RUNNING")

    assert types(log)[-2:] == ["WORKFLOW_STARTED", "WORKFLOW_RESUMED"]


def test_a_decision_based_on_an_old_version_is_refused(log: Log) -> None:
    running(log)

    with pytest.raises(StateConflict, match="at version 3, not 2"), log.write() as tx:
        tx.set_status(W, "COMPLETED", expect=2)

    assert types(log)[-1] == "WORKFLOW_STARTED"


def test_an_unknown_workflow_or_status_is_refused(log: Log) -> None:
    with pytest.raises(NotFound), log.write() as tx:
        tx.set_status("nobody", "RUNNING")
    running(log)
    with pytest.raises(BadInput) as refused, log.write() as tx:
        tx.set_status(W, "DONE")
    assert refused.value.allowed == machine.STATUSES


def test_entering_a_phase_changes_the_row_and_writes_its_event(log: Log) -> None:
    running(log)
    with log.write() as tx:
        tx.set_phase(W, "research", {"tasks": 2, "generation": 1})

    row = log.workflow(W)
    assert row
    assert row.phase == "research"
    assert list(log.events())[-1].line() == (
        'PHASE_STARTED:shop_001:research:{"phase_id":"research","tasks":2,"generation":1}'
    )


def test_an_attempt_that_was_cut_off_starts_again_under_its_key_and_is_counted(log: Log) -> None:
    running(log)
    for _ in range(2):
        with log.write() as tx:
            tx.start_attempt(W, "plan/T1", 1, "key-1", "plan", {"agent_id": "a"})
    with pytest.raises(StateConflict, match="key-2"), log.write() as tx:
        tx.start_attempt(W, "plan/T1", 1, "key-2", "plan", {})

    (attempt,) = log.attempts(W)
    assert (attempt.state, attempt.starts, attempt.key, attempt.outcome) == ("started", 2, "key-1", None)
    assert types(log).count("TASK_STARTED") == 2


def test_a_finished_task_keeps_its_first_outcome_and_never_starts_again(log: Log) -> None:
    running(log)
    done = {"status": "completed", "summary": "well"}
    with log.write() as tx:
        tx.start_attempt(W, "plan/T1", 1, "key-1", "plan", {})
        tx.update_attempt(W, "plan/T1", 1, state="returned", commit_sha="abc")
        assert tx.record_outcome(W, "plan/T1", 1, done, "TASK_COMPLETED", "plan", {"duration": 1.5})
    with log.write() as tx:
        assert not tx.record_outcome(W, "plan/T1", 2, {"status": "failed"}, "TASK_FAILED", "plan", {})
    for attempt in (1, 2):
        with pytest.raises(StateConflict, match="finished"), log.write() as tx:
            tx.start_attempt(W, "plan/T1", attempt, f"key-{attempt}", "plan", {})

    assert log.outcomes(W) == {"plan/T1": Recorded(1, done)}
    (row,) = log.attempts(W)
    assert (row.state, row.commit_sha, row.outcome, row.finished != "") == ("completed", "abc", done, True)
    assert types(log)[-2:] == ["TASK_STARTED", "TASK_COMPLETED"]


def test_an_attempt_that_ended_cannot_become_anything_else(log: Log) -> None:
    running(log)
    with log.write() as tx:
        tx.start_attempt(W, "plan/T1", 1, "key-1", "plan", {})
        tx.update_attempt(W, "plan/T1", 1, state="failed", outcome={"status": "failed"})
    with pytest.raises(StateConflict), log.write() as tx:
        tx.update_attempt(W, "plan/T1", 1, state="completed")
    with pytest.raises(StateConflict), log.write() as tx:
        tx.start_attempt(W, "plan/T1", 1, "key-1", "plan", {})
    with pytest.raises(NotFound), log.write() as tx:
        tx.update_attempt(W, "plan/T1", 2, state="returned")
    with log.write() as tx:
        tx.start_attempt(W, "plan/T1", 2, "key-2", "plan", {})

    assert [a.state for a in log.attempts(W)] == ["failed", "started"]


def test_the_resume_of_a_failed_workflow_may_try_its_failed_tasks_again_but_no_other(log: Log) -> None:
    running(log)
    with log.write() as tx:
        for task, status in (("plan/T1", "failed"), ("plan/T2", "completed")):
            tx.start_attempt(W, task, 1, "key", "plan", {})
            tx.record_outcome(W, task, 1, {"status": status}, f"TASK_{status.upper()}", "plan", {})
        tx.set_status(W, "FAILED")
    with log.write() as tx:
        assert tx.forget_failures(W) == ["plan/T1"]
        tx.set_status(W, "RUNNING")
        tx.start_attempt(W, "plan/T1", 2, "key-2", "plan", {})

    assert list(log.outcomes(W)) == ["plan/T2"]
    assert len(log.attempts(W)) == 3
    assert (log.forgiven(W, "plan/T1"), log.forgiven(W, "plan/T2")) == (1, 0)


def test_a_failed_outcome_leaves_what_an_earlier_attempt_said_alone(log: Log) -> None:
    running(log)
    with log.write() as tx:
        tx.start_attempt(W, "plan/T1", 1, "key-1", "plan", {})
        tx.update_attempt(W, "plan/T1", 1, state="failed", outcome={"status": "failed", "error": "no disk"})
    not_started = {"status": "failed", "error": "not started"}
    with log.write() as tx:
        tx.record_outcome(W, "plan/T1", 1, not_started, "TASK_FAILED", "plan", {}, severity="error")

    assert log.outcomes(W)["plan/T1"].outcome == not_started
    assert log.attempts(W)[0].outcome == {"status": "failed", "error": "no disk"}
    assert list(log.events(W))[-1].severity == "error"


def test_facts_are_any_json_and_the_newest_stands(log: Log) -> None:
    with log.write() as tx:
        for value in ("abc", None, [1, {"a": 2}]):
            tx.put_fact(W, "base", value)
        tx.put_fact(W, "branch", "stretto/shop_001")

    assert log.fact(W, "base") == [1, {"a": 2}]
    assert log.facts(W) == {"base": [1, {"a": 2}], "branch": "stretto/shop_001"}
    assert log.fact("other_001", "base") is None


def test_a_request_waits_for_the_driver_and_is_taken_once(log: Log, tmp_path: Path) -> None:
    running(log)
    with Log.open(tmp_path / "store") as other, other.write() as tx:
        tx.request(W, "cancel", {"reason": "wrong idea"})
        tx.request(W, "cancel", {"reason": "wrong idea"})

    assert [r.kind for r in log.requests(W)] == ["cancel"]
    with log.write() as tx:
        (taken,) = tx.take_requests(W)
    assert taken.data == {"reason": "wrong idea"}
    assert log.requests(W) == []

    with pytest.raises(BadInput), log.write() as tx:
        tx.request(W, "explode")
    with pytest.raises(NotFound), log.write() as tx:
        tx.request("nobody", "cancel")


def test_an_alias_is_stored_canonical_and_an_unknown_type_is_kept_and_marked(log: Log) -> None:
    with log.write() as tx:
        tx.event("planning.started", "system", "planning", {})
        tx.event("MY_OWN_THING", "system", "x", {}, severity="warning", source="hook", correlation_id="c1")

    first, second = log.events("system")
    assert (first.type, first.known) == ("PLAN_STARTED", True)
    assert (second.type, second.known) == ("MY_OWN_THING", False)
    assert (second.severity, second.source, second.correlation_id) == ("warning", "hook", "c1")


def test_an_event_that_leaves_out_what_its_type_requires_is_kept_and_marked(log: Log) -> None:
    with log.write() as tx:
        tx.event("TASK_COMPLETED", W, "plan", {"task_id": "plan/T1"})

    (event,) = log.events(W)
    assert event.known
    assert event.missing == ("agent_id", "results")
    assert event.envelope()["missing"] == ["agent_id", "results"]


def test_a_strict_log_refuses_both_and_takes_the_rest(tmp_path: Path) -> None:
    with Log.open(tmp_path, strict=True) as log:
        with pytest.raises(BadInput, match="no event type 'MY_OWN_THING'"), log.write() as tx:
            tx.event("MY_OWN_THING", W, "plan", {})
        with pytest.raises(BadInput, match="must say agent_id, results") as refused, log.write() as tx:
            tx.event("task_completed", W, "plan", {"task_id": "plan/T1"})
        with log.write() as tx:
            tx.event("task_completed", W, "plan", {"task_id": "plan/T1", "agent_id": "a", "results": {}, "more": 1})

        assert types(log) == ["TASK_COMPLETED"]
    assert refused.value.details["allowed"] == ["task_id", "agent_id", "results"]


def test_events_of_one_transaction_are_numbered_and_chained_workflow_by_workflow(log: Log) -> None:
    with log.write() as tx:
        for i in range(10):
            tx.event("PHASE_PROGRESS", f"w{i % 3}", "p", {"i": i})
            if i == 5:
                with pytest.raises(BadInput):
                    tx.event("PHASE_PROGRESS", "w0", "p", {}, source="\ud800")
    with log.write() as tx:
        tx.event("PHASE_PROGRESS", "w0", "p", {"i": 10})

    assert [e.seq for e in log.events()] == list(range(1, 12))
    assert log.verify() == 11


REFUSED: list[tuple[tuple[str, str, str, dict[str, Any]], dict[str, Any]]] = [
    (("BAD TYPE", W, "p", {}), {}),
    (("T", "a:b", "p", {}), {}),
    (("T", W, "", {}), {}),
    (("T", W, "p", {"x": float("inf")}), {}),
    (("T", W, "p", {}), {"severity": "fatal"}),
    (("T", W, "p", {}), {"source": "\ud800"}),
]


@pytest.mark.parametrize(("event", "changed"), REFUSED)
def test_an_event_that_cannot_be_kept_is_refused_and_nothing_written(
    log: Log, event: tuple[str, str, str, dict[str, Any]], changed: dict[str, Any]
) -> None:
    with pytest.raises(BadInput), log.write() as tx:
        tx.event(*event, **changed)

    assert log.last_seq() == 0


def test_events_are_read_by_workflow_position_and_count(log: Log) -> None:
    with log.write() as tx:
        for i in range(1203):
            tx.event("PHASE_PROGRESS", f"w{i % 2}", "p", {"i": i})

    assert [e.data["i"] for e in log.events()] == list(range(1203))
    assert [e.data["i"] for e in log.events("w1")] == list(range(1, 1203, 2))
    assert [e.seq for e in log.events(after=1200)] == [1201, 1202, 1203]
    assert len(list(log.events(limit=501))) == 501
    assert list(log.events(limit=0)) == []
    assert log.verify() == 1203


def test_an_iterator_left_open_does_not_stop_a_writer(log: Log) -> None:
    with log.write() as tx:
        for i in range(600):
            tx.event("PHASE_PROGRESS", W, "p", {"i": i})
    left_open = log.events()
    next(left_open)

    with log.write() as tx:
        tx.event("PHASE_PROGRESS", W, "p", {"i": 600})

    assert len(list(left_open)) == 600


def test_threads_of_one_event_loop_share_a_log(log: Log) -> None:
    def count(worker: int) -> None:
        with log.write() as tx:
            before = log.fact(W, "n") or 0
            tx.put_fact(W, "n", before + 1)
            tx.event("PHASE_PROGRESS", W, "p", {"worker": worker})

    async def all_at_once() -> None:
        await asyncio.gather(*(asyncio.to_thread(count, i) for i in range(40)))

    asyncio.run(all_at_once())

    assert log.fact(W, "n") == 40
    assert sorted(e.data["worker"] for e in log.events()) == list(range(40))
    assert log.verify() == 40


def test_of_many_workflows_the_newest_all_and_their_numbers_can_be_read(log: Log) -> None:
    names = [f"w_{i:03d}" for i in range(120)]  # all of one moment: then the id decides
    with log.write() as tx:
        for i, name in enumerate(names):
            create(tx, name)
            if i % 3:
                tx.set_status(name, "QUEUED" if i % 3 == 1 else "CANCELLED")

    assert [w.id for w in log.newest_workflows(3)] == names[:-4:-1]
    assert [w.id for w in log.newest_workflows(2, ("CREATED", "QUEUED"))] == ["w_118", "w_117"]
    assert log.newest_workflows(0) == []
    assert [w.id for w in log.each_workflow()] == log.workflow_ids() == names
    assert log.count_workflows() == {"CREATED": 40, "QUEUED": 40, "CANCELLED": 40}


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM workflows ORDER BY created DESC, id DESC LIMIT 5",
        "SELECT id FROM workflows WHERE status IN ('RUNNING', 'PAUSED') ORDER BY created DESC, id DESC LIMIT 5",
        "SELECT status, count(*) FROM workflows GROUP BY status",
        "SELECT id FROM workflows ORDER BY created, id",
    ],
)
def test_to_choose_and_to_count_workflows_needs_no_look_at_their_specs(log: Log, query: str) -> None:
    with closing(sqlite3.connect(log.directory / "events.db")) as connection:
        plan = [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {query}")]

    assert all("COVERING INDEX" in detail for detail in plan if "workflows" in detail), plan
    assert any("workflows" in detail for detail in plan)


def test_a_log_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    assert Log.find(tmp_path / "store") is None
    assert list(tmp_path.iterdir()) == []


def test_a_reader_beside_a_writer_sees_each_commit_and_cannot_write(log: Log, tmp_path: Path) -> None:
    with log.write() as tx:
        create(tx)
    reader = Log.find(tmp_path / "store")
    assert reader
    with reader:
        with log.write() as tx:
            tx.set_status(W, "QUEUED")
            assert types(reader) == ["WORKFLOW_CREATED"]
        assert types(reader) == ["WORKFLOW_CREATED", "WORKFLOW_QUEUED"]
        with pytest.raises(StrettoError, match="reading only"), reader.write():
            pass


def test_a_reader_of_a_closed_log_leaves_its_file_as_it_is(tmp_path: Path) -> None:
    with Log.open(tmp_path) as log, log.write() as tx:
        create(tx)
    before = (tmp_path / "events.db").read_bytes()

    reader = Log.find(tmp_path)
    assert reader
    with reader:
        assert types(reader) == ["WORKFLOW_CREATED"]

    assert (tmp_path / "events.db").read_bytes() == before


def test_readers_of_a_resting_log_leave_no_file_behind_and_those_beside_a_writer_leave_it_its_own(
    tmp_path: Path,
) -> None:
    with Log.open(tmp_path) as written, written.write() as tx:
        create(tx)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    one, two = Log.find(tmp_path), Log.find(tmp_path)
    assert one is not None
    assert two is not None
    assert [len(log.workflows()) for log in (one, two)] == [1, 1]
    one.close()
    assert two.workflow(W) is not None
    two.close()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before

    with Log.open(tmp_path) as written:
        with Log.find(tmp_path) or written as reader:
            assert reader.workflow(W) is not None
        with written.write() as tx:
            create(tx, "other_001")
        assert len(written.workflows()) == 2


def test_a_fence_that_was_never_given_is_refused(log: Log) -> None:
    running(log)
    seq = log.last_seq()

    with pytest.raises(Fenced), log.write(Fence(W, 1)) as tx:
        tx.event("PHASE_PROGRESS", W, "p", {})

    assert log.last_seq() == seq


def test_an_unknown_durability_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        Log.open(tmp_path, durability="none")

    assert refused.value.allowed == ("power", "process")


def test_nested_writes_are_an_error_of_the_programmer_and_roll_back(log: Log) -> None:
    def nest() -> None:
        with log.write() as tx:
            create(tx)
            with log.write():
                pass

    with pytest.raises(RuntimeError, match="open in this thread"):
        nest()

    assert log.last_seq() == 0


@given(st.floats(0, 32_503_680_000))
@example(1_767_225_599.9995)
@example(1_767_225_599.9999996)
@example(0.0)
@example(951_868_799.9999999)
def test_a_time_is_written_as_datetime_writes_it(seconds: float) -> None:
    told = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    assert stamp(seconds) == told
