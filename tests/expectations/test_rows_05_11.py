"""Rows 5 to 11: one workflow, its settings, its subscription, its checkpoints, its agents."""

from collections.abc import Callable

import pytest

from stretto.state.errors import BadInput, StateConflict
from stretto.state.log import Log
from tests.commands.door import Project
from tests.expectations.scene import Scene, raw

SUBSCRIBE = ("workflow-status", "workflow_123", "--subscribe", '--events=["state_change", "checkpoint", "error"]')


@pytest.fixture
def made(scene: Scene) -> Scene:
    """Line 5, typed and admitted."""
    scene.line(5)
    scene.settle()
    return scene


# ── 5 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_id_before_the_operation_and_no_phases_make_a_workflow_of_one_phase_main(made: Scene) -> None:
    assert made.told("WORKFLOW_CREATED")["phases"] == ["main"]
    assert made.row("workflow_123").description == "Database Migration"


def test_settings_of_sync_and_monitoring_are_kept_with_the_version_of_the_workflow(made: Scene) -> None:
    seen = made.status("workflow_123 --detailed").result
    version = made.hub("get-status workflow_123").result["state_version"]

    assert seen["state_sync"] == {"checkpoints": "phase_boundary"}
    assert seen["monitoring"] == {"performance": True}
    assert version >= 1


def test_monitoring_that_was_asked_for_writes_figures_at_each_boundary(made: Scene) -> None:
    made.line(9)

    assert [e.type for e in made.events("workflow_123", "METRICS_RECORDED")] == ["METRICS_RECORDED"]


def test_checkpoints_appear_at_the_boundaries_of_phases(scene: Scene) -> None:
    scene.say(raw(5).replace('"name": "Database Migration",', '"name": "Database Migration", "phases": ["a", "b"],'))
    scene.phases("workflow_123", ("a", 60), ("b", 60))

    made = [(e.data["name"], e.data["checkpoint_type"]) for e in scene.events(kind="CHECKPOINT_CREATED")]
    assert made == [("pre_a", "phase_boundary"), ("pre_b", "phase_boundary")]


# ── 6 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def store(project: Project) -> Project:
    """Line 5 in a project whose commands are processes."""
    body = raw(5).partition("'")[2].rstrip("'")
    assert project.run("coordination-hub", "workflow_123", "create", body).code == 0
    return project


def elsewhere(project: Project, *args: str) -> None:
    """A command in another process."""
    with project.start(*args) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err


def work(project: Project) -> None:
    """In other processes: a state change, a checkpoint, an error, and what is none of these."""
    hub = ("coordination-hub", "workflow_123")
    elsewhere(project, *hub, "start-phase", "1")
    elsewhere(project, *hub, "checkpoint", "here")
    elsewhere(project, *hub, "assign-agents", '[{"agent_id":"agent_001"}]')
    elsewhere(project, *hub, "fail-phase", "1", '{"reason": "no database"}')


CAME = [
    "CHECKPOINT_CREATED",
    "WORKFLOW_STARTED",
    "PHASE_STARTED",
    "CHECKPOINT_CREATED",
    "PHASE_FAILED",
]


def test_what_other_processes_do_reaches_the_subscription_in_order_and_once(store: Project) -> None:
    first = store.run(*SUBSCRIBE, "--json").json["result"]
    assert (first["pending"], first["classes"]) == ([], ["checkpoint", "error", "state_change"])

    work(store)
    second = store.run(*SUBSCRIBE, "--json").json["result"]
    third = store.run(*SUBSCRIBE, "--json").json["result"]

    assert [e["event_type"] for e in second["pending"]] == CAME
    assert [e["seq"] for e in second["pending"]] == sorted(e["seq"] for e in second["pending"])
    assert third["pending"] == []
    assert first["subscription_id"] == second["subscription_id"] == third["subscription_id"]
    assert third["cursor"] >= second["pending"][-1]["seq"]


def test_other_events_do_not_reach_it(store: Project) -> None:
    store.run(*SUBSCRIBE)
    elsewhere(store, "coordination-hub", "create", "other_001")
    elsewhere(store, "coordination-hub", "other_001", "start-phase", "1")
    elsewhere(store, "coordination-hub", "workflow_123", "assign-agents", '[{"agent_id":"agent_001"}]')

    assert "AGENT_ALLOCATED" in store.types("workflow_123")
    assert store.run(*SUBSCRIBE, "--json").json["result"]["pending"] == []


