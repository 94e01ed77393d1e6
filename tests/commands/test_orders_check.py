"""`stretto check ORDER`: the checks of an order, run where its agent works, as they will be run to prove it."""

from pathlib import Path

import pytest

from tests.commands.door import Project
from tests.commands.host import Host, W, names, orders_of, task, wrote
from tests.snapshot import snapshot

T1 = f"{W}/implementation/T1#1"
CHECK = "python -c 'import calc.t1; print(calc.t1.T1)'"


@pytest.fixture
def host(project: Project, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(project, monkeypatch)
    project.agent(wrote("T1"))
    return host


def place(host: Host) -> Path:
    return Path(host.order(T1).work["brief"]["cwd"])


def test_checks_fail_until_the_work_is_done_and_then_pass(host: Host) -> None:
    host.implement(task("T1", check=CHECK))
    brief = host.brief(T1).json["result"]
    before = host.rows()

    early = host.project.run("check", T1, "--json")
    text = host.project.run("check", T1)
    host.work(brief)
    done = host.project.run("check", T1, "--json")

    assert (early.code, early.json["result"]["passed"]) == (1, False)
    assert "calc.t1" in text.out
    assert (done.code, done.json["result"]["passed"]) == (0, True)
    assert host.rows() == before


def test_an_order_without_checks_says_so(host: Host) -> None:
    host.implement(task("T1"))

    ran = host.project.run("check", T1, "--json")

    assert (ran.code, ran.json["result"]["passed"]) == (0, None)
    assert "names no checks" in host.project.run("check", T1).out


def test_checks_run_in_the_workspace_from_wherever_they_are_asked_for(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The store is found from the workspace itself, where an agent's commands run."""
    host.implement(task("T1", check=CHECK))
    host.work(host.brief(T1).json["result"])

    for cwd in (place(host), place(host) / "src" / "calc"):
        monkeypatch.chdir(cwd)
        assert host.project.run("check", T1).code == 0, cwd
        assert host.project.run("workflow-status", W).code == 0, cwd
        assert host.brief(T1).code == 0, cwd
    monkeypatch.chdir(tmp_path)
    assert host.project.run("check", T1).code == 2
    assert host.project.run("check", T1, "--project", str(host.project.root)).code == 0
    assert not (place(host) / ".stretto").exists()
    assert not (tmp_path / ".stretto").exists()


@pytest.mark.slow
def test_checks_leave_no_trace_that_would_count_as_work(host: Host) -> None:
    litter = """python -c 'open("junk.log", "w").write("x")'"""
    host.implement(task("T1", check=litter))
    host.work(host.brief(T1).json["result"])
    index = {p: f for p, f in snapshot(host.project.root / ".git").items() if p.endswith("index")}

    assert host.project.run("check", T1).code == 0

    assert {p: f for p, f in snapshot(host.project.root / ".git").items() if p.endswith("index")} == index
    assert host.report(T1, {"status": "completed", "summary": "done"}).code == 0
    assert host.finish(host.go_on()).code == 0


def test_checks_of_an_order_that_is_over_are_not_run(host: Host) -> None:
    ran = host.project.root.with_name("ran")
    touch = f"""python -c 'open("{ran}", "a").write("x")'"""
    host.implement(task("T1", check=touch))
    host.carry_out(T1)
    assert host.project.run("check", T1).code == 0
    host.project.run("cancel", W)
    ran.unlink()

    assert host.project.run("check", T1).code == 2
    assert host.project.run("check", f"{W}/implementation/T2#1").code == 2
    assert not ran.exists()


def test_what_a_check_finds_wrong_is_what_the_next_attempt_is_told(host: Host) -> None:
    host.implement(task("T1", check=CHECK))
    brief = host.brief(T1).json["result"]
    (place(host) / "src/calc/t1.py").write_text("T2 = 1\n", "utf-8")
    told = host.project.run("check", T1).out
    host.report(T1, {"status": "completed", "summary": "done"})

    assert names(orders_of(host.go_on(), "open")) == ["T1#2"]
    feedback = host.brief(f"{W}/implementation/T1#2").json["result"]["feedback"]
    assert "AttributeError" in told
    assert "AttributeError" in feedback
    assert brief["feedback"] == ""
