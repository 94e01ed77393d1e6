"""The prose of the first example: how workflows are created, analysed, validated, ordered, and what is never to be."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest

from stretto.state.errors import BadInput
from stretto.state.wire import Event
from tests.expectations.scene import Scene

AGENTS = 4


def at(event: Event) -> float:
    return datetime.fromisoformat(event.timestamp).timestamp()


# ── 45 to 47 ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_creation_validation_and_analysis_are_three_recorded_steps_with_their_figures(scene: Scene) -> None:
    scene.line(1)
    scene.line(2)
    scene.settle()

    steps = [e for e in scene.events() if e.type.endswith(("_CREATED", "_VALIDATED", "ANALYSIS_REQUESTED"))]
    assert [e.type for e in steps] == [
        "WORKFLOW_CREATED",
        "DEPENDENCIES_VALIDATED",
        "WORKFLOW_CREATED",
        "DEPENDENCIES_VALIDATED",
        "RESOURCE_ANALYSIS_REQUESTED",
    ]
    assert steps[0].data["resources"]["agents"] == 3
    assert steps[1].data == {
        "dependencies": 2,
        "waits_for": [],
        "external": ["database_migration", "security_review"],
        "circle": False,
    }
    assert (steps[4].data["total_agents"], steps[4].data["conflicts"]) == (5, False)


def test_a_circle_of_dependencies_stops_at_the_validation(scene: Scene) -> None:
    scene.create("a_001", dependencies=["c_003"])
    scene.create("b_002", dependencies=["a_001"])
    scene.settle()
    before = scene.last_seq()

    with pytest.raises(BadInput) as refused:
        scene.create("c_003", dependencies=["b_002"])

    assert (refused.value.exit_code, refused.value.field) == (2, "dependencies")
    assert "c_003 → b_002 → a_001 → c_003" in refused.value.message
    assert scene.last_seq() == before


# ── 48 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("first", ["low", "high"])
def test_of_two_of_one_window_the_higher_priority_is_scheduled_whichever_came_first(scene: Scene, first: str) -> None:
    order = [first, "high" if first == "low" else "low"]
    for priority in order:
        scene.create(f"{priority}_001", priority=priority, resource_requirements={"agents": 3})
    scene.settle()

    assert (scene.row("high_001").status, scene.row("low_001").status) == ("SCHEDULED", "QUEUED")


# ── 64 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def tasks(seed: int, agents: Sequence[int]) -> list[tuple[str, int, int]]:
    """Names, agents, minutes."""
    chance = random.Random(seed)
    return [(f"job_{n:03d}", chance.choice(agents), chance.randrange(20, 200)) for n in range(24)]


def work_conserving(jobs: Sequence[tuple[str, int, int]]) -> float:
    """Allocated by capacity, if whenever something is free the next that fits begins: written down anew, by minutes."""
    waiting, running, minute, used = [*jobs], list[tuple[int, int]](), 0, 0
    while waiting or running:
        running = [(end, agents) for end, agents in running if end > minute]
        for job in [*waiting]:
            if job[1] + sum(a for _, a in running) <= AGENTS:
                waiting.remove(job)
                running.append((minute + job[2], job[1]))
        used += sum(a for _, a in running)
        minute += 1
    return used / (AGENTS * (minute - 1))


@pytest.mark.parametrize(("seed", "sizes"), [(0, (1,)), (1, (1,)), (2, (1, 2)), (3, (1, 2)), (4, (1, 2, 3))])
def test_utilisation_is_that_of_a_work_conserving_schedule_of_the_same_tasks(
    scene: Scene, seed: int, sizes: tuple[int, ...]
) -> None:
    """Of the same tasks in the order in which they were admitted, on paper: an agent left idle would show."""
    jobs = tasks(seed, agents=sizes)
    for name, agents, minutes in jobs:
        scene.create(name, phases=["work"], resource_requirements={"agents": agents, "duration": f"{minutes}m"})
    begun = scene.now
    scene.run_on()
    over = scene.now - begun

    share = scene.progress("system-overview --resource-analysis").result["resources"]["utilisation"]

    order = [e.workflow_id for e in scene.events(kind="WORKFLOW_SCHEDULED")]
    known = {name: (name, agents, minutes) for name, agents, minutes in jobs}
    assert over > 3600
    assert share == pytest.approx(work_conserving([known[name] for name in order]), abs=0.01)


# ── 65 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def held_at_each_instant(events: Sequence[Event]) -> list[tuple[Counter[str], Counter[str]]]:
    """After each event: the amounts that are held, and how many hold each file. Folded here, by nothing of ours."""
    held: dict[str, dict[str, Any]] = {}
    found: list[tuple[Counter[str], Counter[str]]] = []
    for event in events:
        name = str(event.data.get("allocation_id"))
        if event.type == "RESOURCE_ALLOCATED":
            held[name] = event.data["resource_details"]
        if event.type == "RESOURCE_DEALLOCATED":
            left = event.data.get("remaining")
            held.pop(name, None)
            if left:
                held[name] = left
        amounts: Counter[str] = Counter()
        files: Counter[str] = Counter()
        for one in held.values():
            amounts.update({k: v for k, v in one.items() if k in ("agents", "memory", "cpu", "workflows")})
            files.update(one.get("files", ()))
        found.append((amounts, files))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_at_no_instant_is_more_held_than_there_is_and_no_file_by_two(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    for number, (name, agents, minutes) in enumerate(tasks(seed, agents=(1, 2, 3, 4))):
        needs = {
            "agents": agents,
            "memory": f"{chance.randrange(1, 5)}GB",
            "duration": f"{minutes}m",
            "files": chance.sample(["a.py", "b.py", "c.py"], k=chance.randrange(2)),
        }
        scene.create(name, phases=["x", "y"], priority=chance.choice(["low", "high"]), resource_requirements=needs)
        if number % 5 == 4:
            scene.wait(chance.randrange(600))
    scene.run_on()

    events = scene.events()
    assert Counter(e.type for e in events)["WORKFLOW_COMPLETED"] == 24
    for amounts, files in held_at_each_instant(events):
        assert amounts["agents"] <= AGENTS
        assert amounts["memory"] <= 8 * 1024**3
        assert amounts["workflows"] <= 5
        assert all(count == 1 for count in files.values())
    assert not [e for e in events if e.type == "RESOURCE_CONFLICT"]


def test_the_check_itself_sees_too_much(scenes: Callable[[str], Scene]) -> None:
    one = scenes("one")
    one.create("a_001", resource_requirements={"agents": 3, "files": ["a.py"]})
    one.settle()
    (given,) = one.events(kind="RESOURCE_ALLOCATED")
    twice = [given, given._replace(data={**given.data, "allocation_id": "another"})]

    amounts, files = held_at_each_instant(twice)[-1]

    assert (amounts["agents"], files["a.py"]) == (6, 2)


# ── 50 ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_idle_agent_while_others_wait_is_named_with_the_events_that_say_so(scene: Scene) -> None:
    scene.create("sleeper_001", resource_requirements={"agents": 3})
    scene.settle()
    scene.create("waits_002", specialization="database", resource_requirements={"agents": 2})
    scene.wait(3600)

    (found,) = scene.monitor("recommendations").result["opportunities"]

    assert (found["holds"], found["waits"], found["idle_agents"]) == ("sleeper_001", "waits_002", 3)
    assert found["role"] == "database"
    assert found["seconds"] == pytest.approx(3600, abs=2)
    types = {e.event_id: e.type for e in scene.events()}
    assert [types[name] for name in found["events"]] == ["RESOURCE_ALLOCATED", "WORKFLOW_QUEUED"]
    assert scene.row("waits_002").status == "QUEUED"
    scene.say("/" + found["action"].removeprefix("stretto "))
    assert scene.row("waits_002").status == "SCHEDULED"


def test_on_a_balanced_load_no_opportunity_is_named(scene: Scene) -> None:
    for name in ("a_001", "b_002"):
        scene.create(name, phases=["x"], resource_requirements={"agents": 2})
    scene.settle()
    for name in ("a_001", "b_002"):
        scene.hub(f"start {name}")
    scene.wait(3600)
    assert scene.monitor("recommendations").result["opportunities"] == []

    scene.create("c_003", resource_requirements={"agents": 1})
    scene.wait(600)  # it waits, but nobody holds what he does not use
    assert scene.monitor("recommendations").result["opportunities"] == []
