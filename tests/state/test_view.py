import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.state import machine, registry, show
from stretto.state.lease import acquire
from stretto.state.log import Log
from stretto.state.view import apply, fold
from stretto.state.wire import Event

W = "shop_001"


class Story:
    """Events a second apart."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def tell(self, event_type: str, phase: str = "setup", **data: Any) -> None:
        seq = len(self.events) + 1
        timestamp = f"2023-11-14T22:13:{seq:02d}.000Z"
        self.events.append(Event(seq, f"evt_{seq}", event_type, W, phase, timestamp, "stretto", "info", data))


@pytest.fixture
def story() -> Story:
    told = Story()
    told.tell("WORKFLOW_CREATED", description="Add a shop", type="feature", phases=["research", "plan"])
    told.tell("WORKFLOW_SCHEDULED", "ready")
    told.tell("WORKFLOW_STARTED")
    told.tell("PHASE_STARTED", "research", phase_id="research", tasks=2, generation=1)
    told.tell(
        "TASK_STARTED", "research", task_id="research/R1", agent_id="a1", role="researcher", title="One", attempt=1
    )
    told.tell("TASK_STARTED", "research", task_id="research/R2", agent_id="a2", role="researcher", attempt=1)
    return told


def complete(story: Story, task: str, attempt: int = 1, **usage: Any) -> None:
    results = {"summary": "well", "usage": usage, "writes": ["a.md"]}
    story.tell("TASK_COMPLETED", "research", task_id=task, agent_id="a1", attempt=attempt, results=results)


def test_a_view_tells_phases_tasks_usage_commits_and_time(story: Story) -> None:
    complete(story, "research/R1", input_tokens=100, output_tokens=20, cost_usd=0.01)
    complete(story, "research/R2", input_tokens=50, output_tokens=5, cost_usd=0.02)
    story.tell(
        "PHASE_COMPLETED", "research", phase_id="research", actual_duration=5, success_metrics={"n": 2}, commit="abc123"
    )
    story.tell("WORKFLOW_COMPLETED", "finalization")

    seen = show.as_dict(fold(story.events))

    assert json.loads(json.dumps(seen)) == seen
    assert (seen["status"], seen["elapsed_seconds"], seen["last_seq"]) == ("COMPLETED", 7.0, 10)
    assert (seen["description"], seen["type"]) == ("Add a shop", "feature")
    assert seen["usage"] == {"input_tokens": 150, "output_tokens": 25, "cost_usd": 0.03, "at_least": {}}
    assert seen["commits"] == [{"phase": "research", "commit": "abc123"}]
    research, plan = seen["phases"]
    assert (research["state"], research["seconds"], research["tasks_completed"], research["tasks"]) == (
        "completed",
        5.0,
        2,
        2,
    )
    assert (plan["state"], plan["seconds"], plan["tasks"]) == ("pending", None, None)
    one = seen["tasks"][0]
    assert (one["task_id"], one["state"], one["role"], one["title"], one["seconds"], one["writes"]) == (
        "research/R1",
        "completed",
        "researcher",
        "One",
        2.0,
        ["a.md"],
    )


def test_what_nobody_counted_is_unknown_and_what_was_counted_is_a_lower_bound(story: Story) -> None:
    complete(story, "research/R1", input_tokens=100, output_tokens=20)
    complete(story, "research/R2", input_tokens=None, output_tokens=5)

    view = fold(story.events)

    assert show.as_dict(view)["usage"] == {
        "input_tokens": None,
        "output_tokens": 25,
        "cost_usd": None,
        "at_least": {"input_tokens": 100, "cost_usd": None},
    }
    assert show.used(view.usage) == "at least 100 tokens in, 25 out, cost unknown"


def test_a_lower_bound_of_nothing_is_unknown(story: Story) -> None:
    complete(story, "research/R1", input_tokens=0, output_tokens=0, cost_usd=0.0)
    complete(story, "research/R2", input_tokens=None, output_tokens=None, cost_usd=None)

    assert show.used(fold(story.events).usage) == "unknown tokens in, unknown out, cost unknown"


def test_a_task_cut_off_by_the_death_of_its_driver_runs_again_and_its_first_use_is_unknown(story: Story) -> None:
    complete(story, "research/R1", input_tokens=100)
    story.tell("WORKFLOW_RESUMED")
    view = fold(story.events)
    assert [t.state for t in view.tasks.values()] == ["completed", "interrupted"]

    again = Story()
    again.events = story.events
    again.tell("TASK_STARTED", "research", task_id="research/R2", attempt=1)
    complete(again, "research/R2", input_tokens=50)
    for event in again.events[view.seq :]:
        apply(view, event)

    task = view.tasks["research/R2"]
    assert (task.state, task.attempts, task.usage.input_tokens.total, task.usage.input_tokens.known) == (
        "completed",
        1,
        None,
        50,
    )
    assert view.usage.input_tokens.known == 150


@pytest.mark.parametrize("absurd", [True, "7", -1, float("nan"), float("inf"), 10**400])
def test_a_figure_that_cannot_be_one_is_unknown(story: Story, absurd: object) -> None:
    complete(story, "research/R1", input_tokens=5)
    complete(story, "research/R2", input_tokens=absurd)

    assert show.as_dict(fold(story.events))["usage"]["input_tokens"] is None
    assert show.used(fold(story.events).usage).startswith("at least 5 tokens in")


def test_a_failed_attempt_is_retried_and_a_final_one_is_a_warning(story: Story) -> None:
    story.tell("TASK_FAILED", "research", task_id="research/R1", attempt=1, failure_reason="no report", final=False)
    view = fold(story.events)
    assert (view.tasks["research/R1"].state, view.warnings) == ("retrying", [])

    story.tell("TASK_STARTED", "research", task_id="research/R1", attempt=2)
    story.tell("TASK_FAILED", "research", task_id="research/R1", attempt=2, failure_reason="no report", final=True)
    story.tell("PHASE_FAILED", "research", phase_id="research", failure_reason="R1 failed")
    story.tell("ERROR_ENCOUNTERED", "research", error="connection_timeout", impact="critical")
    story.tell("WORKFLOW_FAILED", failure_reason="research failed")
    view = fold(story.events)

    assert (view.tasks["research/R1"].state, view.tasks["research/R1"].attempts) == ("failed", 2)
    assert view.tasks["research/R2"].state == "interrupted"
    assert view.warnings == [
        "task research/R1 failed: no report",
        "phase research failed: R1 failed",
        "research: connection_timeout (impact critical)",
    ]
    assert (view.status, view.reason) == ("FAILED", "research failed")


def test_a_phase_that_runs_twice_keeps_its_place_and_counts_its_generation(story: Story) -> None:
    story.tell("PHASE_FAILED", "research", phase_id="research", failure_reason="x")
    story.tell("PHASE_STARTED", "research", phase_id="research", tasks=3, generation=2)

    view = fold(story.events)

    phase = view.phases["research"]
    assert list(view.phases) == ["research", "plan"]
    assert (phase.state, phase.generation, phase.expected, phase.finished, phase.reason) == (
        "in_progress",
        2,
        3,
        None,
        "",
    )


def test_elapsed_grows_with_now_while_it_runs_and_is_unknown_before_it_starts(story: Story) -> None:
    assert fold(story.events[:2]).elapsed() is None
    view = fold(story.events)
    assert view.elapsed() == 3
    assert view.updated
    assert view.elapsed(view.updated + 60) == 63
    assert view.elapsed(view.updated - 3600) is None


def test_an_event_applied_twice_counts_once(story: Story) -> None:
    complete(story, "research/R1", input_tokens=100)

    assert show.as_dict(fold([*story.events, *story.events])) == show.as_dict(fold(story.events))


def test_the_tail_holds_the_ten_newest_events_and_marks_unknown_types(story: Story) -> None:
    for i in range(20):
        story.tell("MY_OWN", i=i)

    seen = show.as_dict(fold(story.events))["last_events"]

    assert [e["data"]["i"] for e in seen] == list(range(10, 20))
    assert not any(e["known"] for e in seen)


def test_the_text_says_unknown_and_lets_no_agent_steer_the_terminal(story: Story) -> None:
    story.tell("TASK_FAILED", "research", task_id="research/R1", failure_reason="\x1b[2Jgone\u202e\x07", final=True)

    told = show.text(fold(story.events))

    assert "shop_001  RUNNING  Add a shop" in told
    assert "unknown tokens in, unknown out, cost unknown" in told
    assert "0 of 2 tasks" in told
    assert "gone" in told
    assert all(line.isprintable() for line in told.split("\n"))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, "unknown"), (0.4, "0 s"), (59.6, "1 min 0 s"), (192, "3 min 12 s"), (7500, "2 h 5 min")],
)
def test_a_duration_is_told_in_words(seconds: float | None, told: str) -> None:
    assert show.duration(seconds) == told


NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3),
    max_leaves=4,
)
KEYS = st.sampled_from(
    ["task_id", "phase_id", "attempt", "tasks", "generation", "results", "usage", "final", "phases", "to", "commit"]
) | st.sampled_from(
    ["success_metrics", "type", "description", "failure_reason", "role", "title", "agent_id", "error", "impact"]
)
EVENTS = st.lists(
    st.builds(
        Event,
        seq=st.integers(1, 30),
        event_id=st.just("evt"),
        type=st.sampled_from(sorted(registry.TYPES)) | st.text(),
        workflow_id=st.just(W),
        phase=st.sampled_from(["research", "plan"]),
        timestamp=st.sampled_from(["2023-11-14T22:13:20.000Z", "2020-01-01T00:00:00Z", "yesterday", ""]),
        source=st.just("stretto"),
        severity=st.sampled_from(registry.SEVERITIES),
        data=st.dictionaries(KEYS, NONSENSE | st.just("research/R1"), max_size=5),
    ),
    max_size=15,
)


@given(EVENTS)
@settings(max_examples=150)
def test_no_event_however_senseless_breaks_the_view(events: list[Event]) -> None:
    for i, event in enumerate(events):
        events[i] = event._replace(seq=i + 1)
        view = fold(events[: i + 1])
        json.dumps(show.as_dict(view))
        assert all(line.isprintable() for line in show.text(view).split("\n"))


STEPS = st.lists(st.sampled_from([*machine.STATUSES, "phase"]), max_size=12)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    with Log.open(tmp_path_factory.mktemp("store"), durability="process") as log:
        yield log


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_at_every_event_the_fold_has_the_status_that_the_row_had(store: Log, steps: list[str]) -> None:
    workflow = f"w_{store.last_seq()}"
    rows: dict[int, str] = {}
    with store.write() as tx:
        tx.create_workflow(workflow, kind="feature", description="x", spec={}, runner="r")
    rows[store.last_seq()] = "CREATED"
    fence = acquire(store, workflow)
    for step in steps:
        row = store.workflow(workflow)
        assert row
        possible = step in machine.ARROWS[row.status] or step == row.status == "RUNNING"
        if step not in machine.STATUSES or possible:
            with store.write(fence) as tx:
                tx.set_phase(workflow, "plan") if step not in machine.STATUSES else tx.set_status(workflow, step)
        row = store.workflow(workflow)
        assert row
        rows[store.last_seq()] = row.status

    events = list(store.events(workflow))
    for i, event in enumerate(events, 1):
        assert fold(events[:i]).status == rows[event.seq]


def test_giving_a_task_up_counts_nothing_that_its_last_attempt_has_told_already(story: Story) -> None:
    usage = {"input_tokens": 100, "output_tokens": 20, "cost_usd": 0.5}
    story.tell("TASK_FAILED", "research", task_id="research/R1", failure_reason="no report", final=False, usage=usage)
    story.tell("TASK_FAILED", "research", task_id="research/R1", failure_reason="no report", final=True)
    view = fold(story.events)

    assert (view.tasks["research/R1"].state, view.usage.input_tokens.total) == ("failed", 100)
    story.tell("TASK_FAILED", "research", task_id="research/R2", failure_reason="died", final=True)
    assert fold(story.events).usage.input_tokens.total is None


def test_progress_counts_the_tasks_of_the_newest_pass(story: Story) -> None:
    complete(story, "research/R1")
    complete(story, "research/R2")
    story.tell("PHASE_STARTED", "research", phase_id="research", tasks=3, generation=2)
    story.tell("TASK_STARTED", "research", task_id="research/R3~2", attempt=1)
    complete(story, "research/R3~2")

    assert show.as_dict(fold(story.events))["phases"][0]["tasks_completed"] == 1
    assert "1 of 3 tasks · pass 2" in show.text(fold(story.events))


def test_a_phase_that_nobody_announced_stands_behind_the_one_that_led_to_it(story: Story) -> None:
    story.tell("PHASE_STARTED", "debugging", phase_id="debugging", tasks=1, generation=1)

    assert [p["name"] for p in show.as_dict(fold(story.events))["phases"]] == ["research", "debugging", "plan"]


def test_in_short_a_view_shows_a_line_for_each_phase_and_only_what_is_not_done(story: Story) -> None:
    complete(story, "research/R1", input_tokens=1, output_tokens=1, cost_usd=0.0)
    story.tell("ERROR_ENCOUNTERED", "research", error="lost \x1b[2J connection")

    told = show.brief(fold(story.events))

    assert "research/R2" in told
    assert "research/R1" not in told
    assert "1 warning; the last: research: lost" in told
    assert "\x1b" not in told
    assert len(told.splitlines()) == 6


def test_a_failed_stage_is_one_warning_with_its_reason(story: Story) -> None:
    story.tell("RESEARCH_FAILED", "research", failed=["research/R1"])
    story.tell("PHASE_FAILED", "research", phase_id="research", failure_reason="R1 failed")
    story.tell("DISK_FULL", "research", message="no room")
    events = [e._replace(severity="error") for e in story.events[-3:]]

    assert fold([*story.events[:-3], *events]).warnings == ["phase research failed: R1 failed", "DISK_FULL: no room"]


def test_work_that_was_taken_back_says_so(story: Story) -> None:
    story.tell("WORKFLOW_COMPLETED", "finalization")
    story.tell("WORKFLOW_UNDONE", "undo", commit="abc")

    assert (fold(story.events).status, fold(story.events).reason) == ("COMPLETED", "taken back")
