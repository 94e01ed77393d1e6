"""The view of tasks that somebody outside carries out: they go on whether or not a driver lives."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.state import show
from stretto.state.figures import TaskView, WorkflowView
from stretto.state.view import fold
from stretto.state.wire import Event

W = "shop_001"
TASK, ORDER = "code/T1", f"{W}/code/T1#1"


def told(*steps: str | tuple[str, dict[str, Any]]) -> list[Event]:
    """Events a second apart; those of tasks are of T1 unless they say otherwise."""
    found: list[Event] = []
    for seq, step in enumerate(("WORKFLOW_CREATED", "WORKFLOW_SCHEDULED", "WORKFLOW_STARTED", *steps), 1):
        event_type, more = (step, {}) if isinstance(step, str) else step
        mine = {"task_id": TASK, "attempt": 1} if event_type.startswith("TASK_") else {}
        order = {"order": ORDER} if event_type in {"TASK_ASSIGNED", "TASK_REASSIGNED", "TASK_STARTED"} else {}
        timestamp = f"2023-11-14T22:{seq // 60:02d}:{seq % 60:02d}.000Z"
        data = {**mine, **order, **more}
        found.append(Event(seq, f"evt_{seq}", event_type, W, "code", timestamp, "stretto", "info", data))
    return found


def view(*steps: str | tuple[str, dict[str, Any]]) -> WorkflowView:
    return fold(told(*steps))


def task(*steps: str | tuple[str, dict[str, Any]]) -> TaskView:
    return view(*steps).tasks[TASK]


DONE = (
    "TASK_COMPLETED",
    {"results": {"summary": "done", "usage": {"input_tokens": 5, "output_tokens": 1, "cost_usd": 0}}},
)


def test_a_task_waits_from_its_order_until_it_is_taken() -> None:
    assert task("TASK_ASSIGNED").state == "waiting"
    assert task("TASK_ASSIGNED", "WORKFLOW_PAUSED").state == "waiting"
    assert task("TASK_ASSIGNED", "WORKFLOW_PAUSED", "WORKFLOW_RESUMED").state == "waiting"
    assert task("TASK_ASSIGNED").seconds(10**10) is None
    phase = ("PHASE_STARTED", {"phase_id": "code", "tasks": 1})
    assert "waiting" in show.text(view(phase, "TASK_ASSIGNED", "WORKFLOW_PAUSED"))


def test_a_task_runs_from_when_its_order_was_taken_whether_or_not_a_driver_lives() -> None:
    taken = ("TASK_ASSIGNED", "WORKFLOW_PAUSED", "TASK_STARTED")

    assert task(*taken).state == "running"
    assert view(*taken).status == "PAUSED"
    for more in ("WORKFLOW_RESUMED", "WORKFLOW_PAUSED", "WORKFLOW_FAILED"):
        assert task(*taken, more).state == "running"
    assert task(*taken, "WORKFLOW_RESUMED").started == task(*taken).started
    assert view(*taken, "WORKFLOW_RESUMED").usage.input_tokens.unknown == 0
    assert task(*taken, "WORKFLOW_RESUMED", DONE).usage.input_tokens.total == 5


@pytest.mark.parametrize("end", ["WORKFLOW_CANCELLED", "WORKFLOW_COMPLETED"])
def test_what_nobody_needs_any_more_is_interrupted(end: str) -> None:
    waiting, running = task("TASK_ASSIGNED", end), task("TASK_ASSIGNED", "TASK_STARTED", end)

    assert (waiting.state, waiting.usage.input_tokens.unknown) == ("interrupted", 0)
    assert (running.state, running.usage.input_tokens.unknown) == ("interrupted", 1)


def test_what_a_gone_taker_used_is_unknown_and_its_successor_waits() -> None:
    lost = ("TASK_ASSIGNED", "TASK_STARTED", "WORKFLOW_PAUSED", "WORKFLOW_RESUMED", "TASK_REASSIGNED")

    assert (task(*lost).state, task(*lost).usage.input_tokens.unknown) == ("waiting", 1)
    seen = show.as_dict(view(*lost, "TASK_STARTED", DONE))
    assert seen["tasks"][0]["state"] == "completed"
    assert seen["usage"]["input_tokens"] is None
    assert seen["usage"]["at_least"]["input_tokens"] == 5


def test_what_another_runner_takes_over_is_neither_waiting_nor_running_any_more() -> None:
    other = ("WORKFLOW_RESUMED", {"runner": "command:./agent"})
    host = ("WORKFLOW_RESUMED", {"runner": "host"})

    assert task("TASK_ASSIGNED", "WORKFLOW_PAUSED", other).state == "interrupted"
    running = task("TASK_ASSIGNED", "TASK_STARTED", "WORKFLOW_PAUSED", other)
    assert (running.state, running.usage.input_tokens.unknown) == ("interrupted", 1)
    assert task("TASK_ASSIGNED", "TASK_STARTED", "WORKFLOW_PAUSED", host).state == "running"


def test_a_failed_attempt_waits_again_under_its_next_order() -> None:
    failed = ("TASK_FAILED", {"failure_reason": "no", "final": False, "usage": {"input_tokens": 3}})
    again = ("TASK_ASSIGNED", {"attempt": 2, "order": f"{W}/code/T1#2"})

    found = task("TASK_ASSIGNED", "TASK_STARTED", failed, again)

    assert (found.state, found.attempts, found.reason, found.usage.input_tokens.total) == ("waiting", 2, "", 3)


def test_a_word_to_an_agent_changes_nothing_but_the_tail() -> None:
    before, after = view("TASK_ASSIGNED"), view("TASK_ASSIGNED", ("TASK_STEERED", {"note": "\x1b[2J be quick"}))

    assert show.as_dict(before)["tasks"] == show.as_dict(after)["tasks"]
    assert after.last[-1].type == "TASK_STEERED"
    assert "\x1b" not in show.text(after)


TYPES = st.sampled_from(
    [
        *("TASK_ASSIGNED", "TASK_REASSIGNED", "TASK_STARTED", "TASK_STEERED", "TASK_COMPLETED", "TASK_FAILED"),
        *("WORKFLOW_PAUSED", "WORKFLOW_RESUMED", "WORKFLOW_FAILED", "WORKFLOW_CANCELLED", "WORKFLOW_COMPLETED"),
        *("PHASE_STARTED", "PHASE_COMPLETED", "PHASE_FAILED"),
    ]
)
MORE = st.fixed_dictionaries(
    {},
    optional={
        "task_id": st.sampled_from([TASK, "code/T2", "code/T1~2", "", None, 5]),
        "order": st.sampled_from([ORDER, f"{W}/code/T2#1", "", None, []]),
        "attempt": st.sampled_from([1, 2, 0, -1, True, "x"]),
        "final": st.booleans() | st.none(),
        "usage": st.sampled_from([{}, {"input_tokens": 5}, None, "x", {"cost_usd": float("nan")}]),
        "runner": st.sampled_from(["host", "command:x", "", None, 5]),
    },
)
STATES = {"waiting", "running", "retrying", "interrupted", "completed", "failed"}


@given(st.lists(st.tuples(TYPES, MORE), max_size=25))
@settings(max_examples=150)
def test_no_order_of_events_breaks_the_view(steps: list[tuple[str, dict[str, Any]]]) -> None:
    found = view(*steps)

    json.dumps(show.as_dict(found))
    assert all(line.isprintable() for line in show.text(found).split("\n"))
    assert {t.state for t in found.tasks.values()} <= STATES
    if steps and steps[-1][0] in {"WORKFLOW_CANCELLED", "WORKFLOW_COMPLETED"}:
        assert not {t.state for t in found.tasks.values()} & {"waiting", "running"}
    for part in ("input_tokens", "output_tokens", "cost_usd"):
        whole = sum(getattr(t.usage, part).unknown for t in found.tasks.values())
        assert getattr(found.usage, part).unknown == whole
