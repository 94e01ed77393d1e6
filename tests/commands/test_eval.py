"""`stretto eval` through its door: what is run, graded, kept and told, and what is refused."""

import json
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stretto.commands.eval_report import lines_of, report_of
from stretto.commands.eval_running import Runs
from stretto.graph.suite import load_suite
from tests.commands.door import Project, Ran

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "examples" / "evals" / "small"
AUTHORED = ROOT / "examples" / "evals" / "authored"
TASK = """
description = "Fix the constant: it must be {value}"
kind = "bug fix"
tokens = {tokens}

[project]
"constant.py" = "VALUE = 0\\n"
"tests/test_constant.py" = "def test_there_is_one():\\n    import constant\\n\\n    assert constant.VALUE >= 0\\n"

[hidden]
"tests/test_hidden.py" = "def test_value():\\n    import constant\\n\\n    assert constant.VALUE == {value}\\n"

[solution]
"constant.py" = "VALUE = {value}\\n"
"""
AGENT = """
import json, subprocess, sys, time
from pathlib import Path

brief = json.load(sys.stdin)
cwd, folder = Path(brief["cwd"]), Path(__file__).parent
seen = [str(p) for p in cwd.rglob("*") if "hidden" in p.name]
seen += subprocess.run(["git", "log", "--all", "--name-only"], cwd=cwd, capture_output=True, text=True).stdout.split()
with (folder / "briefs").open("a") as file:
    file.write(json.dumps({"workflow": brief["workflow_id"], "role": brief["role"], "seen": seen}) + "\\n")
wanted = (folder / "mistakes").read_text().split()
data = {}
if brief["role"] == "researcher":
    data = {"title": "What there is", "report": "# One constant\\n"}
elif brief["role"] == "planner":
    task = {"id": "T1", "title": brief["title"], "description": brief["prompt"], "writes": ["constant.py"]}
    data = {"title": "It", "phases": [{"name": "It", "objective": "it", "complexity": "Low", "tasks": [task]}]}
elif brief["role"] == "implementer" and brief["workflow_id"] not in wanted:
    value = brief["prompt"].partition("must be ")[2].split()[0]
    (cwd / "constant.py").write_text(f"VALUE = {value}\\n")
usage = {"input_tokens": 100, "output_tokens": 10, "cost_usd": 0.01}
print(json.dumps({"status": "completed", "summary": "done", "data": data, "usage": usage}))
"""


def answered(words: list[str]) -> Ran:
    return Project(ROOT).run(*words)


class Evals:
    """A suite of little tasks, and an agent without a model that does them, but for its mistakes."""

    def __init__(self, folder: Path, count: int = 2) -> None:
        self.folder = folder
        self.suite = folder / "suite"
        self.suite.mkdir()
        (self.suite / "suite.toml").write_text('name = "constants"\n')
        for number in range(1, count + 1):
            self.task(number)
        (folder / "agent.py").write_text(AGENT)
        self.mistakes()
        self.runner = f"command:{shlex.join([sys.executable, str(folder / 'agent.py')])}"

    def task(self, number: int, tokens: int = 10_000) -> None:
        (self.suite / f"constant_{number}.toml").write_text(TASK.format(value=number, tokens=tokens))

    def mistakes(self, *workflows: str) -> None:
        (self.folder / "mistakes").write_text(" ".join(workflows))

    def words(self, *more: str) -> list[str]:
        return ["eval", "suite", "--runner", self.runner, "--project", str(self.folder), *more]

    def run(self, *more: str) -> Ran:
        return answered(self.words(*more))

    def briefs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "briefs").read_text().splitlines()]

    def book(self) -> list[str]:
        return (self.folder / "eval-constants.jsonl").read_text("utf-8").splitlines()


@pytest.fixture
def evals(tmp_path: Path) -> Evals:
    return Evals(tmp_path)


