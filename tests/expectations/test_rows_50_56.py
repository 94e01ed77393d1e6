"""Row 45, what agents did before used again; rows 50 to 56, the tests of the whole, and the five sentences below."""

import builtins
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

import pytest

from stretto.commands.reply import Reply
from stretto.commands.scenario import Rules, run_example
from stretto.commands.scenario_document import parse_document
from stretto.graph.online import STRICT
from stretto.state.errors import BadInput
from stretto.state.wire import Event
from tests.expectations.scene import Scene, raw

TEST = "test_integration_001"
ASKED = "somebody was asked"
FAULTS = ("agent_failure", "resource_exhaustion", "network_partition")
EXAMPLES = ((1, 4), (5, 11), (12, 15), (16, 18), (19, 31), (32, 40), (41, 49))
ERROR = 'ERROR_ENCOUNTERED:microservices_migration_001:database_migration:{"error":"connection_timeout"}'


class Told(NamedTuple):
    """What the lines 50 to 56 replied on one scene."""

    scene: Scene
    replies: Mapping[int, Reply]

    def result(self, number: int) -> Any:
        return self.replies[number].result

    def events(self, number: int) -> list[Event]:
        return [e for e in self.scene.events() if e.event_id in self.replies[number].events]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The example, line by line; the faults once more if the machine was too busy to measure them fairly."""
    with pytest.MonkeyPatch.context() as patch:
        alone(patch)
        scene = Scene(tmp_path_factory.mktemp("integration") / "scene")
        replies = {number: scene.line(number) for number in range(50, 56)}
        if any(one["degradation"] > 0.2 for one in replies[55].result["scenarios"]):
            scene.wait(1)
            replies[55] = scene.line(55)
        return Told(scene, {**replies, 56: scene.line(56)})


class Nobody:
    """Standard input with nobody behind it."""

    def isatty(self) -> bool:
        return False

    def read(self, *_: object) -> NoReturn:
        raise AssertionError(ASKED)

    readline = __iter__ = read


def alone(patch: pytest.MonkeyPatch) -> None:
    """Whoever asks a person fails."""
    nobody = Nobody()
    patch.setattr(builtins, "input", nobody.read)
    patch.setattr("sys.stdin", nobody)


# ── row 45 ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def report(scene: Scene, name: str, topic: str = "How users come in") -> list[Event]:
    """A report by a scripted agent, left on its branch; its events."""
    assert scene.say(f'/report "{topic}" --workflow-id={name} --merge=never').exit_code == 0
    return scene.events(name)


def agents_asked(events: list[Event]) -> list[str]:
    """The tasks whose outcome nobody had kept."""
    served = {e.data["task_id"] for e in events if e.type == "TASK_REUSED"}
    return [e.data["task_id"] for e in events if e.type == "TASK_COMPLETED" and e.data["task_id"] not in served]


def test_row_45_the_second_run_of_an_identical_task_is_served_from_the_teams_folder(scene: Scene) -> None:
    reply = scene.line(45)
    first, second = report(scene, "one_001"), report(scene, "two_001")
    other = report(scene, "three_001", "How users go out")

    (told,) = [e for e in scene.events() if e.type == "SETTINGS_CHANGED" and e.event_id in reply.events]
    assert (told.data["name"], told.data["version"]) == ("caching", 1)
    assert {k: told.data["value"][k] for k in ("cache_level", "invalidation_strategy", "cache_sharing")} == {
        "cache_level": "workflow_patterns",
        "invalidation_strategy": "smart",
        "cache_sharing": "team_wide",
    }
    assert (agents_asked(first), agents_asked(second)) == (["research/topic"], [])
    done = next(e for e in second if e.type == "TASK_COMPLETED")
    assert done.data["results"]["usage"]["input_tokens"] == done.data["results"]["usage"]["output_tokens"] == 0
    assert agents_asked(other) == ["research/topic"], "what is asked is an input"
    assert len([*(scene.root / ".stretto" / "cache").glob("??/*.json")]) == 2, "where git can carry it"


def test_row_45_it_is_shown_by_status_and_turned_off_again(scene: Scene) -> None:
    scene.line(45)
    shown = scene.status("--detailed").result["settings"]["caching"]
    off = scene.hub("enable-caching", enabled=False)

    assert (shown["version"], shown["value"]["enabled"]) == (1, True)
    assert (off.result["version"], off.result["value"]["enabled"]) == (2, False)
    report(scene, "one_001")
    assert agents_asked(report(scene, "two_001")) == ["research/topic"]


# ── rows 50 and 51 ───────────────────────────────────────────────────────────────────────────────────────────────────


def through(scene: Scene, name: str) -> None:
    """Take a test workflow of two phases to its end."""
    scene.settle()
    scene.phases(name, ("coordination", 100.0), ("performance", 200.0))
    scene.hub(f"complete {name}")


def test_row_50_a_test_workflow_is_flagged_and_holds_nothing(scene: Scene) -> None:
    reply = scene.line(50)
    scene.settle()

    assert reply.result["test"] is True
    created = next(e for e in scene.events(TEST) if e.type == "WORKFLOW_CREATED")
    assert (created.data["test"], created.event_id in reply.events) == (True, True)
    assert created.data["phases"] == ["coordination", "performance", "error_handling"]
    assert sum(scene.held().values()) == 0, "no agent, no slot: nobody waits for a test"


def test_row_50_no_history_and_no_figure_counts_a_test(scene: Scene) -> None:
    for number in range(8):
        scene.hub(f"create-test-workflow test_{number:03d}", validation_criteria=["coordination", "performance"])
        through(scene, f"test_{number:03d}")

    assert scene.monitor("benchmark").result["n"] == 0
    assert scene.progress("system-overview").result["total"] == 0
    assert scene.progress("resource-prediction-accuracy").result["phases"]["n"] == 0
    forecast = scene.manager("forecast").result["forecast"]
    assert all(one["n"] == 0 for one in forecast.values())


def test_row_51_everything_is_tracked_and_failures_are_analysed_by_themselves(scene: Scene) -> None:
    scene.line(50)
    scene.settle()
    reply = scene.line(51)
    scene.hub(f"start {TEST}")
    scene.hub(f"fail-phase {TEST} coordination", reason="the agent died")

    assert (reply.result["value"]["detailed_tracking"], reply.result["value"]["failure_analysis"]) == (
        True,
        "automatic",
    )
    assert scene.types(TEST).count("METRICS_RECORDED") == 2, "at the beginning of the phase, and at its end"
    before = scene.last_seq()
    analysis = scene.recover(f"root-cause {TEST}").result
    noticed = [e for e in scene.events(TEST) if analysis["analysis_id"] in str(e.data)]
    assert [e.type for e in noticed if e.seq <= before] == ["WORKFLOW_STATE_UPDATED"], "before anybody asked"


# ── row 52 ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_row_52_the_whole_flow_runs_and_every_check_has_its_evidence(told: Told) -> None:
    result = told.result(52)

    assert (told.replies[52].exit_code, result["status"], result["validation"]) == (0, "completed", "comprehensive")
    said = {one["name"]: one for one in result["criteria"]}
    assert said["phases"]["evidence"] == "done: research, planning, implementation, testing, documentation"
    assert [*said] == ["phases", "tests", "documentation", "links", "state", "attempts", "resources"]
    assert all(one["holds"] and one["needed"] and one["evidence"] for one in said.values())
    assert result["simulated_seconds"] >= 3600, "agents take the time of their roles"


@pytest.mark.slow
def test_row_52_one_record_is_all_that_it_leaves(told: Told) -> None:
    (event,) = told.events(52)
    assert (event.type, event.workflow_id, event.data["metrics"]["passed"]) == ("METRICS_RECORDED", "system", True)
    with told.scene.log() as log:
        assert [row.id for row in log.workflows()] == [TEST]
    assert told.scene.files().keys() & {"docs", "specs"} == set()


# ── row 53 ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_row_53_three_scenarios_are_run_and_a_table_tells_of_each(told: Told) -> None:
    result, text = told.result(53), told.replies[53].text

    assert [*result["scenarios"]] == ["normal_load", "high_contention", "failure_recovery"]
    for name, one in result["scenarios"].items():
        accuracy, conflicts, times = (one[k] for k in ("allocation_accuracy", "conflict_resolution", "performance"))
        assert accuracy["granted"] == accuracy["requests"] == 60
        assert conflicts["left"] == 0
        assert times["decision_p50_ms"] > 0
        assert any(line.startswith(name) for line in text.splitlines())
    assert result["scenarios"]["high_contention"]["conflict_resolution"]["found"] > 0
    assert result["scenarios"]["failure_recovery"]["recovery"]["failed"] > 0


@pytest.mark.slow
def test_line_529_at_three_loads_nothing_is_given_twice_and_the_lowest_are_served(told: Told) -> None:
    longest = STRICT.ranks["low"].patience + 60 * 2400  # overdue, and behind every other run
    for one in told.result(53)["scenarios"].values():
        assert (one["over_allocated"], one["shared_files"]) == (0, 0)
        assert one["performance"]["longest_wait"]["low"] <= longest


# ── row 54 ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_row_54_workflows_run_the_lag_is_measured_and_forecasts_are_scored(told: Told) -> None:
    result = told.result(54)

    assert result["workflows"]["completed"] == result["workflows"]["workflows"] == 20
    assert result["updates"]["one by one"]["views_equal"]
    assert result["predictions"]["phases"]["n"] >= 20
    assert result["predictions"]["starts"]["median_error"] is not None
    assert "p50" in told.replies[54].text


@pytest.mark.slow
def test_line_532_the_lag_of_events_is_told_under_the_highest_load(told: Told) -> None:
    lag = told.result(54)["updates"]["high_contention"]

    assert lag["n"] == lag["written"] > 100, "every event arrived"
    assert 0 < lag["p50_ms"] <= lag["p99_ms"] < 20_000
    assert lag["views_equal"]


# ── rows 55 and 56 ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_row_55_three_faults_befall_real_processes(told: Told) -> None:
    found = {one["error_type"]: one for one in told.result(55)["scenarios"]}

    assert [*found] == [*FAULTS]
    assert "exit code -9" in found["agent_failure"]["evidence"]
    assert "queued at 1" in found["resource_exhaustion"]["evidence"]
    assert "no outcome within" in found["network_partition"]["evidence"]
    for one in found.values():
        assert one["recovered"]
        assert one["recovery_seconds"] > 0
        assert one["interval"][0] <= one["degradation"] <= one["interval"][1]
        assert one["pairs"] == 9


@pytest.mark.slow
def test_line_530_state_after_each_fault_is_that_of_a_replay(told: Told) -> None:
    for one in told.result(55)["scenarios"]:
        assert re.fullmatch("[0-9a-f]{64}", one["rows_hash"])
        assert one["rows_hash"] == one["replay_hash"]
        assert one["consistent"]


@pytest.mark.slow
def test_line_531_degradation_is_within_a_fifth_at_the_usual_load_and_told_at_a_higher(told: Told) -> None:
    for one in told.result(55)["scenarios"]:
        assert one["degradation"] <= 0.2 or one["machine_load"] > 0.7
        assert one["load"] < 0.8  # .64 where the machine has nothing else to do
        higher = one["higher"]
        assert higher is None or higher["load"] > one["load"]
    assert "at load" in told.replies[55].text


@pytest.mark.slow
def test_row_56_recovery_is_judged_by_number(told: Told) -> None:
    scene, result = told.scene, told.result(56)
    strict = scene.hub(f"validate-recovery {TEST}", recovery_time_limit="0.01s")

    assert told.replies[56].exit_code == 0
    assert result["passed"] is (None if result["not_measured"] else True)
    assert result["limits"] == {"recovery_seconds": 60.0, "data_consistency": "strict", "degradation": 0.2}
    assert {one["event_id"] for one in result["scenarios"]} == set(told.replies[55].events)
    assert (strict.exit_code, strict.result["passed"]) == (1, False)


def test_row_56_without_runs_there_is_nothing_to_judge(scene: Scene) -> None:
    scene.line(50)

    with pytest.raises(BadInput) as caught:
        scene.line(56)

    assert caught.value.details["field"] == "runs"


# ── the whole document ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize(("first", "last"), EXAMPLES)
def test_line_528_no_line_of_the_document_asks_a_person(  # those of this example run so in `told`
    first: int, last: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone(monkeypatch)
    lines = [raw(number) for number in range(first, last + 1)]
    if first == 32:
        lines.insert(1, ERROR)
    (example,) = parse_document("### Example\n```bash\n" + "\n".join(lines) + "\n```\n", "x")
    root = tmp_path / "example"
    root.mkdir()

    ran = run_example(example, root, Rules(), lambda _: None)

    assert len(ran.steps) == len(lines)
    assert not [done.why for done in ran.steps if ASKED in done.why]
    gates = [done.step.text for done in ran.steps if "waits for you" in done.why]
    assert all('--strategy="conservative"' in text for text in gates), "which asks for a gate, and keeps nobody waiting"
