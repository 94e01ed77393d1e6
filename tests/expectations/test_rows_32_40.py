"""Rows 32 to 40: a migration that fails, from the injected error to the lessons, as the document tells it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from stretto.commands.reply import Reply
from stretto.graph.spec import Spec
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow
from stretto.state.wire import Event
from tests.expectations.scene import Scene, raw, run_lines

pytestmark = pytest.mark.slow
OLD, NEW = "microservices_migration_001", "gradual_database_migration_rollback_001"
PHASE = "database_migration"
ERROR = f'ERROR_ENCOUNTERED:{OLD}:{PHASE}:{{"error":"connection_timeout","impact":"critical"}}'
KEPT = ["research", "planning", "implementation"]


class Story(NamedTuple):
    """What the lines 32 to 40 replied, and what they left; `files` are those of the checkout before line 37."""

    replies: Mapping[int, Reply]
    outcomes: Mapping[int, str]
    events: list[Event]
    rows: Mapping[str, WorkflowRow]

    def of(self, workflow: str, *kinds: str) -> list[Event]:
        return [e for e in self.events if e.workflow_id == workflow and e.type in kinds]

    def result(self, number: int) -> Any:
        return self.replies[number].result

    @property
    def ids(self) -> set[str]:
        return {e.event_id for e in self.events}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The lines, with the error between 32 and 33, run as `stretto verify` does; replies are kept on their way."""
    root = tmp_path_factory.mktemp("migration")
    lines = [raw(32), ERROR, *(raw(n) for n in range(33, 41))]
    ran, kept = run_lines(lines, root)
    told = [kept[0], *kept[2:]]  # the second is the driver that meets the error
    log = Log.find(str(root / ".stretto" / "state"))
    assert log
    with log:
        yield Story(
            replies=dict(zip(range(32, 41), told, strict=True)),
            outcomes={n: step.outcome for n, step in zip((32, 0, *range(33, 41)), ran.steps, strict=True)},
            events=list(log.events()),
            rows={row.id: row for row in log.workflows()},
        )


def test_every_line_is_done_and_what_is_refused_is_said(story: Story) -> None:
    assert {n: o for n, o in story.outcomes.items() if o != "done"} == {34: "done with refusals"}


# ── 32 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_migration_has_its_phase_and_is_complex_because_that_was_asked(story: Story) -> None:
    spec = Spec.model_validate(story.rows[OLD].spec)

    assert PHASE in [phase.name for phase in spec.phases]
    assert (spec.complexity, spec.priority) == ("high", "high")
    (planned,) = story.of(OLD, "PLAN_COMPLETED")
    assert planned.data["complexity"] == "high"


def test_it_is_held_in_that_phase_until_the_error_comes(story: Story) -> None:
    (held,) = story.of(OLD, "WORKFLOW_PAUSED")
    (error,) = story.of(OLD, "ERROR_ENCOUNTERED")

    assert (held.phase, error.phase) == (PHASE, PHASE)
    assert held.seq < error.seq
    assert (error.source, error.severity) == ("injected", "critical")


def test_its_task_fails_when_it_has_been_tried_for_as_long_as_patience_lasts(story: Story) -> None:
    failed = story.of(OLD, "TASK_FAILED")

    assert {e.data["task_id"] for e in failed} == {f"{PHASE}/migrate"}
    assert all("connection_timeout" in e.data["failure_reason"] for e in failed)
    assert "longer than the 1200 s of patience" in failed[-1].data["failure_reason"]
    assert failed[-1].data["retry_count"] >= 1
    assert [e.phase for e in story.of(OLD, "PHASE_FAILED", "WORKFLOW_FAILED")] == [PHASE, PHASE]


# ── 33 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_cause_is_the_injected_one_with_its_event(story: Story) -> None:
    cause = story.result(33)["cause"]
    (error,) = story.of(OLD, "ERROR_ENCOUNTERED")

    assert (cause["kind"], cause["words"], cause["component"]) == ("external_error", "connection_timeout", PHASE)
    assert cause["evidence"][0] == error.event_id
    assert set(cause["evidence"]) <= story.ids


def test_blocked_is_what_comes_after_it_all_the_way(story: Story) -> None:
    impact = story.result(33)["impact"]

    assert impact["phases"] == ("testing", "documentation")
    assert "testing/verify" in impact["tasks"]
    assert "documentation/document" in impact["tasks"]
    assert list(impact["finished"]) == KEPT


def test_the_analysis_is_the_one_that_was_made_by_itself(story: Story) -> None:
    made = next(e for e in story.of(OLD, "WORKFLOW_STATE_UPDATED") if e.data.get("automatic"))

    assert story.result(33)["analysis_id"] == made.data["analysis_id"]
    assert (story.result(33)["already_made"], story.replies[33].events) == (True, ())