def test_each_task_is_done_by_the_whole_graph_and_by_one_agent_alone(evals: Evals) -> None:
    evals.mistakes("constant_2_solo")

    ran = evals.run("--against", "solo", "--json")

    result = json.loads(ran.out)["result"]
    assert ran.code == 0
    assert [(r["task"], r["mode"], r["success"]) for r in result["runs"]] == [
        ("constant_1", "orchestrated", True),
        ("constant_1", "solo", True),
        ("constant_2", "orchestrated", True),
        ("constant_2", "solo", False),
    ]
    assert result["runs"][3]["tests_failed"] == 1
    assert result["runs"][1]["input_tokens"] == 100
    assert result["runs"][0]["input_tokens"] > 300
    assert result["compared"]["pairs"] == {"both": 1, "first": 1, "second": 0, "neither": 0}
    assert result["compared"]["verdict"].startswith("too few to tell: orchestrated succeeded more often than solo")
    roles = [b["role"] for b in evals.briefs() if b["workflow"] == "constant_1_solo"]
    assert roles == ["implementer"]
    assert len({b["role"] for b in evals.briefs() if b["workflow"] == "constant_1_orchestrated"}) >= 4
    assert not any("hidden" in name for brief in evals.briefs() for name in brief["seen"])


def test_what_is_in_the_book_is_not_run_again(evals: Evals) -> None:
    evals.run("--tasks", "constant_1")
    first = evals.book()
    with (evals.folder / "eval-constants.jsonl").open("a") as file:
        file.write('{"task": "constant_2", "mo')  # killed while it wrote

    ran = evals.run()

    assert evals.book()[:2] == first
    assert [json.loads(line).get("task") for line in evals.book()[1:]] == ["constant_1", "constant_2"]
    assert "2 of 2 runs, 1 of them from before" in ran.out
    again = len(evals.briefs())
    assert "2 of them from before" in evals.run().out
    assert len(evals.briefs()) == again


@pytest.mark.slow
def test_a_killed_evaluation_goes_on(tmp_path: Path) -> None:
    evals = Evals(tmp_path, count=4)
    driver = subprocess.Popen(
        [sys.executable, "-m", "stretto.commands", *evals.words()],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    book = tmp_path / "eval-constants.jsonl"
    deadline = time.monotonic() + 90
    while not (book.exists() and len(book.read_text().splitlines()) >= 2):
        assert time.monotonic() < deadline
        assert driver.poll() is None
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    kept = evals.book()[1]

    ran = evals.run("--json")

    result = json.loads(ran.out)["result"]
    assert [r["task"] for r in result["runs"]] == [f"constant_{n}" for n in range(1, 5)]
    assert result["kept"] >= 1
    assert evals.book()[1] == kept


def test_a_book_of_another_suite_or_runner_is_left_alone(evals: Evals) -> None:
    evals.run("--tasks", "constant_1")
    before = evals.book()
    evals.task(2, tokens=5)
    other_suite = evals.run()
    evals.task(2)
    other_runner = answered(["eval", "suite", "--runner", "command:true", "--project", str(evals.folder)])
    (evals.folder / "notes.txt").write_text("mine\n")

    assert other_suite.code == other_runner.code == 2
    assert "another state of the suite" in other_suite.err
    assert "another runner" in other_runner.err
    assert evals.book() == before
    assert evals.run("--out", "notes.txt").code == 2
    assert (evals.folder / "notes.txt").read_text() == "mine\n"


def test_more_tokens_than_the_budget_are_no_success(evals: Evals) -> None:
    evals.task(1, tokens=50)

    (run,) = json.loads(evals.run("--tasks", "constant_1", "--against", "solo", "--json").out)["result"]["runs"][1:]

    assert not run["success"]
    assert run["tests_failed"] == 0
    assert "it took 110 tokens, and the budget is 50" in run["why"]


def test_a_runner_that_cannot_work_is_not_counted(evals: Evals, tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    said = {"task": "Fix the constant: it must be 1", "lanes": {"nowhere/at-all#1": [{"say": "?"}]}}
    script.write_text(json.dumps(said))
    words = ["eval", "suite", "--tasks", "constant_1", "--runner", f"model:script/{script}", "--project", str(tmp_path)]

    ran = answered([*words, "--json"])
    text = answered(words).out

    run = json.loads(ran.out)["error"]["details"]["runs"][0]
    assert ran.code == 1
    assert "has no lane" in run["broken"]
    assert "0 of 0 succeeded" in text
    assert "1 runs are not counted: their runner could not work" in text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--tasks", "nothing"], "no task 'nothing'"),
        (["--against", "team"], "nothing called 'team'"),
        (["--repeat", "0"], "--repeat is from 1 to 100"),
        (["--record", "one.jsonl"], "put {task} and {mode} in the path"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(evals: Evals, words: list[str], why: str) -> None:
    ran = evals.run(*words)

    assert ran.code == 2
    assert why in ran.err
    assert not (evals.folder / "eval-constants.jsonl").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["suite"], "Who is evaluated?"),
        (["nowhere", "--runner", "claude"], "is no suite"),
        (["suite", "--runner", "miracle"], "'miracle' is not a runner"),
        (["suite", "--runner", "host"], "waits for somebody outside"),
        (["suite", "--runner", "replay:nowhere.jsonl"], "cannot be read"),
        ([], "arguments are required: suite"),
    ],
)
def test_without_a_suite_or_a_runner_nothing_is_written(evals: Evals, words: list[str], why: str) -> None:
    ran = answered(["eval", *words, "--project", str(evals.folder)])

    assert ran.code == 2
    assert why in ran.err
    assert not list(evals.folder.glob("*.jsonl"))