def test_with_follow_it_stays_and_prints_each_as_it_comes(store: Project) -> None:
    store.run(*SUBSCRIBE)
    with store.start(*SUBSCRIBE, "--follow") as follower:
        try:
            work(store)
            assert follower.stdout
            lines = [follower.stdout.readline().partition(":")[0] for _ in CAME]
            still = follower.poll()
        finally:
            follower.terminate()
            follower.communicate(timeout=60)

    assert lines == CAME
    assert still is None


def test_follow_alone_is_refused(store: Project) -> None:
    ran = store.run("workflow-status", "workflow_123", "--follow", "--json")

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, "--follow")


# ── 7 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def metrics(scene: Scene) -> int:
    return len(scene.events("workflow_123", "METRICS_RECORDED"))


def test_later_changes_of_phase_and_state_become_metric_facts_until_it_is_off(scene: Scene) -> None:
    scene.create("workflow_123", phases=["a", "b"])
    scene.hub("start-phase workflow_123 a")
    assert metrics(scene) == 0

    scene.monitor("workflow_123 --track-state")
    counts = [metrics(scene)]
    for step in ("complete-phase workflow_123 a", "pause workflow_123", "resume workflow_123"):
        scene.wait(600)
        scene.hub(step)
        counts.append(metrics(scene))
    assert counts == [0, 1, 2, 3]
    assert scene.told("METRICS_RECORDED")["metrics"]["phases_done"] == 1

    scene.monitor("workflow_123 --no-track-state")
    scene.hub("start-phase workflow_123 b")
    assert metrics(scene) == 3


def test_adaptive_samples_by_how_much_has_changed(scenes: Callable[[str], Scene]) -> None:
    """Two boundaries that follow each other at once are one fact; in full they are two."""
    counted: dict[str, int] = {}
    for flag in ("", "--optimization=adaptive"):
        one = scenes(flag or "full")
        one.create("workflow_123", phases=["a", "b"])
        one.hub("start-phase workflow_123 a")
        one.wait(5000)
        one.monitor(f"workflow_123 --track-state {flag}")
        one.hub("complete-phase workflow_123 a")
        one.hub("start-phase workflow_123 b")
        one.hub("pause workflow_123")
        counted[flag] = metrics(one)

    assert counted == {"": 3, "--optimization=adaptive": 1}


# ── 8 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_rows_and_log_are_held_against_each_other_by_version(made: Scene) -> None:
    made.line(9)

    sync = made.line(8).result["sync"]

    assert (sync["in_sync"], sync["differences"]) == (True, [])
    assert sync["state_version"] == sync["view_version"] == made.row("workflow_123").state_version


def test_what_differs_is_named(made: Scene) -> None:
    with Log.open(made.app.directory, durability="process") as log, log.write() as tx:
        tx.respecify("workflow_123", made.row("workflow_123").spec)  # a version that no event tells of

    sync = made.line(8).result["sync"]

    assert not sync["in_sync"]
    assert any("state_version" in words for words in sync["differences"])


def test_what_is_left_is_unknown_without_history_and_forecast_with_it(made: Scene) -> None:
    assert made.line(8).result["prediction"]["likely"] is None
    for n in range(8):
        made.past(f"old_{n:03d}", 600 + n, phases=("main",))

    found = made.line(8).result["prediction"]

    assert found["low"] < found["likely"] < found["high"]
    assert 500 < found["likely"] < 700


# ── 9 ────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_phase_runs_after_its_own_checkpoint(made: Scene) -> None:
    made.line(9)

    types = [e.type for e in made.events("workflow_123") if not e.type.startswith(("RESOURCE_", "METRICS_"))]
    assert types[-3:] == ["CHECKPOINT_CREATED", "WORKFLOW_STARTED", "PHASE_STARTED"]
    assert (made.told("CHECKPOINT_CREATED")["name"], made.told("CHECKPOINT_CREATED")["trigger"]) == (
        "pre_main",
        "automatic",
    )
    assert made.told("PHASE_STARTED")["phase_id"] == "main"


