"""The prose of the third example: what is predicted, prevented, learned, and shown."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from stretto.state.allocation import in_use
from tests.expectations.scene import Scene, raw

FEATURE = "feature_development"


# ── 146 and 150 ──────────────────────────────────────────────────────────────────────────────────────────────────────


def need(scene: Scene, name: str) -> dict[str, Any]:
    """Line 13 for another id: what is predicted for it."""
    body = json.loads(raw(13).partition("'")[2].rstrip("'"))
    found = scene.manager("allocate", **{**body, "workflow_id": name}).result["prediction"]
    scene.manager(f"release {name}")
    return dict(found)


def test_the_history_that_a_prediction_names_is_that_of_the_store(scene: Scene) -> None:
    for number in range(5):
        scene.past(f"auth_feature_{number:03d}", 900 + number, type=FEATURE)

    found = need(scene, "next_001")

    assert found["n"] == 5
    assert found["inputs"]["similar_workflows"]["auth_feature"] == [f"auth_feature_{n:03d}" for n in range(5)]


def test_the_error_falls_with_outcomes_of_a_known_workload(scene: Scene) -> None:
    """Every workflow takes 1800 s: the default of the type is hours off, each outcome brings it closer."""
    errors = [abs(need(scene, "try_000")["seconds"] - 1800)]
    for number in range(6):
        scene.past(f"known_{number:03d}", 1800, type=FEATURE)
        errors.append(abs(need(scene, f"try_{number + 1:03d}")["seconds"] - 1800))

    assert errors[0] > 3600
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 60


# ── 147 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

PLANTED: dict[str, list[dict[str, Any]]] = {
    "agents": [{"agents": 4}, {"agents": 3}, {"agents": 2}],
    "memory": [{"agents": 1, "memory": "6GB"}, {"agents": 1, "memory": "5GB"}, {"agents": 1, "memory": "4GB"}],
    "src/shop/authentication.py": [{"agents": 1, "files": ["src/shop/authentication.py"]}] * 3,
}


@pytest.mark.parametrize("planted", PLANTED)
def test_the_bottleneck_predicted_before_the_run_is_the_one_measured_after_it(scene: Scene, planted: str) -> None:
    for number, needs in enumerate(PLANTED[planted]):
        scene.create(f"job_{number:03d}", phases=["work"], resource_requirements={**needs, "duration": "2h"})
    scene.settle()

    before = scene.progress("bottleneck-analysis").result
    scene.run_on()
    after = scene.progress("bottleneck-analysis").result

    assert before["predicted"][0]["what"] == planted
    assert after["bottlenecks"][0]["what"] == planted
    assert after["predicted"] == []
    assert before["predicted"][0]["seconds"] == pytest.approx(after["bottlenecks"][0]["seconds"], rel=0.05)


def test_how_well_bottlenecks_are_predicted_is_reported(scene: Scene) -> None:
    assert scene.line(15).result["bottleneck"]["agrees"] is None
    for number, needs in enumerate(PLANTED["memory"]):
        scene.create(f"job_{number:03d}", phases=["work"], resource_requirements={**needs, "duration": "2h"})
    scene.run_on()

    reply = scene.line(15)

    assert reply.result["bottleneck"] == {"n": 2, "predicted": "memory", "measured": "memory", "agrees": True}
    assert "bottleneck: memory, as predicted (2 workflows that waited)" in reply.text


def test_a_balanced_load_has_no_bottleneck_to_come(scene: Scene) -> None:
    for name in ("a_001", "b_002"):
        scene.create(name, resource_requirements={"agents": 2, "duration": "1h"})
    scene.settle()

    assert scene.progress("bottleneck-analysis").result == {"bottlenecks": [], "predicted": []}


# ── 148 and 156 ──────────────────────────────────────────────────────────────────────────────────────────────────────


def clash(scene: Scene, prevention: str) -> tuple[list[str], int]:
    """Two that will change one file at a time, under one choice: who has begun, and how many clashes are on record."""
    scene.say(raw(12).replace("proactive", prevention))
    for name in ("one_001", "two_002"):
        body = {"workflow_id": name, "resources": {"agents": 1, "duration": "1h"}, "files": ["src/shop/cart.py"]}
        scene.manager("allocate", **body)
    standing = scene.manager("check-conflicts").result["conflicts"]
    return sorted(one.workflow_id for one in scene.live() if one.state == "active"), len(standing)


def test_a_predicted_clash_is_staggered_proactively_and_happens_with_it_off(scenes: Callable[[str], Scene]) -> None:
    assert clash(scenes("proactive"), "proactive") == (["one_001"], 0)
    assert clash(scenes("disabled"), "disabled") == (["one_001", "two_002"], 1)


def test_who_was_staggered_begins_when_the_other_has_ended_and_no_clash_is_ever_on_record(scene: Scene) -> None:
    clash(scene, "proactive")

    scene.manager("release one_001")

    assert [one.workflow_id for one in scene.live() if one.state == "active"] == ["two_002"]
    assert scene.events(kind="RESOURCE_CONFLICT") == []


# ── 153 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_status_shows_the_utilisation_of_the_ledger_at_that_instant(scene: Scene) -> None:
    scene.create("a_001", phases=["x"], resource_requirements={"agents": 2, "memory": "3GB"})
    scene.create("b_002", phases=["x"], resource_requirements={"agents": 1, "memory": "1GB"})
    scene.settle()

    def shown() -> dict[str, float]:
        return {n: u["allocated"] for n, u in scene.status("a_001 --detailed").result["utilisation"].items()}

    for step in ("start a_001", "start b_002", "complete-phase b_002 x", "complete b_002", "cancel a_001"):
        with scene.log() as log:
            held = in_use([one for one in log.allocations() if one.state == "active"])
        assert {n: v for n, v in shown().items() if v} == held
        scene.hub(step)
    assert set(shown().values()) == {0}
    assert "agents: 0 of 4 allocated to all" in scene.status("a_001 --detailed").text
