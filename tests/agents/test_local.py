"""LocalExecutor: what it makes of attempts that a driver before it has begun."""

import asyncio
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from stretto.agents.command import CommandRunner
from stretto.agents.environment import find_environment
from stretto.agents.local import LocalExecutor, key
from stretto.agents.process import run as execute
from stretto.agents.repository import Repository
from stretto.agents.task import Outcome, Task
from stretto.agents.workspace import open_workspace
from stretto.state import lease
from stretto.state.log import Log
from tests.agents.gitproject import GitProject

W = "shop_001"
AGENT = "import json, pathlib, sys; pathlib.Path(sys.argv[1]).touch(); print(json.dumps({'status': 'failed'}))"


@pytest.fixture
def log(git_project: GitProject) -> Generator[Log]:
    with Log.open(git_project.store, durability="process") as log:
        with log.write() as tx:
            tx.create_workflow(W, kind="orchestrate", description="", spec={}, runner="")
            tx.set_status(W, "SCHEDULED")
        yield log


def task(name: str, *checks: str) -> Task:
    return Task(
        workflow_id=W, phase="code", task_id=f"code/{name}", role="implementer", title=name, prompt="do", checks=checks
    )


async def executor(log: Log, repository: Repository, asked: Path, attempts: int = 1) -> LocalExecutor:
    """Its agent fails, and leaves `asked` behind when it was asked at all."""
    (asked.parent / "agent.py").write_text(AGENT, "utf-8")
    command = f"{sys.executable} {asked.parent / 'agent.py'} {asked}"
    return LocalExecutor(
        runner=CommandRunner(command, execute, project=repository.project),
        repository=repository,
        log=log,
        fence=lease.acquire(log, W),
        environment=await find_environment(repository.top, repository.project, {"PATH": "/usr/bin:/bin"}, execute),
        logs=asked.parent / "logs",
        attempts=attempts,
        task_seconds=60,
        test_command="",
        prove=lambda task, outcome: None,
        draining=lambda: False,
    )


async def prove(log: Log, repository: Repository, task: Task, remove: str) -> None:
    """The driver before committed what an agent did, a file removed, and died before it was landed."""
    with log.write() as tx:
        tx.start_attempt(W, task.task_id, 1, key(task, 1), task.phase, {})
    workspace = await open_workspace(repository, W, "first")
    (workspace.cwd / remove).unlink()
    sha = await workspace.commit(task.title, task.task_id)
    await workspace.close()
    outcome = Outcome(status="completed", summary="removed it").model_dump(mode="json")
    with log.write() as tx:
        tx.update_attempt(W, task.task_id, 1, state="proven", commit_sha=sha, outcome=outcome)


def test_proven_work_is_landed_without_its_agent_and_checked_as_merged(git_project: GitProject, log: Log) -> None:
    async def scene() -> Outcome:
        repository = await git_project.open()
        await repository.begin(W)
        gone = task("T1", """python3 -c 'import os, sys; sys.exit(os.path.exists("app.py"))'""")
        await prove(log, repository, gone, "app.py")
        await repository.commit_files(W, {"other.py": b"x = 1\n"}, "Another task landed", key="other")
        outcome = await (await executor(log, repository, git_project.root.parent / "asked")).run(gone, {})
        assert await repository.landed(W, gone.task_id)
        return outcome

    assert asyncio.run(scene()) == Outcome(status="completed", summary="removed it")
    assert not (git_project.root.parent / "asked").exists()
    assert git_project.git("ls-tree", "--name-only", f"stretto/{W}").split() == [".gitignore", "README.md", "other.py"]
    assert git_project.worktrees() == 1


def test_a_cut_off_attempt_runs_again_even_if_fewer_are_allowed_now(git_project: GitProject, log: Log) -> None:
    async def scene() -> Outcome:
        repository = await git_project.open()
        await repository.begin(W)
        for number, state in ((1, "failed"), (2, "started")):
            with log.write() as tx:
                tx.start_attempt(W, "code/T1", number, key(task("T1"), number), "code", {})
                tx.update_attempt(W, "code/T1", number, state=state, outcome=None)
        return await (await executor(log, repository, git_project.root.parent / "asked")).run(task("T1"), {})

    assert asyncio.run(scene()).status == "failed"
    assert (git_project.root.parent / "asked").exists()
    assert [(a.attempt, a.state, a.starts) for a in log.attempts(W)] == [(1, "failed", 1), (2, "failed", 2)]
