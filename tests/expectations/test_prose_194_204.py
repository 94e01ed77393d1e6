"""The prose of the fourth example: progress of all, critical paths, what would help, and what each figure stands on."""

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pytest

from tests.commands.door import Project
from tests.expectations.scene import Scene

INCLUDE = ["progress", "resources", "predictions", "bottlenecks"]


def report(scene: Scene) -> Any:
    return scene.progress("system-report", include=INCLUDE).result


# ── 194 and 195 ──────────────────────────────────────────────────────────────────────────────────────────────────────


def longest_by_hand(hours: Mapping[str, int], waits: Mapping[str, Sequence[str]]) -> int:
    """The longest chain, by trying every one of them."""

    @cache
    def end(name: str) -> int:
        return hours[name] + max((end(before) for before in waits[name]), default=0)

    return max(end(name) for name in hours)


@pytest.mark.parametrize("seed", range(4))
def test_the_critical_path_is_as_long_as_an_independent_longest_path(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    names = [f"job_{n:03d}" for n in range(9)]
    hours = {name: chance.randrange(1, 9) for name in names}
    waits = {name: chance.sample(names[:n], k=min(n, chance.randrange(3))) for n, name in enumerate(names)}
    for name in names:
        body = {"agents": 1, "duration": f"{hours[name]}h"}
        scene.create(name, dependencies=waits[name], resource_requirements=body)
    scene.settle()

    found = report(scene)["progress"]["critical_path"]

    assert found["seconds"] == 3600 * longest_by_hand(hours, waits)
    chain = found["workflows"]
    assert sum(hours[name] for name in chain) * 3600 == found["seconds"]
    assert all(before in waits[after] for before, after in itertools.pairwise(chain))


def test_progress_is_collected_from_every_workflow_that_has_not_ended(scene: Scene) -> None:
    scene.create("a_001", phases=["x", "y"])
    scene.create("b_002", phases=["x", "y", "z"])
    scene.settle()
    scene.phases("a_001", ("x", 60))

    found = report(scene)["progress"]

    assert {w["workflow_id"]: round(w["progress"], 3) for w in found["workflows"]} == {"a_001": 0.5, "b_002": 0}
    assert found["overall_progress"] == pytest.approx(0.25)


# ── 196 and 198 ──────────────────────────────────────────────────────────────────────────────────────────────────────


def wave(scene: Scene, needs: Mapping[str, Any]) -> None:
    for number in range(6):
        scene.create(f"job_{number:03d}", phases=["work"], resource_requirements={**needs, "duration": "1h"})
    scene.wait(60)


@pytest.mark.parametrize(
    ("needs", "what"), [({"agents": 2}, "agents"), ({"agents": 0, "memory": "3GB"}, "memory")], ids=["agents", "memory"]
)
def test_the_suggested_action_shortens_the_makespan_when_it_is_carried_out(
    scenes: Callable[[str], Scene], needs: Mapping[str, Any], what: str
) -> None:
    took: dict[bool, float] = {}
    for helped in (False, True):
        scene = scenes(str(helped))
        wave(scene, needs)
        begun = scene.now
        scene.wait(600)
        worst = report(scene)["bottlenecks"][0]
        assert worst["what"] == what
        assert {e.event_id for e in scene.events(kind="WORKFLOW_QUEUED")} >= set(worst["events"])
        if helped:
            scene.say("/" + worst["action"].removeprefix("stretto "))
        scene.run_on()
        took[helped] = scene.now - begun

    assert took[True] < 0.8 * took[False]


# ── 197 ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_completion_is_estimated_for_what_goes_on_by_what_is_known_of_it(scene: Scene) -> None:
    scene.create("said_001", phases=["x"], resource_requirements={"agents": 1, "duration": "2h"})
    scene.create("unknown_002", phases=["strange"])
    scene.settle()
    scene.hub("start said_001")
    scene.wait(1800)

    found = {one["workflow_id"]: one for one in report(scene)["predictions"]}

    assert found["said_001"]["likely"] == pytest.approx(5400, abs=2)
    assert found["unknown_002"]["likely"] is None


# ── 201 to 204 ───────────────────────────────────────────────────────────────────────────────────────────────────────


def known(found: Any) -> dict[str, bool]:
    """Of each figure of a report, whether it is known."""
    resources, (prediction,) = found["resources"], found["predictions"] or ({"likely": None},)
    return {
        "progress": found["progress"]["overall_progress"] is not None,
        "utilisation": resources["utilisation"] is not None,
        "efficiency": resources["efficiency"] is not None,
        "left": prediction["likely"] is not None,
    }


def whole(scene: Scene, *, allocation: bool = True, work: bool = True, said: bool = True) -> None:
    """One workflow with all that the figures stand on, or without one of them."""
    needs: dict[str, Any] = {"agents": 2 if allocation else 0}
    scene.create("a_001", phases=["x", "y"], resource_requirements={**needs, **({"duration": "2h"} if said else {})})
    scene.wait(600)
    if work:
        scene.hub("start a_001")
        scene.wait(600)


ALL = {"progress": True, "utilisation": True, "efficiency": True, "left": True}


def test_with_every_source_there_every_figure_is_known(scene: Scene) -> None:
    whole(scene)

    assert known(report(scene)) == ALL


@pytest.mark.parametrize(
    ("without", "unknown"),
    [
        ("allocation", {"utilisation", "efficiency"}),  # the ledger: nobody holds anything
        ("work", {"efficiency"}),  # metrics: nothing has been at work
        ("said", {"left"}),  # tasks: nobody said, and no like ones are on record
    ],
)
def test_without_one_source_its_figures_are_unknown_and_no_others(
    scene: Scene, without: str, unknown: set[str]
) -> None:
    whole(scene, **{without: False})

    assert known(report(scene)) == {name: name not in unknown for name in ALL}


def test_without_the_events_of_a_workflow_nothing_of_it_is_known_but_what_is_held(scene: Scene) -> None:
    """Resources that were asked for under an id of which no lifecycle is on record."""
    scene.manager("allocate a_001 --agents=2 --specialization=test")
    scene.wait(600)

    found = known(report(scene))

    assert (found["progress"], found["left"], found["utilisation"]) == (False, False, True)


def test_before_anything_was_recorded_every_figure_is_unknown(project: Project) -> None:
    found = project.run("progress-aggregator", "system-report", "--json").json["result"]

    assert found["progress"]["overall_progress"] is None
    assert found["predictions"] == []
    assert "resources" not in found