# ── the report ───────────────────────────────────────────────────────────────────────────────────────────────────────


def some(mode: str, good: int, total: int, *, tokens: int | None = 100, repeat: int = 1) -> list[Runs]:
    names = list(load_suite(SMALL).tasks)[:total]
    return [
        Runs(name, mode, repeat, n < good, "completed", "", 1, 0, 1, tokens, 0, None, 2.0)
        for n, name in enumerate(names)
    ]


def told(runs: list[Runs]) -> str:
    return "\n".join(lines_of(report_of(load_suite(SMALL), runs)))


def test_a_loss_is_printed_as_a_loss() -> None:
    text = told(some("orchestrated", 5, 20, tokens=400) + some("solo", 18, 20))

    assert "orchestrated succeeded less often: 0 of 20 tasks only orchestrated, 13 only solo" in text
    assert "tokens        4.00 times solo's [4.00, 4.00]: a loss, orchestrated takes more tokens" in text
    assert "difference    -65 points" in text


def test_a_gain_is_said_as_plainly() -> None:
    assert "orchestrated succeeded more often: 13 of 20" in told(some("orchestrated", 18, 20) + some("solo", 5, 20))


def test_what_chance_explains_is_too_few_to_tell() -> None:
    text = told(some("orchestrated", 3, 5) + some("solo", 5, 5))

    assert "too few to tell: orchestrated succeeded less often than solo, and chance explains it" in text


def test_what_nobody_counted_is_unknown() -> None:
    runs = some("solo", 5, 5)
    runs[0] = runs[0]._replace(input_tokens=None)

    text = told(runs)

    assert "tokens   unknown (4 of 5 runs told it)" in text
    assert "cost     unknown (0 of 5 runs told it)" in text
    assert "$0" not in text


def test_repeats_of_a_task_are_no_new_tasks() -> None:
    once = report_of(load_suite(SMALL), some("solo", 5, 10)).modes[0].success
    often = [run for repeat in range(1, 9) for run in some("solo", 5, 10, repeat=repeat)]
    eight = report_of(load_suite(SMALL), often).modes[0].success

    assert once
    assert eight
    assert eight.value == once.value
    assert eight.high - eight.low > 0.8 * (once.high - once.low)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_report_in_the_documents_is_what_the_recordings_print(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "evaluation.md").read_text("utf-8")
    report = page.partition("```text\n")[2].partition("```")[0]
    tasks = ",".join(dict.fromkeys(sorted(p.name.partition(".")[0] for p in AUTHORED.glob("*.jsonl"))))
    runner = f"replay:{AUTHORED}/{{task}}.{{mode}}.jsonl"
    words = ["eval", str(SMALL), "--runner", runner, "--against", "solo", "--tasks", tasks, "--project", str(tmp_path)]

    ran = answered(words)

    assert ran.code == 0
    lines = [line for line in report.splitlines() if line and "second" not in line and "Each run" not in line]
    assert len(lines) > 12
    assert [line for line in lines if line not in ran.out.splitlines()] == []
