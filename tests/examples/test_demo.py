"""The demo, run as `make demo` runs it, and the repository that it leaves."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
BASE = "863c43aa506eb484c8749adb54a5d9b51558742c"
ENOUGH = 240.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * ENOUGH)]


def demo(place: Path) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-W", "error", str(EXAMPLES / "demo.py"), str(place)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=ENOUGH)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    place = tmp_path_factory.mktemp("demo") / "jwt-api"
    return demo(place), place


def git(place: Path, *words: str) -> list[str]:
    return subprocess.run(["git", *words], cwd=place, check=True, capture_output=True, text=True).stdout.splitlines()


def history(place: Path) -> list[dict[str, Any]]:
    argv = [sys.executable, "-m", "stretto.commands", "events", "jwt_authentication_001", "--json"]
    printed = subprocess.run(argv, cwd=place, check=True, capture_output=True, text=True).stdout.splitlines()
    return [event for event in map(json.loads, printed) if "event_type" in event]


Ran = tuple[subprocess.CompletedProcess[str], Path]


def test_it_ends_well_and_says_what_it_did(ran: Ran) -> None:
    done, _ = ran

    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "✗" in done.stdout.partition("5. ")[0]  # the tests that failed on the way
    assert "✗" not in done.stdout.partition("5. ")[2]
    for said in ("kill -9", "driver is gone", "--resume", "113 passed", "Replayed from recording; no model was called"):
        assert said in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_its_tests_pass_by_hand(ran: Ran) -> None:
    argv = [str(ran[1] / ".venv" / "bin" / "python"), "-m", "pytest", "-q"]

    tests = subprocess.run(argv, cwd=ran[1], env={"PYTHONPATH": "src"}, capture_output=True, text=True, check=False)

    assert (tests.returncode, tests.stdout.splitlines()[-1].split(" in ")[0]) == (0, "113 passed"), tests.stdout


def test_a_stranger_cannot_read_and_a_user_can(ran: Ran, tmp_path: Path) -> None:
    program = """
import io, json, sys
from datetime import timedelta
from pathlib import Path
from notes_api.app import App
from notes_api.auth import Auth
from notes_api.config import Config
from notes_api.store import NoteStore
from notes_api.users import Users

folder = Path(sys.argv[1])
users = Users(folder / "users.json", iterations=1)
users.add("ada", "correct horse")
app = App(NoteStore(folder / "notes.json"), Config(), Auth(users, 40 * "x", timedelta(hours=1)))

def send(method, path, body=b"", **more):
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "CONTENT_TYPE": "application/json"}
    environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), **more}
    answer = []
    data = b"".join(app(environ, lambda status, headers: answer.append(status)))
    return answer[0][:3], json.loads(data)

print(send("GET", "/notes")[0])
token = send("POST", "/token", b'{"name": "ada", "password": "correct horse"}')[1]["access_token"]
print(*send("GET", "/notes", HTTP_AUTHORIZATION=f"Bearer {token}"))
"""
    argv = [sys.executable, "-c", program, str(tmp_path)]
    said = subprocess.run(argv, cwd=ran[1], env={"PYTHONPATH": "src"}, capture_output=True, text=True, check=True)

    assert said.stdout.splitlines() == ["401", "200 {'notes': []}"]


def test_it_leaves_a_commit_for_each_phase_and_nothing_else(ran: Ran) -> None:
    place = ran[1]
    subjects = git(place, "log", "--reverse", "--format=%s", f"{BASE}..main")

    assert subjects == [
        'docs: research "Add JWT authentication"',
        "docs: plan JWT authentication",
        "feat: implement Phase 1 - Tokens, users and settings",
        "feat: implement Phase 2 - Closed routes",
        'test: verify "Add JWT authentication"',
        'docs: debug "3 of 110 tests failed (`pytest`)"',
        "fix: find headers whatever the case of their names",
        'docs: document "Add JWT authentication"',
        'docs: summarise "Add JWT authentication"',
    ]
    assert git(place, "status", "--porcelain") == []
    assert git(place, "branch", "--format=%(refname:short)") == ["main"]
    assert len(git(place, "worktree", "list")) == 1
    assert sorted(git(place, "log", "-1", "--format=", "--name-only", "main~6")) == [
        ".gitignore",
        "specs/plans/001_jwt_authentication.md",
        *(f"src/notes_api/{name}.py" for name in ("config", "tokens", "users")),
        *(f"tests/test_{name}.py" for name in ("config", "tokens", "users")),
    ]


def test_its_documents_are_whole_and_lead_to_each_other(ran: Ran) -> None:
    specs = ran[1] / "specs"
    documents = sorted(str(path.relative_to(specs)) for path in specs.rglob("*.md"))
    plan = (specs / "plans" / "001_jwt_authentication.md").read_text("utf-8")

    assert documents == [
        "plans/001_jwt_authentication.md",
        "reports/001_notes_api_today.md",
        "reports/002_jwt_practice_pitfalls.md",
        "reports/003_authentication_risks_tests.md",
        "reports/004_debug_3_110_tests_failed_pytest.md",
        "summaries/001_implementation_summary.md",
    ]
    assert (plan.count("- [x] "), plan.count("- [ ] "), plan.count("[COMPLETED]")) == (8, 0, 2)
    for document in documents:
        path = specs / document
        for link in re.findall(r"\]\(([^)#]+\.md)\)", path.read_text("utf-8")):
            assert (path.parent / link).is_file(), f"{document} links to {link}"


def test_what_was_finished_before_the_kill_was_not_done_again(ran: Ran) -> None:
    events = history(ran[1])
    resumed = next(i for i, event in enumerate(events) if event["event_type"] == "WORKFLOW_RESUMED")

    def tasks(part: list[dict[str, Any]], kind: str) -> list[str]:
        return [event["data"]["task_id"] for event in part if event["event_type"] == kind]

    before, after = events[:resumed], events[resumed:]
    finished, cut_off = set(tasks(before, "TASK_COMPLETED")), set(tasks(before, "TASK_STARTED"))
    cut_off -= finished
    assert sum(task.startswith("implementation/") for task in finished) >= 2
    assert cut_off
    assert not finished.intersection(tasks(after, "TASK_STARTED"))
    assert cut_off <= set(tasks(after, "TASK_COMPLETED"))


def test_nothing_differed_from_the_recording(ran: Ran) -> None:
    logs = sorted((ran[1] / ".stretto" / "state" / "logs").rglob("*.jsonl"))

    told = [json.loads(line) for log in logs for line in log.read_text("utf-8").splitlines()]

    assert len(logs) >= 13
    assert [line for line in told if line["kind"] == "drift"] == []


def test_what_it_looks_up_would_not_hold_otherwise(ran: Ran, program: Callable[[str], dict[str, Any]]) -> None:
    outcome = program("outcome")
    plan = ran[1] / "specs" / "plans" / "001_jwt_authentication.md"
    text = plan.read_text("utf-8")
    failed = subprocess.CompletedProcess([], 1, "1 failed\n")
    plan.write_text(text.replace("- [x] **T2**", "- [ ] **T2**"), "utf-8")
    try:
        found = list(outcome["findings"](ran[1], "jwt_authentication_001", BASE, failed))
    finally:
        plan.write_text(text, "utf-8")

    assert [finding.text for finding in found if not finding.holds] == [
        "the project's tests: 1 failed",
        "the plan: 7 of 8 boxes ticked, 2 of 2 phases completed",
        "git: nothing uncommitted, no branch and no worktree left over",
    ]


def test_a_place_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    done = demo(tmp_path)

    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
