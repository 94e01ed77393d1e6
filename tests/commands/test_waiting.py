"""A provider's usage limit, through the door: told, paused until its end, and waited for where that is asked."""

from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from typing import Any

import pytest

from stretto.commands.app import App
from stretto.commands.handlers import HANDLERS
from stretto.commands.parse import parse_argv
from stretto.commands.reply import Reply
from stretto.state.log import Log
from tests.client.api import Api
from tests.client.reply import Failure, use
from tests.commands.door import Project

pytest.importorskip("langchain_anthropic")

W = "sessions_001"
RUNNER = "model:anthropic/claude-sonnet-5"
REPORT = {"status": "completed", "summary": "found", "data": {"title": "Sessions", "report": "# Found\n"}}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """It takes nothing for five hours."""
    with Api() as api:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "for-this-machine")
        api.on(lambda _: True, Failure(429, "rate_limit_error", "usage limit", {"retry-after": "18000"}), times=1)
        api.on(lambda _: True, use("finish", **REPORT))
        yield api


class Sleeper:
    """A clock that stands, and moves on while somebody sleeps."""

    def __init__(self, interrupted: bool = False) -> None:
        self.now = 1_800_000_000.0
        self.slept: list[float] = []
        self.interrupted = interrupted

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.interrupted:
            raise KeyboardInterrupt
        self.now += seconds


def run(project: Project, clock: Sleeper, *args: str, runner: str = RUNNER) -> Reply:
    app = App(folder=str(project.root), runner=runner, clock=lambda: clock.now, sleep=clock.sleep)
    handler: Any = import_module(f"stretto.commands.{HANDLERS[args[0]]}").handle
    reply: Reply = handler(parse_argv(list(args), project=str(project.root)), app)
    return reply


def test_it_pauses_tells_the_time_and_goes_on_after_it(project: Project, api: Api) -> None:
    clock = Sleeper()

    stopped = run(project, clock, "report", "Sessions", "--workflow-id", W)
    clock.now += 3600
    early = run(project, clock, "orchestrate", "--resume", W, runner="")
    asked = len(api.requests)
    clock.now += 15_000
    done = run(project, clock, "orchestrate", "--resume", W, runner="")

    assert (stopped.exit_code, early.exit_code, asked) == (3, 3, 1)
    assert "the provider takes nothing more until 2027-01-15T13:00:00.000Z" in stopped.text
    assert stopped.next_steps[0] == f"stretto orchestrate --resume {W} --wait   (goes on at 2027-01-15T13:00:00.000Z)"
    assert "until 2027-01-15T13:00:00.000Z" in early.text
    assert (done.exit_code, len(api.requests)) == (0, 2)
    assert clock.slept == []


@pytest.mark.parametrize("late", [False, True])
def test_with_wait_it_goes_on_by_itself_when_the_limit_is_over(project: Project, api: Api, late: bool) -> None:
    clock = Sleeper()
    begin = ("report", "Sessions", "--workflow-id", W)

    if late:
        assert run(project, clock, *begin).exit_code == 3
        done = run(project, clock, "orchestrate", "--resume", W, "--wait", runner="")
    else:
        done = run(project, clock, *begin, "--wait")

    assert done.exit_code == 0
    assert clock.slept == [18_000]
    with Log.open(project.store) as log:
        paused, *_ = [e for e in log.events(W) if e.type == "WORKFLOW_PAUSED"]
        (attempt,) = log.attempts(W)
    assert datetime.fromisoformat(paused.data["outage"]["retry_at"]).timestamp() == 1_800_018_000
    assert (attempt.attempt, attempt.starts) == (1, 2)


def test_ctrl_c_leaves_it_paused(project: Project, api: Api) -> None:
    reply = run(project, Sleeper(interrupted=True), "report", "Sessions", "--workflow-id", W, "--wait")

    assert reply.exit_code == 3
    with Log.open(project.store) as log:
        row = log.workflow(W)
    assert row is not None
    assert row.status == "PAUSED"


def test_a_recorded_run_cannot_wait(project: Project, api: Api) -> None:
    ran = project.run("report", "Sessions", "--runner", RUNNER, "--wait", "--record=a.jsonl", "--json")

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, "--wait")
    assert not project.store.exists()
