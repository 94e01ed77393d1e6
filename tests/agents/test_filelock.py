"""A lock that a killed holder gives back, once the git commands that it left running have ended."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stretto.agents.filelock import file_lock
from stretto.state.errors import StateConflict

HOLDER = """
import asyncio, sys
from pathlib import Path
from stretto.agents.filelock import file_lock
from stretto.agents.git import Git

async def hold(folder):
    work = "!touch began; while [ -e wait ]; do sleep 0.02; done; echo said; touch ended"
    git = Git(folder, config=(f"alias.work={work}",))
    async with file_lock(folder / "outer"):
        async with file_lock(folder / "inner"):
            pass
        await git.call("work")

asyncio.run(hold(Path(sys.argv[1])))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a holder was killed while its git command ran, which still does."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "wait").touch()
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)]) as holder:
        soon(tmp_path / "began")
        holder.kill()
    return tmp_path


def soon(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.01)


async def take(path: Path, seconds: float) -> None:
    async with file_lock(path, seconds=seconds):
        pass


def test_a_lock_whose_holder_was_killed_waits_for_the_git_command_that_it_left(folder: Path) -> None:
    asyncio.run(take(folder / "inner", 0))  # given back before the command began
    with pytest.raises(StateConflict, match="has not let go of it within"):
        asyncio.run(take(folder / "outer", 0.1))

    (folder / "wait").unlink()
    asyncio.run(take(folder / "outer", 20))
    assert (folder / "ended").exists()


def test_git_outlives_its_driver_and_whoever_read_its_output(folder: Path) -> None:
    (folder / "wait").unlink()
    soon(folder / "ended")


def test_only_what_holds_the_lock_keeps_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with file_lock(tmp_path / "lock"):
            with pytest.raises(StateConflict):
                await take(tmp_path / "lock", 0.05)
        await take(tmp_path / "lock", 0)

    asyncio.run(scene())
