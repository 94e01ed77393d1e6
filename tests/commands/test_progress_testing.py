"""/progress-aggregator test-integration: what it runs, what it measures, and what each key switches."""

from pathlib import Path
from typing import Any

import pytest

from stretto.commands.reply import Reply
from stretto.state.errors import BadInput
from tests.commands.clocked import Clocked


def integration(tmp_path: Path, **body: Any) -> Reply:
    return Clocked(tmp_path).run("progress-aggregator", "test-integration", **body)


@pytest.mark.slow
def test_several_workflows_run_are_watched_and_forecast(tmp_path: Path) -> None:
    reply = integration(tmp_path, multi_workflow=True, real_time_updates=True, prediction_accuracy=True)
    ran, updates, told = (reply.result[name] for name in ("workflows", "updates", "predictions"))

    assert (reply.exit_code, reply.result["passed"], reply.result["test"]) == (0, True, True)
    assert ran["workflows"] == ran["completed"] == 20
    assert (ran["most_at_once"] > 1, ran["overall_progress"], ran["state_equals_replay"]) == (True, 1.0, True)
    assert set(updates) == {"one by one", "high_contention"}
    for lag in updates.values():
        assert lag["n"] == lag["written"] >= 60
        assert 0 < lag["p50_ms"] <= lag["p99_ms"] <= lag["longest_ms"]
        assert lag["views_equal"]
    assert told["phases"]["n"] >= 20
    assert 0 <= told["phases"]["coverage"] <= 1
    assert told["starts"]["n"] >= 5
    assert [line.split("  ")[0] for line in reply.text.splitlines()] == [
        *("workflows", "updates, one by one", "updates, high_contention", "phases forecast", "starts estimated"),
    ]


def test_each_key_switches_its_part(tmp_path: Path) -> None:
    alone = integration(tmp_path, multi_workflow=False, real_time_updates=False, prediction_accuracy=True)
    watched = integration(tmp_path, multi_workflow=False, prediction_accuracy=False)

    assert alone.result["workflows"]["workflows"] == alone.result["workflows"]["most_at_once"] == 1
    assert "updates" not in alone.result
    assert alone.result["predictions"]["starts"]["median_error"] is None, "one workflow is too little"
    assert "predictions" not in watched.result
    assert watched.result["updates"]["one by one"]["views_equal"]


def test_nothing_of_the_project_is_touched(tmp_path: Path) -> None:
    reply = integration(tmp_path, multi_workflow=False, real_time_updates=False)

    assert reply.events == ()
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(("body", "field"), [({"multi_workflow": 3}, "multi_workflow"), ({"lag": True}, "lag")])
def test_what_makes_no_sense_is_refused(tmp_path: Path, body: Any, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        integration(tmp_path, **body)

    assert caught.value.details["field"] == field
