"""What the real client does is recorded, replayed without it, and its session files are imported."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.agents.gitproject import run_git, write_files
from tests.client.api import Api
from tests.client.claude import Claude
from tests.client.reply import call, reply, say, text, use

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(240)]


def stretto(claude: Claude, *words: str, code: int = 0) -> dict[str, Any]:
    """What a command printed as JSON, in a terminal of the user's."""
    ran = subprocess.run(
        [sys.executable, "-m", "stretto.commands", *words, "--json"],
        cwd=claude.project,
        env=claude.terminal,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)["result"]
    return found


@pytest.fixture
def project(claude: Claude) -> Claude:
    run_git(claude.project, "init", "-q", "-b", "main")
    run_git(claude.project, "config", "user.name", "Ada")
    run_git(claude.project, "config", "user.email", "ada@example.org")
    write_files(claude.project, {"app.py": "answer = 41\n"})
    run_git(claude.project, "add", "-A")
    run_git(claude.project, "commit", "-q", "-m", "Begin")
    return claude


def test_a_run_of_the_real_client_is_recorded_turn_by_turn_and_replayed_without_it(project: Claude, api: Api) -> None:
    look = reply(text("I look first."), call("Glob", pattern="*.py"), output_tokens=7)
    data = {"title": "Answers", "report": "# Answers\n\n41."}
    done = use("StructuredOutput", status="completed", summary="read", data=data)
    api.talk(lambda r: "You research one topic" in r.system, look, done)

    stretto(project, "report", "Which answer", "--runner", "claude", "--record", "../c.jsonl")

    lines = [json.loads(line) for line in (project.folder / "c.jsonl").read_text("utf-8").splitlines()]
    assert [(t["lane"], t["turn"]) for t in lines[1:]] == [("research/topic#1", 1), ("research/topic#1", 2)]
    assert [[c["name"] for c in t["reply"]["tool_calls"]] for t in lines[1:]] == [["Glob"], ["StructuredOutput"]]
    assert lines[1]["reply"]["usage"]["output_tokens"] == 7
    assert lines[2]["end"]["outcome"]["data"] == data
    assert stretto(project, "cassette", "lint", "../c.jsonl")["files"] == {"../c.jsonl": []}

    asked = len(api.requests)
    run_git(project.project, "reset", "-q", "--hard", "HEAD~1")
    replayed = stretto(project, "cassette", "replay", "../c.jsonl", "--strict")
    assert (replayed["holds"], replayed["drift"], len(api.requests)) == (True, [], asked)


def test_the_session_file_that_the_real_client_writes_imports_and_replays(project: Claude, api: Api) -> None:
    edit = use("Edit", file_path=str(project.project / "app.py"), old_string="41", new_string="42")
    api.on(lambda r: r.turn == 0, use("Read", file_path=str(project.project / "app.py")))
    api.on(lambda r: r.turn == 1, edit)
    api.on(lambda _: True, say("It is 42 now."))
    session = project.say("Mend the answer", "--permission-mode", "acceptEdits")
    assert session.text == "It is 42 now."
    (path,) = project.home.glob(".claude/projects/*/*.jsonl")

    made = stretto(project, "cassette", "import", str(path), "-o", "../s.jsonl")

    assert (made["turns"], made["lanes"], made["turns_without_usage"], made["problems"]) == (3, ["main"], 0, [])
    assert made["task"] == "Mend the answer"
    assert not [what for what in made["skipped"] if what.startswith(("row of the type", "line", "block"))]
    replayed = stretto(project, "cassette", "replay", "../s.jsonl", "--strict")
    assert (replayed["misses"], list(replayed["files"])) == ([], ["app.py"])
