"""Work orders that somebody interferes with: another runner, a person who cancels, takes back, stops, decides."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.commands.door import CALC, Project
from tests.commands.host import ADD, Host, W, names, orders_of, task, wrote

T1, T2, T3 = (f"{W}/implementation/{name}#1" for name in ("T1", "T2", "T3"))
SECONDS = 60


@pytest.fixture
def host(project: Project, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(project, monkeypatch)
    project.agent(wrote("T1", "T2", "T3"))
    return host


def wait_for(there: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not there():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


@pytest.mark.parametrize("how", ["cancel", "undo"])
def test_ending_a_workflow_voids_its_orders_and_removes_their_workspaces(host: Host, how: str) -> None:
    host.implement(task("T1"), task("T2"))
    before = host.project.git("rev-parse", "main")
    brief = host.brief(T1).json["result"]
    said = host.work(brief)

    assert host.project.run(how, W).code == 0

    assert (host.standing(), host.workspaces(), host.worktrees()) == ({}, [], [])
    assert (host.order(T1).state, host.order(T2).state) == ("void", "void")
    rows = host.rows()
    refused = [
        host.report(T1, said),
        host.project.run("brief", T2, "--json"),
        host.project.run("steer", T1, "stop", "--json"),
    ]
    assert [(r.code, "is void" in r.json["error"]["message"]) for r in refused] == [(2, True)] * 3
    assert host.project.run("check", T1).code == 2
    assert host.go_on().code == 2
    assert host.rows() == rows
    assert host.project.git("rev-parse", "main") == before
    assert host.project.git("status", "--porcelain") == ""


@pytest.mark.slow
def test_another_runner_takes_over_what_was_handed_out(host: Host) -> None:
    host.implement(task("T1"), task("T2"), task("T3", after="T1"))
    brief = host.brief(T1).json["result"]
    half = Path(brief["cwd"], "half.py")
    half.write_text("half", "utf-8")
    host.carry_out(T2)

    ran = host.go_on("--runner", host.project.runner)

    assert (ran.code, ran.json["result"]["status"]) == (0, "completed")
    assert not half.exists()
    assert not (host.project.root / "half.py").exists()
    assert {host.order(o).state for o in (T1, T2)} == {"void"}
    assert host.report(T1, {"status": "completed", "summary": "late"}).code == 2
    assert sorted(b["idempotency_key"] for b in host.project.briefs()) == sorted([T1, T2, T2, T3])
    assert {a.key for a in host.attempts() if a.task_id.startswith("implementation/")} == {T1, T2, T3}
    assert (host.workspaces(), host.worktrees()) == ([], [])


@pytest.mark.slow
def test_after_another_runner_has_stopped_orders_are_handed_out_again(host: Host) -> None:
    """A cut-off attempt of another runner keeps its key when it becomes an order."""
    go = host.project.root.with_name("go")
    begun = host.project.root.with_name("begun")
    host.project.agent({**wrote("T1", "T2"), "T2": {"touch": str(begun), "until": str(go)}})
    host.implement(task("T1"), task("T2"))
    host.brief(T2)
    driver = host.project.start("orchestrate", "--resume", W, "--runner", host.project.runner)
    try:
        wait_for(begun.exists, "the agent to begin")
        driver.kill()
    finally:
        driver.kill()
        driver.communicate()
        go.touch()
    host.project.agent(wrote("T1", "T2"))

    ran = host.go_on()

    assert set(names(orders_of(ran, "open"))) >= {"T2#1"}
    assert host.finish(ran).code == 0
    assert {a.key for a in host.attempts() if a.task_id.startswith("implementation/")} == {T1, T2}


@dataclass
class Waiting:
    """A check that begins, and waits until it may go on."""

    begun: Path
    go: Path

    @property
    def command(self) -> str:
        begin = f"import pathlib,time;pathlib.Path({str(self.begun)!r}).touch()"
        wait = f"[time.sleep(0.05) for _ in range(600) if not pathlib.Path({str(self.go)!r}).exists()]"
        return f'python -c "{begin};{wait}"'


@pytest.fixture
def waiting(project: Project) -> Waiting:
    return Waiting(project.root.with_name("begun"), project.root.with_name("go"))


def interrupted(host: Host, waiting: Waiting, *signals: int) -> int:
    """Go on until the check waits, and send these signals; the driver's exit code."""
    driver = host.project.start("orchestrate", "--resume", W, "--json")
    try:
        wait_for(waiting.begun.exists, "the check to begin")
        for number in signals:
            driver.send_signal(number)
            time.sleep(0.3)
        if len(signals) == 1:
            waiting.go.touch()
        driver.communicate(timeout=SECONDS)
    finally:
        waiting.go.touch()
        driver.kill()
        driver.wait()
    return driver.returncode


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_driver_that_is_told_to_stop_leaves_standing_orders_their_workspaces(
    host: Host, waiting: Waiting, number: int
) -> None:
    """T2 is being proven when the order to stop comes."""
    host.implement(task("T1"), task("T2", check=waiting.command), task("T3", after="T2"))
    half = Path(host.brief(T1).json["result"]["cwd"], "half.py")
    half.write_text("half", "utf-8")
    host.carry_out(T2)

    assert interrupted(host, waiting, number) == 3

    assert half.read_text("utf-8") == "half"
    assert host.standing()[T1] == "taken"
    assert names(orders_of(host.go_on(), "taken")) == ["T1#1"]
    assert half.exists()


