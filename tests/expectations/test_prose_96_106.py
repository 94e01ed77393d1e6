"""The prose of the second example: one state, however many commands look at it and write it."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stretto.state.errors import BadInput, StrettoError
from stretto.state.machine import ARROWS, STATUS_AFTER
from stretto.state.view import fold
from tests.commands.door import Project
from tests.expectations.scene import Scene

NAME = "shop_001"


# ── 96 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

WAYS: Mapping[tuple[str, str], tuple[list[str], str, str]] = {
    ("CREATED", "SCHEDULED"): ([], "settle", "WORKFLOW_SCHEDULED"),
    ("CREATED", "QUEUED"): (["full"], "settle", "WORKFLOW_QUEUED"),
    ("QUEUED", "SCHEDULED"): (["full", "settle"], "free", "WORKFLOW_SCHEDULED"),
    ("QUEUED", "CANCELLED"): (["full", "settle"], "cancel", "WORKFLOW_CANCELLED"),
    ("SCHEDULED", "RUNNING"): (["settle"], "start-phase", "WORKFLOW_STARTED"),
    ("SCHEDULED", "CANCELLED"): (["settle"], "cancel", "WORKFLOW_CANCELLED"),
    ("RUNNING", "PAUSED"): (["settle", "start-phase"], "pause", "WORKFLOW_PAUSED"),
    ("RUNNING", "COMPLETED"): (["settle", "start-phase", "complete-phase"], "complete", "WORKFLOW_COMPLETED"),
    ("RUNNING", "CANCELLED"): (["settle", "start-phase"], "cancel", "WORKFLOW_CANCELLED"),
    ("RUNNING", "RECOVERING"): (["settle", "start-phase", "fail-phase"], "recovery-mode", "WORKFLOW_STATE_UPDATED"),
    ("PAUSED", "RUNNING"): (["settle", "start-phase", "pause"], "resume", "WORKFLOW_RESUMED"),
    ("PAUSED", "CANCELLED"): (["settle", "start-phase", "pause"], "cancel", "WORKFLOW_CANCELLED"),
    ("RECOVERING", "RUNNING"): (
        ["settle", "start-phase", "fail-phase", "recovery-mode"],
        "start-phase",
        "WORKFLOW_RESUMED",
    ),
    ("RECOVERING", "PAUSED"): (
        ["settle", "start-phase", "fail-phase", "recovery-mode"],
        "pause",
        "WORKFLOW_PAUSED",
    ),
    ("RECOVERING", "CANCELLED"): (
        ["settle", "start-phase", "fail-phase", "recovery-mode"],
        "cancel",
        "WORKFLOW_CANCELLED",
    ),
}
"""The arrows that commands take: how one comes there, the step, and the one event of it. Drivers take the others."""


def step(scene: Scene, name: str) -> None:
    hub: dict[str, Callable[[], object]] = {
        "settle": scene.settle,
        "full": lambda: scene.create("full_000", priority="critical", resource_requirements={"agents": 4}),
        "free": lambda: scene.hub("cancel full_000"),
        "fail-phase": lambda: scene.hub(f"fail-phase {NAME} main", reason="timed out"),
        "recovery-mode": lambda: scene.hub(f"{NAME} recovery-mode", recovery_strategy="retry_operation"),
        "start-phase": lambda: scene.hub(f"start-phase {NAME} main"),
        "complete-phase": lambda: scene.hub(f"complete-phase {NAME} main"),
    }
    hub.get(name, lambda: scene.hub(f"{name} {NAME}"))()


@pytest.mark.parametrize(("arrow", "way"), WAYS.items(), ids=["-".join(a) for a in WAYS])
def test_each_arrow_of_the_state_machine_is_exactly_one_event(
    scene: Scene, arrow: tuple[str, str], way: tuple[list[str], str, str]
) -> None:
    scene.create(NAME, resource_requirements={"agents": 1}, state_sync={"checkpoints": "none"})
    for name in way[0]:
        step(scene, name)
    assert arrow[1] in ARROWS[arrow[0]]
    if arrow[0] != "CREATED":
        assert scene.row(NAME).status == arrow[0]
    before = scene.last_seq()

    step(scene, way[1])

    told = [e for e in scene.since(before) if e.workflow_id == NAME]
    moves = [e for e in told if e.type in STATUS_AFTER or "to" in e.data]
    assert [e.type for e in moves] == [way[2]]
    assert scene.row(NAME).status == arrow[1]
    assert fold(scene.events(NAME)).status == arrow[1]


@pytest.mark.parametrize("operation", ["pause", "resume", "complete"])
def test_what_is_no_arrow_is_no_event(scene: Scene, operation: str) -> None:
    scene.create(NAME)
    scene.settle()
    before = scene.last_seq()

    with pytest.raises(BadInput) as refused:
        scene.hub(f"{operation} {NAME}")

    assert (refused.value.code, scene.last_seq()) == ("INVALID_TRANSITION", before)


# ── 98 and 99 ────────────────────────────────────────────────────────────────────────────────────────────────────────


def save(scene: Scene, base: int, **state: Any) -> Any:
    return scene.hub(f"save-state {NAME}", base_version=base, state=state)


def load(scene: Scene) -> Any:
    return scene.hub(f"load-state {NAME}").result


@pytest.fixture
def written(scene: Scene) -> Scene:
    """A workflow of whose state two commands have read version 1."""
    scene.create(NAME)
    scene.settle()
    save(scene, 0, migrated=10, note="begun")
    return scene


def test_two_that_write_other_fields_from_one_version_merge_and_say_so(written: Scene) -> None:
    first = save(written, 1, migrated=20)
    second = save(written, 1, errors=0)

    assert (first.exit_code, first.result["merged_with"]) == (0, [])
    assert (second.exit_code, second.result["merged_with"]) == (0, ["migrated"])
    assert "merged with migrated of others" in second.text
    assert load(written) == {"version": 3, "state": {"migrated": 20, "note": "begun", "errors": 0}}
    assert written.told("WORKFLOW_STATE_UPDATED")["merged_with"] == ["migrated"]


def test_two_that_write_one_field_from_one_version_clash_with_a_report_of_both_values(written: Scene) -> None:
    save(written, 1, migrated=20)
    before = load(written)

    clash = save(written, 1, migrated=30, errors=1)

    assert (clash.exit_code, clash.result["code"]) == (1, "STATE_CONFLICT")
    assert clash.result["clashes"] == [{"field": "migrated", "stands": 20, "yours": 30, "since": 2}]
    assert load(written) == before
    told = written.events(NAME)[-1]
    assert (told.severity, told.event_id) == ("warning", clash.events[-1])
    assert told.data["clashes"] == clash.result["clashes"]


def test_the_same_value_from_both_is_a_clash_too_since_of_two_who_count_the_second_would_be_lost(
    written: Scene,
) -> None:
    save(written, 1, migrated=11)

    second = save(written, 1, migrated=11)

    assert (second.exit_code, second.result["code"]) == (1, "STATE_CONFLICT")
    assert second.result["clashes"] == [{"field": "migrated", "stands": 11, "yours": 11, "since": 2}]


def test_what_stands_already_is_not_written_again(written: Scene) -> None:
    before = written.last_seq()

    again = save(written, 1, migrated=10)

    assert (again.exit_code, again.result["saved"], written.last_seq()) == (0, False, before)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "state"),
        ({"state": [1]}, "state"),
        ({"state": {"": 1}}, "state"),
        ({"state": {"a": 1}, "base_version": 9}, "base_version"),
        ({"state": {"a": 1}, "base": 1}, "base"),
    ],
)
def test_state_that_is_none_is_refused_and_nothing_is_written(written: Scene, body: Any, field: str) -> None:
    before = written.last_seq()

    with pytest.raises(BadInput) as refused:
        written.hub(f"save-state {NAME}", **body)

    assert (refused.value.exit_code, refused.value.field) == (2, field)
    assert written.last_seq() == before


def test_of_many_processes_that_count_together_no_update_is_lost(project: Project) -> None:
    project.run("coordination-hub", "create", NAME)
    body = json.dumps({"state": {"a": 1}, "base_version": 0})
    racing = [project.start("coordination-hub", "save-state", NAME, body.replace('"a"', f'"f{n}"')) for n in range(6)]
    for process in racing:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, out + err

    found = project.run("coordination-hub", "load-state", NAME, "--json").json["result"]
    assert found == {"version": 6, "state": {f"f{n}": 1 for n in range(6)}}


# ── 100 and 106 ──────────────────────────────────────────────────────────────────────────────────────────────────────


def state_hash(scene: Scene) -> str:
    """Of the phases as the log tells them, and of the files as they lie there."""
    phases = {p.name: p.state for p in scene.view(NAME).phases.values()}
    files = {path: hashlib.sha256(content).hexdigest() for path, content in scene.files().items()}
    return hashlib.sha256(json.dumps([phases, files], sort_keys=True).encode()).hexdigest()


def test_a_restore_from_any_checkpoint_is_the_state_of_its_time(scene: Scene) -> None:
    scene.create(NAME, phases=["a", "b", "c"], state_sync={"checkpoints": "manual"})
    scene.settle()
    hashes: dict[str, str] = {}
    for number, move in enumerate(
        ("start-phase {} a", "complete-phase {} a", "start-phase {} b", "complete-phase {} b")
    ):
        scene.hub(move.format(NAME))
        (scene.root / "data.txt").write_text(f"after step {number}")
        (scene.root / f"only_{number}.txt").write_text("x")
        name = f"step_{number}"
        scene.hub(f"checkpoint {NAME} {name}")
        hashes[name] = state_hash(scene)
        (scene.root / f"only_{number}.txt").unlink()

    for name in ("step_2", "step_0", "step_3", "step_1"):
        scene.hub(f"restore {NAME} {name}")
        assert state_hash(scene) == hashes[name]


# ── 103 to 105 ───────────────────────────────────────────────────────────────────────────────────────────────────────

MOVES = (
    "start-phase {} a",
    "complete-phase {} a",
    "start-phase {} b",
    "complete-phase {} b",
    "skip-phase {} b",
    "fail-phase {} a",
    "pause {}",
    "resume {}",
    "complete {}",
    "cancel {}",
)


def views(scene: Scene) -> list[tuple[str, dict[str, str] | None, float | None]]:
    """Status, phases and agents held, as five commands tell them; None where one does not tell it."""
    status = scene.status(f"{NAME} --detailed").result
    hub = scene.hub(f"get-status {NAME}").result
    overview = scene.progress("system-overview --resource-analysis").result
    summary = scene.progress(f"--workflow={NAME} --sync-state").result
    resources = scene.manager("status").result
    assert summary["sync"]["in_sync"], summary["sync"]
    assert resources["allocated"]["agents"] == overview["resources"]["allocated"].get("agents", 0)
    assert summary["progress"] == overview["workflows"][0]["progress"]
    mine = [one for one in resources["allocations"] if one["workflow_id"] == NAME and one["state"] == "active"]

    def phases(told: Mapping[str, Any]) -> dict[str, str]:
        return {p["name"]: p["state"] for p in told["phases"]}

    def agents(rows: Any) -> float:
        return float(sum(one["granted"].get("agents", 0) for one in rows if one["state"] == "active"))

    return [
        (status["status"], phases(status), agents(status["allocations"])),
        (hub["status"], phases(hub), None),
        (overview["workflows"][0]["status"], None, overview["resources"]["allocated"].get("agents", 0.0)),
        (summary["status"], None, None),
        (status["status"], None, agents(mine)),
    ]


@settings(max_examples=12)
@given(st.lists(st.sampled_from(MOVES), max_size=8))
def test_the_views_of_five_commands_agree_after_every_event(
    tmp_path_factory: pytest.TempPathFactory, moves: list[str]
) -> None:
    scene = Scene(tmp_path_factory.mktemp("views") / "scene")
    body = {"phases": ["a", "b"], "state_sync": {"checkpoints": "none"}, "resource_requirements": {"agents": 2}}
    scene.create(NAME, **body)
    scene.settle()
    for move in moves:
        reason = {"reason": "so"} if move.startswith(("fail", "skip")) else {}
        try:
            scene.hub(move.format(NAME), **reason)
        except StrettoError:
            continue  # no arrow: nothing was written
        told = views(scene)
        folded = fold(scene.events(NAME))
        assert {status for status, _, _ in told} == {folded.status}
        for _, phases, agents in told:
            assert phases in (None, {p.name: p.state for p in folded.phases.values()})
            assert agents in (None, scene.held(NAME).get("agents", 0))


def test_what_another_process_did_is_seen_without_a_word_between_them(project: Project) -> None:
    project.run("coordination-hub", "create", NAME)
    with project.start("coordination-hub", "start-phase", NAME, "1") as process:
        process.communicate(timeout=60)

    told = [
        project.run("workflow-status", NAME, "--json").json["result"]["status"],
        project.run("coordination-hub", "get-status", NAME, "--json").json["result"]["status"],
        project.run("progress-aggregator", f"--workflow={NAME}", "--json").json["result"]["status"],
    ]

    assert told == ["RUNNING"] * 3
