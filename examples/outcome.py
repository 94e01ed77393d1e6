"""What must hold after an example has run, looked up in its repository: git, the files, the tests, the events."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

STRETTO = (sys.executable, "-m", "stretto.commands")
LONGEST_SUBJECT = 72
_BOX = re.compile(r"^\s*- \[( |x)\] ", re.MULTILINE)
_PHASE = re.compile(r"^### Phase \d+: .+$", re.MULTILINE)
_OURS = ("GIT_", "STRETTO_", "PYTEST_", "PYTHON", "VIRTUAL_ENV")
"""Beginnings of the variables that would make an example do something else here than elsewhere."""

Event = Mapping[str, Any]


class Finding(NamedTuple):
    """Something that was looked up, as a sentence, and whether it is as it must be."""

    text: str
    holds: bool


def environment() -> dict[str, str]:
    """What the programs of an example are started with."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


def output(argv: Sequence[str], cwd: Path) -> str:
    """What a program prints. CalledProcessError if it fails."""
    return subprocess.run(argv, cwd=cwd, env=environment(), check=True, stdout=subprocess.PIPE, text=True).stdout


def lines(argv: Sequence[str], cwd: Path) -> list[str]:
    """What a program prints, line by line."""
    return output(argv, cwd).splitlines()


def events(project: Path, workflow_id: str) -> list[Event]:
    """The events of a workflow, the oldest first."""
    printed = map(json.loads, lines([*STRETTO, "events", workflow_id, "--json"], project))
    return [event for event in printed if "event_type" in event]


def run_tests(project: Path) -> subprocess.CompletedProcess[str]:
    """The project's tests, as its README tells to run them."""
    argv = [str(project / ".venv" / "bin" / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    variables = {**environment(), "PYTHONPATH": "src"}
    return subprocess.run(argv, cwd=project, env=variables, check=False, stdout=subprocess.PIPE, text=True)


def artifacts(project: Path) -> list[str]:
    """The reports, plans and summaries, in the order in which they come to be."""
    folders = (project / "specs" / name for name in ("reports", "plans", "summaries"))
    return [str(path.relative_to(project)) for folder in folders for path in sorted(folder.glob("*.md"))]


def findings(project: Path, workflow_id: str, base: str, tests: subprocess.CompletedProcess[str]) -> Iterator[Finding]:
    """Look up what must hold of a workflow that began at the commit `base` and is done; `tests` were run after it."""
    yield Finding(f"the project's tests: {last_line(tests.stdout)}", tests.returncode == 0)
    yield _plan(project)
    yield _artifacts(project)
    yield _commits(project, base)
    yield _clean(project)
    yield _once(events(project, workflow_id))


def last_line(text: str) -> str:
    """The last line with something in it; empty if there is none."""
    return text.strip().rpartition("\n")[2]


def _plan(project: Path) -> Finding:
    text = "".join(path.read_text("utf-8") for path in sorted((project / "specs" / "plans").glob("*.md")))
    boxes, phases = _BOX.findall(text), _PHASE.findall(text)
    ticked, done = boxes.count("x"), sum(heading.endswith(" [COMPLETED]") for heading in phases)
    told = f"the plan: {ticked} of {len(boxes)} boxes ticked, {done} of {len(phases)} phases completed"
    return Finding(told, ticked == len(boxes) > 0 and done == len(phases) > 0)


def _artifacts(project: Path) -> Finding:
    left = artifacts(project)
    counts = [sum(f"specs/{name}/" in path for path in left) for name in ("reports", "plans", "summaries")]
    return Finding("the documents: {} reports, {} plan, {} summary".format(*counts), counts[0] >= 2 and min(counts) > 0)


def _commits(project: Path, base: str) -> Finding:
    subjects = lines(["git", "log", "--format=%s", f"{base}..HEAD"], project)
    key = "%(trailers:key=Stretto-Key,valueonly,separator=%x2C)"
    keys = lines(["git", "log", f"--format={key}", f"{base}..HEAD"], project)
    short = all(len(subject) <= LONGEST_SUBJECT for subject in subjects)
    phases = len(set(keys))
    return Finding(f"git: {len(subjects)} commits, one for each phase", short and phases == len(subjects) > 4)


def _clean(project: Path) -> Finding:
    changed = lines(["git", "status", "--porcelain"], project)
    branches = lines(["git", "for-each-ref", "--format=%(refname:short)", "refs/heads"], project)
    worktrees = lines(["git", "worktree", "list"], project)
    told = "git: nothing uncommitted, no branch and no worktree left over"
    return Finding(told, not changed and len(branches) == len(worktrees) == 1)


def _once(history: Sequence[Event]) -> Finding:
    """No task may start after it was completed."""
    done: set[str] = set()
    again: set[str] = set()
    for event in history:
        task = str(event["data"].get("task_id", ""))
        if event["event_type"] == "TASK_STARTED" and task in done:
            again.add(task)
        if event["event_type"] == "TASK_COMPLETED":
            done.add(task)
    told = f"the events: {len(done)} tasks completed, {len(again) or 'none'} of them run again afterwards"
    return Finding(told, bool(done) and not again)
