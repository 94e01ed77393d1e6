"""/progress-aggregator milestone-tracking: a date is at risk exactly when the expected end passes it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stretto.commands.reply import Reply
from stretto.state.errors import BadInput
from tests.commands.clocked import BEGIN, Clocked

HOURS = {"phases": ["build", "check"], "resource_requirements": {"agents": 3, "duration": "2h"}}


@pytest.fixture
def world(tmp_path: Path) -> Clocked:
    return Clocked(tmp_path)


def at(seconds: float) -> str:
    return datetime.fromtimestamp(BEGIN + seconds, UTC).isoformat()


def track(world: Clocked, *milestones: dict[str, Any]) -> Reply:
    return world.run("progress-aggregator", "milestone-tracking", *([json.dumps(milestones)] if milestones else []))


def beta(seconds: float, *workflows: str) -> dict[str, Any]:
    return {"name": "beta", "target": at(seconds), "workflows": [*workflows]}


def only(reply: Reply) -> dict[str, Any]:
    (found,) = reply.result["milestones"]
    return dict(found)


def test_it_is_at_risk_exactly_when_the_expected_end_passes_the_date(world: Clocked) -> None:
    world.hub("create", "a_001", **HOURS)
    world.hub("start", "a_001")

    assert only(track(world, beta(7200, "a_001")))["status"] == "on_track"
    assert only(track(world, beta(7199, "a_001")))["status"] == "at_risk"
    assert only(track(world))["expected"].startswith(at(7200)[:19])

    track(world, beta(7200 + 60, "a_001"))
    world.now += 3600 + 60  # the first phase should take an hour, and has taken one minute more
    assert only(track(world))["status"] == "on_track"
    world.now += 1
    assert only(track(world))["status"] == "at_risk"


def test_what_waits_for_another_is_expected_after_it(world: Clocked) -> None:
    world.hub("create", "a_001", **HOURS)
    world.hub("start", "a_001")
    world.hub("create", "b_002", **HOURS)

    found = only(track(world, beta(4 * 3600, "a_001", "b_002")))

    assert (found["status"], found["decided_by"]) == ("on_track", "b_002")
    assert found["expected"].startswith(at(4 * 3600)[:19])


def test_it_is_reached_when_the_last_is_completed_and_delayed_when_the_date_has_passed(world: Clocked) -> None:
    world.workflow("a_001", 100)
    world.workflow("b_002")
    track(world, beta(1000, "a_001", "b_002"))
    assert only(track(world))["progress"] == 0.5
    world.now += 2000
    assert only(track(world))["status"] == "delayed"

    for step in (("start", "b_002"), ("complete-phase", "b_002", "work"), ("complete", "b_002")):
        world.hub(*step)

    found = only(track(world))
    assert (found["status"], found["progress"], found["why"]) == ("reached", 1.0, ["reached 1100 s after its date"])


def test_what_nobody_knows_is_unknown_and_what_was_lost_is_a_risk(world: Clocked) -> None:
    world.hub("create", "a_001", phases=["odd"])
    assert only(track(world, beta(9999, "a_001")))["status"] == "unknown"
    absent = only(track(world, beta(9999, "nobody_001")))
    assert (absent["status"], absent["progress"]) == ("unknown", None)
    world.hub("cancel", "a_001")
    assert only(track(world, beta(9999, "a_001")))["why"] == ["a_001 is CANCELLED"]
    assert only(track(world))["status"] == "at_risk"


def test_what_past_phases_took_decides_where_nobody_said_anything(world: Clocked) -> None:
    for number in range(12):
        world.workflow(f"past_{number:03d}", 600 + 10 * number)
    world.workflow("a_001")
    world.hub("start", "a_001")
    since = world.now - BEGIN

    far, near = beta(since + 86_400, "a_001"), beta(since + 60, "a_001")

    assert only(track(world, far))["status"] == "ahead_of_schedule"
    assert only(track(world, near))["status"] == "at_risk"


@pytest.mark.parametrize(
    ("milestone", "field"),
    [
        ({"target": "2099-01-01", "workflows": ["a_001"]}, "[0].name"),
        ({"name": "x", "workflows": ["a_001"]}, "[0].target"),
        ({"name": "x", "target": "2099-01-01", "workflows": []}, "[0].workflows"),
        ({"name": "x", "target": "someday", "workflows": ["a_001"]}, "[0].target"),
        ({"name": "x", "target": 5, "workflows": ["a_001"]}, "[0].target"),
        ({"name": "x", "target": "2099-01-01", "workflows": ["../a"]}, "[0].workflows[0]"),
        ({"name": "x", "target": "2099-01-01", "workflows": ["a_001"], "risk": 1}, "[0].risk"),
    ],
)
def test_what_is_no_milestone_is_refused_by_its_field(world: Clocked, milestone: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        track(world, milestone)
    assert refused.value.field == field
    assert not Path(world.app.state).exists()