# ── 34 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_component_without_agents_isolates_nobody_and_its_task_is_handed_out_again(story: Story) -> None:
    found = story.result(34)

    assert (found["isolated"], found["requeued"]) == ([], [f"{PHASE}/migrate"])
    assert found["refused"][0]["component"] == "database_service"
    (again,) = story.of(OLD, "TASK_REASSIGNED")
    assert again.event_id in story.replies[34].events


def test_the_agents_of_a_failed_component_leave_the_pool_and_their_work_goes_to_others(scene: Scene) -> None:
    scene.create(OLD, phases=[PHASE], resource_requirements={"agents": 2})
    scene.settle()
    named = '[{"agent_id":"agent_001","role":"database"},{"agent_id":"agent_002","role":"api"}]'
    scene.say(f"/coordination-hub {OLD} assign-agents '{named}'")
    scene.hub(f"start {OLD}")
    before = scene.last_seq()

    reply = scene.line(34)

    agents = scene.agents()
    assert {n: a.state for n, a in agents.items()} == {
        "agent_001": "failed",
        "agent_002": "busy",
        "agent_003": "busy",
        "agent_004": "idle",
    }
    assert (reply.result["isolated"], reply.result["replacements"]) == (["agent_001"], ["agent_003"])
    assert scene.manager("capacity").result["capacity"]["agents"] == 3
    types = [e.type for e in scene.since(before)]
    assert "RESOURCE_DEALLOCATED" in types
    assert types[-1] == "TASK_REASSIGNED"
    assert (scene.told("TASK_REASSIGNED")["old_agent"], scene.told("TASK_REASSIGNED")["new_agent"]) == (
        "agent_001",
        "agent_003",
    )


# ── 35 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_recovery_keeps_the_strategy_the_fallbacks_in_order_and_the_finished_phases(story: Story) -> None:
    (begun,) = story.of(OLD, "RECOVERY_INITIATED")

    assert story.result(35)["status"] == "RECOVERING"
    assert begun.data["recovery_strategy"] == "checkpoint_restore"
    assert begun.data["fallback_options"] == ["manual_intervention", "alternative_approach"]
    assert begun.data["kept_phases"] == KEPT
    moved = next(e for e in story.of(OLD, "WORKFLOW_STATE_UPDATED") if e.data.get("to") == "RECOVERING")
    assert moved.data["from"] == "FAILED"


# ── 36 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_time_since_the_failure_is_counted_and_nobody_else_was_kept_waiting(story: Story) -> None:
    found = story.result(36)

    assert found["since_failure"] == 20 * 60 + 4  # the patience, and the lines typed since
    assert found["delay"] == {"seconds": 0, "workflows": {}}


def test_who_waits_for_it_is_delayed_by_as_long(scene: Scene) -> None:
    scene.create(OLD, phases=[PHASE])
    scene.create("after_002", dependencies=[OLD])
    scene.settle()
    scene.hub(f"start {OLD}")
    scene.hub(f"fail-phase {OLD} 1", reason="timed out")
    scene.wait(90)

    found = scene.line(36).result

    assert found["delay"]["workflows"] == {"after_002": found["since_failure"]}
    assert found["since_failure"] == 90


def test_the_pattern_is_recorded_for_prevention_with_its_events(story: Story) -> None:
    (learned,) = (e for e in story.events if e.data.get("name") == "failure_patterns")

    (pattern,) = learned.data["value"]["patterns"]
    assert (pattern["cause"], pattern["phase"], pattern["workflow_id"]) == ("external_error", PHASE, OLD)
    assert set(pattern["evidence"]) <= story.ids
    assert learned.event_id in story.replies[36].events


# ── 37 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_checkpoint_before_the_phase_is_there_because_there_is_one_before_each(story: Story) -> None:
    (restored,) = story.of(OLD, "CHECKPOINT_RESTORED")

    assert restored.data["name"] == f"pre_{PHASE}"
    assert restored.event_id in story.replies[37].events


def test_the_failed_phase_is_marked_and_a_place_is_kept_for_the_alternative(story: Story) -> None:
    found = story.result(37)

    assert found["phases"][PHASE] == "failed"
    assert {found["phases"][name] for name in KEPT} == {"completed"}
    assert found["alternative_for"] == PHASE


def test_of_a_workflow_moved_by_hand_state_is_validated_and_files_come_back(scene: Scene) -> None:
    scene.create(OLD, phases=["plan", PHASE])
    scene.phases(OLD, ("plan", 60))
    before = scene.files()
    scene.hub(f"start-phase {OLD} {PHASE}")
    (scene.root / "README.md").write_text("half migrated")
    scene.hub(f"fail-phase {OLD} {PHASE}", reason="timed out")

    scene.line(37)

    assert scene.files() == before
    told = scene.told("CHECKPOINT_RESTORED")
    assert (told["phases"], told["alternative_for"]) == ({"plan": "completed", PHASE: "failed"}, PHASE)
    assert scene.row(OLD).status == "RECOVERING"


