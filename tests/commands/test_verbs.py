import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stretto.state.wire import parse_event
from tests.commands.door import Project

SECONDS = 60


def wait_for(there: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not there():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


@pytest.fixture
def held(project: Project) -> Iterator[tuple[Project, "subprocess.Popen[str]", Path]]:
    """A workflow that another process drives: two tasks in a row, the first at work until the file is made."""
    begun, go = project.root.with_name("begun"), project.root.with_name("go")
    project.agent({"topic": {"touch": str(begun), "until": str(go)}})
    context = {"phase": "research", "workflow_id": "sessions_001"}
    tasks = [
        {"command": "/report", "id": "topic", "topic": "Sessions"},
        {"command": "/report", "id": "later", "topic": "Tokens", "dependencies": ["topic"]},
    ]
    driver = project.start("subagents", json.dumps(context), json.dumps(tasks), "--runner", project.runner)
    try:
        wait_for(begun.exists, "the agent to begin")
        yield project, driver, go
    finally:
        go.touch()
        if driver.poll() is None:
            driver.kill()
        driver.communicate()


def test_events_are_the_wire_form_and_with_json_one_object_a_line(project: Project) -> None:
    project.work("report", "Sessions")
    project.work("report", "Tokens")

    lines = project.run("events", "sessions_001").out.splitlines()
    rows = [json.loads(line) for line in project.run("events", "sessions_001", "--json").out.splitlines()]

    assert [parse_event(line).type for line in lines] == [r["event_type"] for r in rows]
    assert {parse_event(line).workflow_id for line in lines} == {"sessions_001"}
    assert [r["seq"] for r in rows] == [e.seq for e in project.events("sessions_001")]
    everything = project.run("events").out.splitlines()
    assert len(everything) == len(project.events()) > len(lines)
    assert project.run("events", "--after", str(len(everything) - 2)).out.splitlines() == everything[-2:]


@pytest.mark.slow
def test_following_sees_what_another_process_writes_until_ctrl_c(project: Project) -> None:
    reader = project.start("events", "--follow", "--json")
    assert reader.stdout
    try:
        project.work("report", "Sessions")
        written = [e.event_id for e in project.events()]
        seen = [json.loads(reader.stdout.readline())["event_id"] for _ in written]
        reader.send_signal(signal.SIGINT)
        rest, err = reader.communicate(timeout=SECONDS)
    finally:
        reader.kill()
        reader.wait()

    assert (seen, rest, err, reader.returncode) == (written, "", "", 0)


def test_a_reader_that_leaves_early_is_no_crash(project: Project) -> None:
    project.work("report", "Sessions")

    reader = project.start("events")
    assert reader.stdout
    reader.stdout.close()
    assert reader.stderr
    said = reader.stderr.read()
    reader.stderr.close()

    assert (reader.wait(timeout=SECONDS), said) in [(0, ""), (1, "")]


def test_logs_tell_what_an_agent_said_and_how_each_attempt_ended(project: Project) -> None:
    evil = "looking \x1b[2J around\n"
    project.agent({"research/topic#1": {"stderr": evil, "exit": 3}, "research/topic#2": {"stderr": "found it\n"}})
    project.work("report", "Sessions")

    newest = project.run("logs", "sessions_001", "research/topic")
    first = project.run("logs", "sessions_001", "research/topic", "--attempt", "1")

    assert "research/topic, attempt 2 of 2: completed\n  found it\noutcome: researcher did it\n" in newest.out
    assert "--attempt 1" in newest.out
    assert "attempt 1 of 2: failed" in first.out
    assert "exit code 3" in first.out
    assert "\x1b" not in first.out
    as_json = project.run("logs", "sessions_001", "research/topic", "--attempt=1", "--json").json["result"]
    assert as_json["lines"][0]["text"] == "looking \x1b[2J around"
    for wrong, allowed in (("research/other", "research/topic"), ("research/topic --attempt=9", "1, 2")):
        ran = project.run("logs", "sessions_001", *wrong.split())
        assert (ran.code, allowed in ran.err) == (2, True)


@pytest.mark.slow
def test_cancelling_what_is_driven_ends_its_driver_and_keeps_the_branch(
    held: tuple[Project, "subprocess.Popen[str]", Path],
) -> None:
    project, driver, _ = held

    ran = project.run("cancel", "sessions_001", "--json")

    assert (ran.code, ran.json["result"]["status"]) == (0, "CANCELLED")
    assert project.types()[-1] == "WORKFLOW_CANCELLED"
    out, _ = driver.communicate(timeout=SECONDS)
    assert (driver.returncode, "sessions_001 was cancelled." in out) == (1, True)
    assert project.git("branch", "--list", "stretto/*").strip() == "stretto/sessions_001"
    assert project.git("worktree", "list").count("\n") == 0
    refused = project.run("orchestrate", "--resume=sessions_001")
    assert (refused.code, "was cancelled and cannot be resumed" in refused.err) == (2, True)
    assert project.run("cancel", "sessions_001").code == 2


@pytest.mark.slow
def test_cancelling_what_a_dead_driver_left_needs_no_driver(
    held: tuple[Project, "subprocess.Popen[str]", Path],
) -> None:
    project, driver, _ = held
    driver.kill()
    driver.wait()

    ran = project.run("cancel", "sessions_001")

    assert (ran.code, project.types()[-1]) == (0, "WORKFLOW_CANCELLED")
    assert project.git("worktree", "list").count("\n") == 0


def test_cancelling_what_waits_at_a_gate_answers_it_for_good(project: Project) -> None:
    project.work("report", "Sessions", "--gate=merge")

    assert project.run("cancel", "sessions_001").code == 0
    assert project.run("orchestrate", "--resume=sessions_001", "--approve").code == 2
    assert project.run("undo", "sessions_001").code == 0


@pytest.mark.slow
def test_what_is_driven_is_neither_taken_back_nor_driven_twice(
    held: tuple[Project, "subprocess.Popen[str]", Path],
) -> None:
    project, driver, go = held
    before = project.types()

    undo = project.run("undo", "sessions_001", "--json")
    resume = project.run("orchestrate", "--resume=sessions_001", "--json")

    assert [(r.code, r.json["error"]["code"]) for r in (undo, resume)] == [(1, "WORKFLOW_DRIVEN")] * 2
    assert project.types() == before
    go.touch()
    driver.communicate(timeout=SECONDS)
    assert driver.returncode == 0


@pytest.mark.slow
def test_ctrl_c_lets_what_runs_finish_and_leaves_a_resumable_workflow(
    held: tuple[Project, "subprocess.Popen[str]", Path],
) -> None:
    project, driver, go = held

    driver.send_signal(signal.SIGINT)
    time.sleep(0.3)
    go.touch()
    out, err = driver.communicate(timeout=SECONDS)

    assert driver.returncode == 3
    assert "Stopping: what runs may finish" in err
    assert "sessions_001 stopped at a safe point and can be resumed." in out
    assert "1 of 1 task begun" in out
    assert project.run("orchestrate", "--resume=sessions_001").code == 0
    assert [b["task_id"] for b in project.briefs()] == ["research/topic", "research/later"]


@pytest.mark.slow
def test_a_second_ctrl_c_cuts_what_runs_which_runs_again_under_the_same_key(
    held: tuple[Project, "subprocess.Popen[str]", Path],
) -> None:
    project, driver, go = held

    driver.send_signal(signal.SIGINT)
    time.sleep(0.3)
    driver.send_signal(signal.SIGINT)
    driver.communicate(timeout=SECONDS)
    assert driver.returncode == 3
    go.touch()

    assert project.run("orchestrate", "--resume=sessions_001").code == 0
    keys = [b["idempotency_key"] for b in project.briefs()]
    assert keys == ["sessions_001/research/topic#1"] * 2 + ["sessions_001/research/later#1"]
