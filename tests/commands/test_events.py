import signal
import time

import pytest

from stretto.state.log import Log
from stretto.state.wire import parse_event
from tests.commands.door import Project
from tests.commands.test_verbs import SECONDS


def seen(project: Project, *args: str) -> list[str]:
    ran = project.run("events", *args)
    assert (ran.code, ran.err) == (0, "")
    return [parse_event(line).type for line in ran.out.splitlines()]


@pytest.fixture
def failed(project: Project) -> Project:
    """One workflow that ended well, and one whose research failed twice."""
    project.work("report", "Sessions")
    project.agent({"researcher": {"outcome": {"status": "failed", "error": "closed"}}})
    project.work("report", "Tokens", "--attempts=2")
    return project


def test_patterns_classes_and_severity_choose_events(failed: Project) -> None:
    every = failed.events()

    assert seen(failed, "--pattern", "*.failed") == [e.type for e in every if e.type.endswith("_FAILED")]
    assert seen(failed, "--pattern=task.*,RESEARCH_*", "--pattern", "phase.started") == [
        e.type for e in every if e.type.startswith(("TASK_", "RESEARCH_")) or e.type == "PHASE_STARTED"
    ]
    assert seen(failed, "--class", "error") == [e.type for e in every if e.type.endswith("_FAILED")]
    assert seen(failed, "--severity=error") == [e.type for e in every if e.severity == "error"]
    assert seen(failed, "--severity", "warning", "--class=state_change", "--pattern=TASK_*") == [
        e.type for e in every if e.severity in ("warning", "error") and e.type.startswith("TASK_")
    ]
    assert seen(failed, "sessions_001", "--class", "error") == []
    assert seen(failed, "--pattern", "workflow.tokens_001.started") == ["WORKFLOW_STARTED"]
    assert len(seen(failed, "--pattern=*")) == len(every)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--pattern", "a b"), "'a b' is not a pattern"),
        (("--pattern", "task.*,"), "'' is not a pattern"),
        (("--class", "errors"), "checkpoint"),
        (("--class", "error,state"), "'state'"),
        (("--severity", "fatal"), "critical"),
        (("--severity", "warning", "nobody"), "no workflow 'nobody'"),
        (("--pattern",), "Usage"),
    ],
)
def test_what_cannot_be_meant_is_refused_even_without_a_store(
    project: Project, args: tuple[str, ...], told: str
) -> None:
    ran = project.run("events", *args)

    assert ran.code == 2
    assert ran.out == ""
    assert told in ran.err


@pytest.mark.slow
def test_following_prints_what_is_wanted_as_soon_as_it_is_written(project: Project) -> None:
    with Log.open(project.store) as log:
        reader = project.start("events", "--follow", "--class=error")
        assert reader.stdout
        try:
            waited: list[float] = []
            for i in range(10):
                with log.write() as tx:
                    tx.event("TASK_STARTED", "shop_001", "plan", {"i": i})
                    tx.event("TASK_FAILED", "shop_001", "plan", {"i": i})
                began = time.monotonic()
                assert parse_event(reader.stdout.readline()).data == {"i": i}
                waited.append(time.monotonic() - began)
                time.sleep(0.02)
            reader.send_signal(signal.SIGINT)
            rest, err = reader.communicate(timeout=SECONDS)
        finally:
            reader.kill()
            reader.wait()

    assert (rest, err, reader.returncode) == ("", "", 0)
    assert sorted(waited)[5] < 0.2  # a look every half a second would take longer
    assert list((project.store / "wake").iterdir()) == []


def test_what_our_own_commands_write_is_known_and_says_all_that_is_required(failed: Project) -> None:
    failed.agent({})
    failed.work("orchestrate", "Add multiplication", "--gate=plan", "--workflow-id=w")
    failed.run("cancel", "w")
    failed.run("undo", "sessions_001")

    assert [(e.type, e.missing) for e in failed.events() if e.missing or not e.known] == []
    assert {"WORKFLOW_PAUSED", "WORKFLOW_CANCELLED", "WORKFLOW_FAILED", "TASK_FAILED"} <= set(failed.types())