def test_its_agents_are_busy_in_the_ledger(made: Scene) -> None:
    made.line(9)
    made.wait(600)

    used = made.manager("usage").result["utilisation"]

    assert used["busy_agent_seconds"] == pytest.approx(600)
    assert made.told("PHASE_STARTED")["resource_allocation"] == [one.id for one in made.live("workflow_123")]


def test_a_phase_that_is_not_there_is_not_found(made: Scene) -> None:
    before = made.last_seq()

    with pytest.raises(BadInput) as refused:
        made.hub("workflow_123 start-phase 2")

    assert (refused.value.code, refused.value.exit_code, refused.value.field) == ("PHASE_NOT_FOUND", 2, "phase")
    assert made.last_seq() == before


def test_a_phase_does_not_start_before_the_one_it_follows(scene: Scene) -> None:
    scene.line(1)
    scene.settle()

    with pytest.raises(BadInput) as refused:
        scene.hub("start-phase feature_dev_001 planning")

    assert (refused.value.code, refused.value.exit_code) == ("INVALID_TRANSITION", 2)
    assert "waits for research" in refused.value.message


# ── 10 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_named_checkpoint_has_an_id_and_a_hash_of_each_part(made: Scene) -> None:
    made.line(9)
    reply = made.line(10)

    told = made.told("CHECKPOINT_CREATED")
    assert (told["name"], told["checkpoint_type"]) == ("pre_migration_validation", "manual")
    assert told["checkpoint_id"] == reply.result["checkpoint_id"]
    hashes = told["state_snapshot"]
    assert set(hashes) == {"phases_hash", "files_hash", "agents_hash", "allocations_hash"}
    assert all(len(found) == 64 for found in hashes.values())


def test_its_name_brings_files_and_workflow_back_bit_for_bit(scene: Scene) -> None:
    scene.create("workflow_123", phases=["a", "b"])
    scene.phases("workflow_123", ("a", 60))
    (scene.root / "data.bin").write_bytes(bytes(range(256)) * 40)
    scene.line(10)
    files, phases = scene.files(), {p.name: p.state for p in scene.view("workflow_123").phases.values()}

    scene.hub("start-phase workflow_123 b")
    (scene.root / "data.bin").write_bytes(b"gone")
    (scene.root / "new.txt").write_text("new")
    (scene.root / "README.md").unlink()
    scene.hub("workflow_123 restore pre_migration_validation")

    assert scene.files() == files
    assert {p.name: p.state for p in scene.view("workflow_123").phases.values()} == phases


def test_what_it_held_is_asked_for_again_and_never_put_back_over_capacity(scene: Scene) -> None:
    scene.create("workflow_123", resource_requirements={"agents": 3})
    scene.line(9)
    scene.line(10)
    scene.manager("release workflow_123", force=True)
    scene.manager("allocate other_002 --agents=2 --specialization=test")

    scene.hub("workflow_123 restore pre_migration_validation")

    assert [one.state for one in scene.live("workflow_123")] == ["queued"]
    assert scene.held()["agents"] == 2
    scene.manager("release other_002")
    assert scene.held("workflow_123")["agents"] == 3


# ── 11 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_named_agent_is_in_the_pool_with_its_role(made: Scene) -> None:
    reply = made.line(11)

    agent = made.agents()["agent_001"]
    assert (agent.role, agent.state, agent.workflow_id) == ("database", "busy", "workflow_123")
    assert made.told("AGENT_ALLOCATED")["agent_id"] == "agent_001"
    assert made.events(kind="AGENT_ALLOCATED")[0].event_id in reply.events


def test_the_next_database_work_goes_to_it(made: Scene) -> None:
    made.line(11)
    made.hub("cancel workflow_123")

    reply = made.manager("allocate move_002 --agents=1 --specialization=database")

    assert reply.result["agents"] == ["agent_001"]


def test_an_agent_that_works_elsewhere_is_a_conflict(made: Scene) -> None:
    made.line(11)
    made.create("other_002")
    before = made.last_seq()

    with pytest.raises(StateConflict):
        made.say('/coordination-hub other_002 assign-agents \'[{"agent_id":"agent_001","role":"database"}]\'')

    assert made.agents()["agent_001"].workflow_id == "workflow_123"
    assert not [e for e in made.since(before) if e.type == "AGENT_ALLOCATED"]
