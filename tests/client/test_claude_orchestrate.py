"""One sentence to commits, headless: `stretto orchestrate --runner claude` with the real client, offline."""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.agents.gitproject import run_git, write_files
from tests.client.api import Api
from tests.client.claude import Claude
from tests.client.reply import Reply, use
from tests.client.request import Request

pytestmark = [pytest.mark.client, pytest.mark.slow]
PARTS = ("one", "two")
TEST = (
    "import unittest\nfrom calc.{0} import {0}\n\n\nclass T(unittest.TestCase):\n    def test(self):\n        {0}()\n"
)
FILES = {
    "calc/__init__.py": "",
    "tests/__init__.py": "",
    "README.md": "# calc\n",
    ".stretto/config.toml": 'test = "python3 -m unittest discover -s tests"\n',
    **{f"tests/test_{name}.py": TEST.format(name) for name in PARTS},
}


def finish(**data: Any) -> Reply:
    return use("StructuredOutput", status="completed", summary="done", **({"data": data} if data else {}))


def plan() -> Reply:
    tasks = [
        {"id": f"T{n}", "title": f"Write part {name}", "writes": [f"calc/{name}.py"], "checks": [check(name)]}
        for n, name in enumerate(PARTS, start=1)
    ]
    phase = {"name": "Parts", "objective": "both", "complexity": "Low", "tasks": tasks}
    return finish(title="Two parts", overview="Side by side.", phases=[phase])


def check(name: str) -> str:
    return f"python3 -c 'import calc.{name}'"


def folder_of(request: Request) -> str:
    """Where the client says that it works."""
    found = re.search(r"Primary working directory: (\S+)", request.text)
    assert found
    return found[1]


def script(api: Api) -> None:
    """Each role as its system prompt begins. The first answer to an implementer waits until both have asked."""
    both = threading.Barrier(len(PARTS))

    def implement(name: str) -> None:
        def write(request: Request) -> Reply:
            both.wait(60)
            code = f"def {name}():\n    return '{name}'\n"
            return use("Write", file_path=f"{folder_of(request)}/calc/{name}.py", content=code)

        api.talk(lambda r: f"# Write part {name}" in r.first, write, use("Bash", command=check(name)), finish())

    api.on(lambda r: "You research one topic" in r.system, finish(title="T", report="# Findings\n\nNone.\n"))
    api.on(lambda r: "You turn a goal" in r.system, plan())
    for name in PARTS:
        implement(name)
    api.on(lambda r: "You find out whether a change" in r.system, finish())
    api.talk(
        lambda r: "You bring the documentation in line" in r.system,
        lambda r: use("Read", file_path=f"{folder_of(r)}/README.md"),
        lambda r: use(
            "Edit", file_path=f"{folder_of(r)}/README.md", old_string="# calc", new_string="# calc\n\nTwo parts."
        ),
        finish(files=["README.md"]),
    )


def project(claude: Claude) -> None:
    run_git(claude.project, "init", "-q", "-b", "main")
    run_git(claude.project, "config", "user.name", "Ada")
    run_git(claude.project, "config", "user.email", "ada@example.org")
    write_files(claude.project, FILES)
    run_git(claude.project, "add", "-A")
    run_git(claude.project, "commit", "-q", "-m", "Begin")


def orchestrate(claude: Claude, *words: str) -> "subprocess.Popen[str]":
    """A driver, as it is started in a terminal inside Claude Code."""
    return subprocess.Popen(
        [sys.executable, "-m", "stretto.commands", "orchestrate", *words, "--json"],
        cwd=claude.project,
        env={**claude.terminal, "CLAUDECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def result_of(driver: "subprocess.Popen[str]") -> dict[str, Any]:
    out, _ = driver.communicate(timeout=180)
    assert driver.returncode == 0, out
    result: dict[str, Any] = json.loads(out)["result"]
    return result


def check_landed(claude: Claude, result: dict[str, Any]) -> None:
    assert (result["merged"], result["tests"]["tests"]) == (True, 2)
    assert run_git(claude.project, "status", "--porcelain") == ""
    assert run_git(claude.project, "branch", "--format=%(refname:short)") == "main"
    for name in PARTS:
        assert f"return '{name}'" in run_git(claude.project, "show", f"main:calc/{name}.py")
    assert "Two parts." in run_git(claude.project, "show", "main:README.md")
    assert "Claude" not in run_git(claude.project, "log", "--format=%an%cn%B")


@pytest.mark.timeout(240)
def test_two_implementers_work_at_once_and_their_work_is_committed(claude: Claude, api: Api) -> None:
    script(api)
    project(claude)

    result = result_of(orchestrate(claude, "Add two parts to calc", "--runner", "claude"))

    check_landed(claude, result)
    assert sum(r.turn == 0 for r in api.requests) == 8  # research 3, plan 1, implement 2, test 1, document 1
    assert result["usage"]["input_tokens"] == sum(len(r.all) // 4 for r in api.requests)
    assert result["usage"]["cost_usd"] > 0


@pytest.mark.timeout(240)
def test_a_killed_driver_leaves_no_client_and_a_resume_goes_on(claude: Claude, api: Api) -> None:
    api.on(lambda r: "# Write part one" in r.first, use("Bash", command="sleep 45"), times=1)
    api.on(lambda r: "# Write part two" in r.first, use("Bash", command="sleep 46"), times=1)
    script(api)
    project(claude)
    driver = orchestrate(claude, "Add two parts to calc", "--runner", "claude", "--workflow-id", "parts")
    wait_for(lambda: {"sleep 45 ", "sleep 46 "} <= set(claude.processes().values()))

    driver.kill()
    driver.communicate()

    assert claude.end(10) == {}
    asked = len(api.requests)
    check_landed(claude, result_of(orchestrate(claude, "--resume", "parts")))
    assert not [r for r in api.requests[asked:] if "You research one topic" in r.system]


def wait_for(happened: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