@pytest.mark.slow
def test_a_driver_that_is_ended_while_it_judges_a_report_leaves_it_to_the_next(host: Host, waiting: Waiting) -> None:
    host.implement(task("T1", check=waiting.command), flags=("--attempts=1", "--debug-rounds=0"))
    host.carry_out(T1)

    assert interrupted(host, waiting, signal.SIGINT, signal.SIGINT) == 3

    assert host.standing() == {T1: "reported"}
    ran = host.go_on()
    assert ran.code == 0, ran.out
    assert "TASK_FAILED" not in host.project.types(W)
    assert (host.project.root / "src/calc/t1.py").is_file()
    assert (host.workspaces(), host.worktrees()) == ([], [])


@pytest.mark.slow
def test_a_plan_waits_at_its_gate_and_goes_on_with_orders_after_the_answer(host: Host) -> None:
    waits = host.until(lambda ran: ran.json["result"]["gate"] == "plan", host.start(*ADD, "--gate=plan"))
    assert (waits.code, orders_of(waits), host.standing()) == (3, [], {})

    sent_back = host.go_on("--reject", "Name it after what it does")

    assert names(orders_of(sent_back, "open")) == ["plan~2#1"]
    brief = host.carry_out(orders_of(sent_back)[0])
    assert "Name it after what it does" in brief["prompt"]
    again = host.go_on()
    assert again.json["result"]["gate"] == "plan"
    approved = host.go_on("--approve")
    assert names(orders_of(approved, "open")) == ["T1#1", "T2#1"]
    over = host.go_on("--approve")
    assert (over.code, over.json["error"]["code"]) == (2, "INVALID_TRANSITION")
    assert host.standing().keys() == {T1, T2}


@pytest.mark.slow
def test_a_folder_without_git_is_worked_on_by_orders_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path / "plain")
    project.root.mkdir()
    project.write(CALC)
    monkeypatch.chdir(project.root)
    host = Host(project, monkeypatch)
    host.at("implementation")
    brief = host.brief(T1).json["result"]
    monkeypatch.chdir(brief["cwd"])
    assert host.project.run("steer", T1, "be quick").code == 0
    assert host.project.run("check", T1).code == 0
    assert host.report(T1, host.work(brief)).code == 0
    monkeypatch.chdir(project.root)

    ran = host.finish(host.go_on())

    assert ran.code == 0, ran.out
    assert (project.root / "src/calc/mul.py").is_file()
    assert (project.root / "tests/test_ops.py").is_file()
    assert not (project.root / ".git").exists()
    assert (host.standing(), host.workspaces()) == ({}, [])


@pytest.mark.slow
def test_a_project_in_a_folder_of_its_repository_is_worked_on_by_orders_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = Project(tmp_path / "mono")
    top.root.mkdir()
    top.git("init", "-q", "-b", "main")
    top.git("config", "user.name", "Ada")
    top.git("config", "user.email", "ada@example.org")
    top.commit({**{f"libs/calc/{path}": text for path, text in CALC.items()}, "other/keep.txt": "kept\n"}, "Begin")
    monkeypatch.chdir(top.root / "libs/calc")
    host = Host(top, monkeypatch)
    host.at("implementation")
    brief = host.brief(T1).json["result"]
    assert brief["cwd"].endswith("/libs/calc")
    monkeypatch.chdir(brief["cwd"])
    assert host.project.run("check", T1).code == 0
    assert host.report(T1, host.work(brief)).code == 0
    monkeypatch.chdir(top.root)  # from elsewhere in the repository

    ran = host.finish(host.go_on())

    assert ran.code == 0, ran.out
    assert (top.root / "libs/calc/src/calc/mul.py").is_file()
    assert not (top.root / "src").exists()
    assert top.git("status", "--porcelain") == ""