# ── 38 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_child_goes_on_and_does_not_run_again_what_was_finished(story: Story) -> None:
    skipped = story.of(NEW, "PHASE_SKIPPED")
    started = [e.phase for e in story.of(NEW, "PHASE_STARTED")]

    assert [e.phase for e in skipped] == KEPT
    assert {e.data["skip_reason"] for e in skipped} == {f"finished in {OLD}"}
    assert started == [PHASE, "testing", "documentation"]
    linked = next(e for e in story.of(OLD, "WORKFLOW_STATE_UPDATED") if "continued_by" in e.data)
    assert linked.data["continued_by"] == NEW


def test_conservative_is_one_agent_a_gate_before_the_merge_and_half_the_budget(story: Story) -> None:
    new, old = (Spec.model_validate(story.rows[name].spec) for name in (NEW, OLD))

    assert new.limits.agents == 1
    assert new.gates == ("merge",)
    assert (new.limits.attempts, new.limits.patience_seconds) < (old.limits.attempts, old.limits.patience_seconds)
    assert story.replies[38].exit_code == 3
    assert story.of(NEW, "WORKFLOW_PAUSED")[0].data["gate"] == "merge"
    at_work = 0
    for event in story.of(NEW, "TASK_STARTED", "TASK_COMPLETED"):
        at_work += 1 if event.type == "TASK_STARTED" else -1
        assert at_work <= 1


# ── 39 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_recovered_the_time_and_the_lost_work_are_told(story: Story) -> None:
    found = story.result(39)

    (over,) = story.of(OLD, "RECOVERY_COMPLETED")
    assert (found["recovered"], found["continued_by"]) == (True, NEW)
    assert found["recovery_seconds"] == 20 * 60 + 6 + 30 * 60
    assert found["lost_work_seconds"] == 20 * 60
    assert over.event_id in found["explained_by"]
    assert set(found["explained_by"]) <= story.ids


def test_degradation_of_a_driven_workflow_is_against_the_time_but_for_the_failure(story: Story) -> None:
    found = story.result(39)

    assert found["degradation"] > 0
    assert found["degradation_basis"] == "the time it took but for the failure"


def test_degradation_is_against_the_estimate_where_one_was_said(scene: Scene) -> None:
    scene.create(OLD, phases=[{"name": PHASE, "duration": "10m"}])
    scene.settle()
    scene.hub(f"start {OLD}")
    scene.wait(300)
    scene.hub(f"fail-phase {OLD} 1", reason="timed out")
    scene.line(35)
    scene.wait(100)
    scene.phases(OLD, (PHASE, 600))

    found = scene.line(39).result

    assert found["recovered"] is True
    assert found["degradation_basis"] == "the time that was said for the phase"
    assert found["degradation"] == pytest.approx((600 + 700) / 600 - 1)


def test_before_the_end_nothing_is_called_recovered(scene: Scene) -> None:
    scene.create(OLD, phases=[PHASE])
    scene.settle()
    scene.hub(f"start {OLD}")
    scene.hub(f"fail-phase {OLD} 1", reason="timed out")

    found = scene.line(39).result

    assert (found["recovered"], found["recovery_seconds"], found["degradation"]) == (None, None, None)


# ── 40 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_report_tells_timeline_cause_strategy_and_time_lost_with_event_ids(story: Story) -> None:
    found = story.result(40)["recovery"]

    first, *_, last = found["timeline"]
    assert (first["what"].split()[0], last["what"].split()[0]) == ("ERROR_ENCOUNTERED", "RECOVERY_COMPLETED")
    assert [m["after"] for m in found["timeline"]] == sorted(m["after"] for m in found["timeline"])
    assert {m["event_id"] for m in found["timeline"]} <= story.ids
    assert (found["strategy"], found["lost"]["seconds"]) == ("checkpoint_restore", 1200)
    assert found["analysis"]["cause"]["words"] == "connection_timeout"
    assert set(found["lost"]["events"]) <= story.ids


def test_each_lesson_is_what_its_events_say(story: Story) -> None:
    lessons = story.result(40)["lessons"]
    known = {e.event_id: e for e in story.events}

    texts = {lesson["text"]: [known[name] for name in lesson["events"]] for lesson in lessons}
    assert all(texts.values())
    cause = next(events for text, events in texts.items() if "external_error" in text)
    assert cause[0].type == "ERROR_ENCOUNTERED"
    kept = next((text, events) for text, events in texts.items() if text.startswith("going back"))
    assert [e.type for e in kept[1]] == ["CHECKPOINT_RESTORED"]
    assert all(kept[1][0].data["phases"][name] == "completed" for name in KEPT if name in kept[0])
