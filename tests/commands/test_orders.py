"""Work orders one at a time: taking, reporting, judging, handing out again."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.commands.door import Project, copied
from tests.commands.host import ONCE, Host, W, names, orders_of, task, wrote

OTHER = "99999999-8888-7777-6666-555555555555"
T1, T2 = f"{W}/implementation/T1#1", f"{W}/implementation/T2#1"


@pytest.fixture
def host(project: Project, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(project, monkeypatch)
    project.agent(wrote("T1", "T2", "T3", "T4", "T5"))
    return host


@contextmanager
def living() -> Generator["subprocess.Popen[bytes]"]:
    """A process that orders can be leased to."""
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", "input()"], stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# Handing out


def test_a_dependant_is_handed_out_while_an_unrelated_order_is_still_at_work(host: Host) -> None:
    first = host.implement(task("T1"), task("T2"), task("T3", after="T1"))
    assert names(orders_of(first, "open")) == ["T1#1", "T2#1"]
    host.brief(T2)
    host.carry_out(T1)

    then = host.go_on()

    assert names(orders_of(then, "open")) == ["T3#1"]
    assert names(orders_of(then, "taken")) == ["T2#1"]


@pytest.mark.slow
def test_there_are_never_more_orders_than_agents_and_the_longest_tail_comes_first(host: Host) -> None:
    tasks = [task("T1"), task("T2"), task("T3"), task("T4", after="T3"), task("T5", after="T4")]
    ran = host.implement(*tasks, flags=("--max-agents=2",))

    assert names(orders_of(ran)) == ["T1#1", "T3#1"]
    host.carry_out(f"{W}/implementation/T3#1")
    assert names(orders_of(host.go_on())) == ["T1#1", "T4#1"]
    assert host.finish(host.go_on()).code == 0
    assert max(map(len, host.rounds)) == 2


def test_a_resume_with_nothing_reported_hands_out_the_same_orders_and_begins_nothing(host: Host) -> None:
    host.implement(task("T1"), task("T2"))
    host.brief(T1)

    again = host.go_on()

    assert {o["order"]: o["state"] for o in again.json["result"]["orders"]} == {T1: "taken", T2: "open"}
    types = host.project.types(W)
    assert (types.count("TASK_ASSIGNED"), types.count("TASK_STARTED"), types.count("TASK_REASSIGNED")) == (2, 1, 0)
    assert again.code == 3


def test_a_task_that_fails_leaves_its_siblings_at_work(host: Host) -> None:
    host.implement(task("T1"), task("T2"), task("T3", after="T1"), flags=ONCE)
    host.brief(T2)
    host.brief(T1)
    host.report(T1, {"status": "failed", "summary": "cannot be done"})

    ran = host.go_on()
    assert names(orders_of(ran)) == ["T2#1"]
    assert host.report(T2, {"status": "failed", "summary": "nor this"}).code == 0
    over = host.go_on()

    assert (over.code, over.json["result"]["status"]) == (1, "failed")
    assert "cannot be done" in over.json["result"]["why"]


# Taking


def test_an_order_is_taken_once_and_shown_again_to_who_has_it(host: Host) -> None:
    host.implement(task("T1"))
    first = host.brief(T1)
    before = host.rows()
    again = host.brief(T1)
    host.be(OTHER)
    other = host.project.run("brief", T1, "--json")

    assert first.json["result"] == again.json["result"]
    assert host.rows() == before
    assert (other.code, other.json["error"]["code"]) == (1, "ORDER_TAKEN")
    assert host.project.types(W).count("TASK_STARTED") == 1
    assert host.order(T1).taker is not None


@pytest.mark.parametrize(
    "wrong", ["", "T1", f"{W}/implementation/T1", f"{W}/../T1#1", f"../{W}/T1#1", f"{T1}1111", "x/y#0"]
)
def test_what_is_no_order_is_refused(host: Host, wrong: str) -> None:
    host.implement(task("T1"))
    before = host.rows()

    for verb in (("brief",), ("check",), ("report", "--failed=x"), ("steer", "hello")):
        ran = host.project.run(verb[0], wrong, *verb[1:], "--json")
        assert (ran.code, ran.json["status"]) == (2, "error"), verb
    assert host.rows() == before


@pytest.mark.slow
def test_an_order_whose_taker_was_killed_is_handed_out_anew_under_its_id(host: Host) -> None:
    host.implement(task("T1"))
    with living() as session:
        host.be(OTHER, session.pid)
        brief = host.brief(T1).json["result"]
        host.project.root.joinpath(brief["cwd"], "half.py").write_text("half", "utf-8")
        assert names(orders_of(host.go_on(), "taken")) == ["T1#1"]
    host.be("third", os.getpid())
    lost = host.project.run("brief", T1, "--json")
    assert (lost.code, lost.json["error"]["code"]) == (1, "ORDER_TAKEN")
    assert "--resume" in lost.json["error"]["next_steps"][0]

    ran = host.go_on()

    assert names(orders_of(ran, "open")) == ["T1#1"]
    assert host.project.types(W).count("TASK_REASSIGNED") == 1
    host.be(OTHER, 1)
    assert host.report(T1, host.work(brief)).code == 2
    host.be("third", os.getpid())
    again = host.brief(T1).json["result"]
    assert again["attempt"] == 1
    assert not host.project.root.joinpath(again["cwd"], "half.py").exists()
    host.be(OTHER, 1)
    before = host.rows()
    late = host.report(T1, {"status": "completed", "summary": "late"})
    assert (late.json["error"]["code"], host.rows() == before) == ("ORDER_TAKEN", True)
    host.be("third", os.getpid())
    assert host.report(T1, host.work(again)).code == 0
    assert host.finish(host.go_on()).code == 0


def test_a_session_whose_process_died_gets_its_order_anew_not_as_it_left_it(host: Host) -> None:
    host.implement(task("T1"))
    with living() as session:
        host.be(OTHER, session.pid)
        assert host.brief(T1).code == 0
        assert host.brief(T1).code == 0
    host.be(OTHER, os.getpid())

    assert host.project.run("brief", T1, "--json").json["error"]["code"] == "ORDER_TAKEN"
    assert names(orders_of(host.go_on(), "open")) == ["T1#1"]
    assert host.brief(T1).code == 0


def test_a_session_that_got_another_name_may_report_what_its_agents_did(host: Host) -> None:
    host.implement(task("T1"))
    host.be(OTHER, os.getpid())
    brief = host.brief(T1).json["result"]
    host.be("cleared", os.getpid())

    assert host.report(T1, host.work(brief)).code == 0


def test_an_order_that_nobody_reported_in_time_is_a_failed_attempt(host: Host) -> None:
    host.implement(task("T1"), flags=("--timeout=1s",))
    host.brief(T1)
    assert names(orders_of(host.go_on(), "taken")) == ["T1#1"]
    time.sleep(1.1)

    ran = host.go_on()

    assert names(orders_of(ran, "open")) == ["T1#2"]
    assert host.report(T1, {"status": "completed", "summary": "late"}).code == 2
    brief = host.brief(f"{W}/implementation/T1#2").json["result"]
    assert "no report within 1 s" in brief["feedback"]


def test_an_order_whose_taker_has_been_gone_for_long_has_not_failed(host: Host) -> None:
    host.implement(task("T1"), flags=("--timeout=1s", *ONCE))
    with living() as session:
        host.be(OTHER, session.pid)
        host.brief(T1)
    time.sleep(1.1)

    ran = host.go_on()

    assert names(orders_of(ran, "open")) == ["T1#1"]
    assert "TASK_FAILED" not in host.project.types(W)


@pytest.mark.slow
def test_what_a_killed_session_has_reported_counts(host: Host) -> None:
    host.implement(task("T1"))
    with living() as session:
        host.be(OTHER, session.pid)
        host.carry_out(T1)

    ran = host.go_on()

    assert (ran.code, host.project.types(W).count("TASK_REASSIGNED")) == (0, 0)


@pytest.mark.slow
def test_a_brief_says_how_to_get_to_a_workspace_with_a_blank_in_its_path(
    pristine: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = copied(pristine, tmp_path / "it's a $folder")
    monkeypatch.chdir(project.root)
    host = Host(project, monkeypatch)
    project.agent(wrote("T1"))
    host.implement(task("T1"))

    told = host.project.run("brief", T1).out

    (step,) = re.findall(r"`(cd .+) && `", told)
    shown = subprocess.run(["/bin/sh", "-c", f"{step} && pwd"], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == host.order(T1).work["brief"]["cwd"]
    assert host.report(T1, host.work(host.brief(T1).json["result"])).code == 0
    assert host.finish(host.go_on()).code == 0


# Reporting and judging


@pytest.mark.parametrize(
    "said",
    ["", "done!", "[]", "{}", '{"status": "great"}', '{"status": "completed"', '{"status": ' + "[" * 100_000],
)
def test_a_report_that_is_no_outcome_is_refused_where_its_author_can_still_mend_it(host: Host, said: str) -> None:
    host.implement(task("T1"))
    host.brief(T1)
    before = host.rows()

    ran = host.report(T1, said)

    assert (ran.code, ran.json["error"]["details"]["field"]) == (2, "status")
    assert host.rows() == before


def test_a_report_of_what_nobody_has_taken_or_what_is_over_changes_nothing(host: Host) -> None:
    host.implement(task("T1"), task("T2"), task("T3", after="T1"))
    said = {"status": "completed", "summary": "done"}
    before = host.rows()
    unknown = [
        host.report(order, said) for order in (f"{W}/implementation/T9#1", f"{W}/implementation/T1#2", "x_1/y/z#1")
    ]
    untaken = host.report(T1, said)
    assert host.rows() == before
    host.carry_out(T1)
    before = host.rows()
    twice = host.report(T1, {"status": "failed", "summary": "no"})
    assert host.rows() == before
    host.go_on()
    before = host.rows()
    closed = host.report(T1, said)
    assert host.rows() == before

    assert [r.code for r in (*unknown, untaken, twice, closed)] == [2] * 6
    assert {r.json["error"]["code"] for r in unknown} == {"NOT_FOUND"}
    assert "taken by nobody" in untaken.json["error"]["message"]
    assert "is reported" in twice.json["error"]["message"]
    assert "is closed" in closed.json["error"]["message"]


BAD: dict[str, tuple[str, Any, str]] = {
    "malformed": (task("T1"), {"outcome": {"data": "text"}}, "data"),
    "artifact": (task("T1"), {"outcome": {"artifacts": ["src/calc/absent.py"]}}, "src/calc/absent.py"),
    "undeclared": (task("T1"), {"files": {"src/calc/t1.py": "", "src/calc/other.py": "x"}}, "src/calc/other.py"),
    "check": (task("T1", check="python -c 'import calc.gone'"), {}, "calc.gone"),
    "partial": (task("T1"), {"outcome": {"status": "partial", "summary": "half of it"}}, "half of it"),
    "failed": (task("T1"), {"outcome": {"status": "failed", "summary": "no way"}}, "no way"),
    "nothing": (task("T1"), {"files": {}}, "src/calc/t1.py"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_not_proven_is_handed_out_again_with_the_reason_and_fails_at_the_limit(host: Host, kind: str) -> None:
    line, action, reason = BAD[kind]
    host.project.agent({"T1": {**wrote("T1")["T1"], **action}})
    host.implement(line, flags=("--attempts=2", "--debug-rounds=0"))
    first = host.carry_out(T1)

    again = host.go_on()

    assert names(orders_of(again, "open")) == ["T1#2"]
    second = host.carry_out(f"{W}/implementation/T1#2")
    assert (first["feedback"], second["attempt"]) == ("", 2)
    assert reason in second["feedback"]
    assert first["cwd"] != second["cwd"]
    over = host.go_on()
    assert (over.code, over.json["result"]["status"]) == (1, "failed")
    assert reason in over.json["result"]["why"]
    assert host.project.run("workflow-status", W).out.count("FAILED") >= 1
    assert (host.standing(), host.workspaces(), host.worktrees()) == ({}, [], [])
    assert host.project.subjects() == ["Begin", "Plan"]


def test_the_headline_of_a_workflow_whose_orders_failed_says_so(host: Host) -> None:
    host.implement(task("T1"), flags=ONCE)
    host.brief(T1)
    host.report(T1, {"status": "failed", "summary": "the\x1b[2J disk is gone"})

    ran = host.project.run("orchestrate", "--resume", W)

    headline = ran.out.splitlines()[0]
    assert headline.startswith(f"{W} FAILED: ")
    assert "disk is gone" in headline
    assert "\x1b" not in ran.out
    assert (
        host.project.run("orchestrate", "--resume", W, "--json").json["result"]["orders"][0]["order"].endswith("T1#2")
    )


def test_an_order_that_is_given_up_says_why(host: Host) -> None:
    host.implement(task("T1"))
    host.brief(T1)

    assert host.project.run("report", T1, "--failed", "it hit \udcff its limit").code == 0
    host.go_on()

    assert "its limit" in host.brief(f"{W}/implementation/T1#2").json["result"]["feedback"]


@pytest.mark.slow
def test_text_that_cannot_be_encoded_does_no_harm(host: Host) -> None:
    host.implement(task("T1"))
    brief = host.brief(T1).json["result"]
    host.work(brief)

    said = '{"status": "completed", "summary": "half a pair \\ud83d", "data": %s}'
    assert host.report(T1, said % '{"n": 1e999}').code == 2
    assert host.report(T1, said % "{}").code == 0
    assert host.finish(host.go_on()).code == 0


def test_a_workspace_that_somebody_removed_is_a_failed_attempt(host: Host) -> None:
    host.implement(task("T1"))
    brief = host.brief(T1).json["result"]
    shutil.rmtree(brief["cwd"])
    assert host.report(T1, {"status": "completed", "summary": "done"}).code == 0

    assert names(orders_of(host.go_on(), "open")) == ["T1#2"]
    assert "is gone" in host.brief(f"{W}/implementation/T1#2").json["result"]["feedback"]
