"""A replay of a workflow of 32 lanes has one hash, whatever the order, the hash seed and the number of agents."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.door import Project

LANES = 32
TOPICS = [{"command": "/report", "id": f"topic_{n}", "topic": f"Topic {n}"} for n in range(LANES)]


@pytest.fixture
def recorded(project: Project) -> Path:
    """The cassette of 32 tasks that wait for nothing, by agents that write what differs from lane to lane."""
    project.agent({})
    path = project.root.with_name("c.jsonl")
    ran = project.run(
        "subagents", context("recorded"), json.dumps(TOPICS), "--runner", project.runner, f"--record={path}"
    )
    assert ran.code == 0, ran.err
    assert len({json.loads(line).get("lane") for line in path.read_text("utf-8").splitlines()[1:]}) == LANES
    return path


def context(name: str) -> str:
    return json.dumps({"phase": "research", "workflow_id": name})


def replayed(project: Project, cassette: Path, number: int) -> str:
    """The hash of one replay, in a process of its own: its hash seed and its number of agents are others each time."""
    name, agents = f"run_{number}", 1 + number * 7 % LANES
    options = [
        "--runner",
        f"replay:{cassette}?strict",
        f"--max-agents={agents}",
        "--merge=never",
        "--durability=process",
    ]
    script = (
        "import sys; from stretto.commands.cli import main\n"
        f"code = main({['subagents', context(name), json.dumps(TOPICS), *options]!r})\n"
        f"sys.exit(code or main(['events', {name!r}, '--hash']))"
    )
    env = {**os.environ, "PYTHONHASHSEED": str(number)}
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=project.root, env=env, check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return ran.stdout.splitlines()[-1]


def hashes(project: Project, cassette: Path, runs: int) -> set[str]:
    before = project.git("rev-parse", "HEAD")
    found = {replayed(project, cassette, number) for number in range(runs)}
    assert project.git("rev-parse", "HEAD") == before
    return found


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_replay_has_one_hash(project: Project, recorded: Path) -> None:
    """8 replays, or as many as STRETTO_HASH_RUNS says: one takes seconds, for its 32 worktrees."""
    found = hashes(project, recorded, int(os.environ.get("STRETTO_HASH_RUNS", "8")))
    assert len(found) == 1
    assert len(found.pop()) == 64


def test_another_outcome_is_another_hash(project: Project) -> None:
    found: list[str] = []
    for summary in ("one", "one", "two"):
        project.agent({"topic": {"outcome": {"summary": summary}}})
        name = f"w_{len(found)}"
        task = json.dumps([{"command": "/report", "id": "topic", "topic": "Topic"}])
        assert project.run("subagents", context(name), task, "--runner", project.runner, "--merge=never").code == 0
        found.append(project.run("events", name, "--hash").out)
    assert found[0] == found[1] != found[2]
