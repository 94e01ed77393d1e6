"""The second example: another project, another template, another way to fail, by the same command line and recorder."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NAME = "due_dates_todo_items_001"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def stretto(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "stretto.commands", *words]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("STRETTO_", "PYTEST_"))}
    return subprocess.run(argv, cwd=place, env=environment, capture_output=True, text=True, check=False)


def lines(place: Path, *argv: str) -> list[str]:
    return subprocess.run(argv, cwd=place, check=True, capture_output=True, text=True).stdout.splitlines()


def test_due_dates_come_to_a_todo_list(tmp_path: Path, program: Callable[[str], dict[str, Any]]) -> None:
    scratch, record, outcome = (program(name) for name in ("scratch", "record", "outcome"))
    place: Path = scratch["make_project"]("cli-todo", tmp_path / "todo")
    scratch["make_environment"](place)
    base = lines(place, "git", "rev-parse", "HEAD")[0]

    ran = stretto(place, *record["WORK"]["cli-todo"].command(f"replay:{EXAMPLES / 'cli-todo' / 'cassette.jsonl'}"))

    assert ran.returncode == 0, ran.stderr
    assert "replayed from recording; no model was called" in ran.stdout
    found = list(outcome["findings"](place, NAME, base, outcome["run_tests"](place)))
    assert [finding for finding in found if not finding.holds] == []
    assert lines(place, "git", "log", "--reverse", "--format=%s", f"{base}..main") == [
        'docs: research "Add due dates to todo items"',
        "docs: plan Due dates",
        "feat: implement Phase 1 - Dates and items",
        'docs: debug "1 of 3 tasks failed"',
        "fix: save due dates as what they are",
        "feat: implement Phase 2 - Command line",
        'test: verify "Add due dates to todo items"',
        'docs: document "Add due dates to todo items"',
        'docs: summarise "Add due dates to todo items"',
    ]
    _went_its_own_way(outcome["events"](place, NAME))
    _keeps_dates(place, tmp_path / "list.json")
    logs = sorted((place / ".stretto" / "state" / "logs").rglob("*.jsonl"))
    assert not any('"kind": "drift"' in log.read_text("utf-8") for log in logs)


def _went_its_own_way(events: list[dict[str, Any]]) -> None:
    """Two researchers, an implementer that cannot finish, a debugger, a reviewer, and a tester in the second pass."""
    done = [event["data"]["task_id"] for event in events if event["event_type"] == "TASK_COMPLETED"]
    assert sorted(task for task in done if task.startswith("research/")) == ["research/code", "research/use"]
    assert "implementation/T3" not in done
    assert [task for task in done if "~2" in task] == [
        "implementation/F1~2",
        "implementation/T3~2",
        "testing/verify~2",
        "testing/tests~2",
    ]
    assert "review/review" in done


def _keeps_dates(place: Path, file: Path) -> None:
    def todo(*words: str) -> list[str]:
        argv = [sys.executable, "-m", "todo", "--file", str(file), *words]
        environment = {**os.environ, "PYTHONPATH": "src"}
        return subprocess.run(
            argv, cwd=place, env=environment, check=True, capture_output=True, text=True
        ).stdout.splitlines()

    assert todo("add", "Taxes", "--due", "2025-05-31") == ["1 Taxes (due 2025-05-31)"]
    assert todo("add", "Milk", "--due", "tomorrow")[0].startswith("2 Milk (due ")
    assert todo("list", "--overdue") == ["1 Taxes (due 2025-05-31)"]
    assert [type(entry["due"]) for entry in json.loads(file.read_text("utf-8"))] == [str, str]
