"""A replay of a workflow of 32 lanes has one hash, whatever the order, the hash seed, the agents and the CPUs."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.commands.door import Project

LANES = 32
EACH = 5
"""Replays of a process: a hash seed is the process's, all else is another in each."""
REPLAYING = Path(__file__).parents[1] / "replaying_lanes.py"
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


def process(project: Project, cassette: Path, number: int, runs: int) -> list[dict[str, Any]]:
    """Some replays in a process with a hash seed, a number of CPUs and a copy of the project of its own."""
    here = project.root.with_name(f"p{number}") / "calc"
    shutil.copytree(project.root, here, ignore=shutil.ignore_patterns(".stretto"))
    each = [
        {"name": f"run_{number}_{n}", "seed": number * 1000 + n, "agents": 1 + (number + 11 * n) * 7 % LANES}
        for n in range(runs)
    ]
    given = {"cassette": str(cassette), "project": str(here), "tasks": json.dumps(TOPICS), "runs": each}
    ran = subprocess.run(
        [sys.executable, str(REPLAYING), json.dumps({**given, "cpus": 1 + number % 2})],
        cwd=here,
        env={**os.environ, "PYTHONHASHSEED": str(number)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    shutil.rmtree(here.parent)
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a process is given its CPUs as Linux does it")
@pytest.mark.timeout(3600)
def test_every_one_of_100_replays_has_one_hash(project: Project, recorded: Path) -> None:
    """20 processes of 5 replays each, two at a time; STRETTO_HASH_RUNS takes another number of replays."""
    processes = max(2, int(os.environ.get("STRETTO_HASH_RUNS", "100")) // EACH)

    def replays(number: int) -> list[dict[str, Any]]:
        return process(project, recorded, number, EACH)

    with ThreadPoolExecutor(2) as pool:
        found = [run for runs in pool.map(replays, range(processes)) for run in runs]

    assert len(found) == processes * EACH
    assert len({run["hash"] for run in found}) == 1
    assert len(found[0]["hash"]) == 64
    # What must not matter did vary.
    assert all(sorted(run["order"]) == sorted(found[0]["order"]) for run in found)
    assert len({tuple(run["order"]) for run in found}) > len(found) // 2
    assert {run["cpus"] for run in found} == {1, 2} & set(range(1, len(os.sched_getaffinity(0)) + 1))


def test_another_outcome_is_another_hash(project: Project) -> None:
    found: list[str] = []
    for summary in ("one", "one", "two"):
        project.agent({"topic": {"outcome": {"summary": summary}}})
        name = f"w_{len(found)}"
        task = json.dumps([{"command": "/report", "id": "topic", "topic": "Topic"}])
        assert project.run("subagents", context(name), task, "--runner", project.runner, "--merge=never").code == 0
        found.append(project.run("events", name, "--hash").out)
    assert found[0] == found[1] != found[2]
