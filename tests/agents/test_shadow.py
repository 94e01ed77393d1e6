import asyncio
import shlex
import subprocess
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import pytest

from stretto.agents.repository import open_repository
from stretto.agents.workspace import clean, open_workspace
from stretto.state.errors import BadInput
from tests.agents.gitproject import run_git, write_files
from tests.snapshot import snapshot

pytestmark = pytest.mark.slow

T = TypeVar("T")


def run(work: Awaitable[T]) -> T:
    async def main() -> T:
        return await work

    return asyncio.run(main())


@pytest.fixture
def plain_folder(tmp_path: Path, git_settings: None) -> Path:
    """A project without git, as people have them."""
    folder = tmp_path / "plain"
    files = {
        "app.py": "one\r\ntwo\n",
        ".gitignore": "*.log\n",
        ".gitattributes": "*.py text eol=crlf\n",
        "x.log": "log",
    }
    write_files(folder, {**files, ".venv/bin/python": "binary", "pkg/__pycache__/a.pyc": "x", "pkg/a.py": "a\n"})
    return folder


def test_a_folder_without_git_is_said_and_opening_it_writes_nothing(plain_folder: Path, tmp_path: Path) -> None:
    before = snapshot(plain_folder, without=(".git",))

    repo = run(open_repository(plain_folder, tmp_path / "store"))

    assert (repo.shadow, repo.head) == (True, None)
    assert "not under git" in repo.warnings[0]
    assert snapshot(plain_folder, without=(".git",)) == before
    assert not (tmp_path / "store").exists()


def test_the_folder_gets_the_work_and_no_git_of_its_own(plain_folder: Path, tmp_path: Path) -> None:
    repo = run(open_repository(plain_folder, tmp_path / "store"))
    run(repo.begin("w_1"))
    run(repo.commit_files("w_1", {"new.py": b"new\r\n"}, "Work", "k"))

    assert run(repo.finish("w_1")).merged
    assert (plain_folder / "new.py").read_bytes() == b"new\r\n"
    assert not (plain_folder / ".git").exists()


def test_ignored_files_and_environments_are_not_copied(plain_folder: Path, tmp_path: Path) -> None:
    repo = run(open_repository(plain_folder, tmp_path / "store"))
    start = run(repo.begin("w_1"))

    kept = run(repo.git.run("ls-tree", "-r", "--name-only", start.base)).decode().split()

    assert kept == [".gitattributes", ".gitignore", "app.py", "pkg/a.py"]


def test_undo_gives_the_folder_back_byte_for_byte(plain_folder: Path, tmp_path: Path) -> None:
    before = snapshot(plain_folder, without=(".git",))
    repo = run(open_repository(plain_folder, tmp_path / "store"))
    run(repo.begin("w_1"))
    run(repo.commit_files("w_1", {"app.py": b"changed\n", "pkg/a.py": None, "n/n.py": b"n"}, "Work", "k"))
    run(repo.finish("w_1"))

    run(repo.undo("w_1"))

    assert snapshot(plain_folder, without=(".git",)) == before


def test_a_folder_that_changed_meanwhile_is_left_alone_and_the_command_given(
    plain_folder: Path, tmp_path: Path
) -> None:
    repo = run(open_repository(plain_folder, tmp_path / "store"))
    run(repo.begin("w_1"))
    run(repo.commit_files("w_1", {"new.py": b"new\n"}, "Work", "k"))
    write_files(plain_folder, {"app.py": "mine\n"})

    finish = run(repo.finish("w_1"))
    write_files(plain_folder, {"app.py": "one\r\ntwo\n"})
    subprocess.run(shlex.split(finish.command), cwd=tmp_path, check=True)

    assert "app.py" in finish.reason
    assert (plain_folder / "new.py").exists()


def test_the_next_workflow_begins_from_the_folder_as_it_is_then(plain_folder: Path, tmp_path: Path) -> None:
    repo = run(open_repository(plain_folder, tmp_path / "store"))
    first = run(repo.begin("w_1"))
    same = run(repo.begin("w_2"))
    write_files(plain_folder, {"app.py": "later\n"})
    later = run(repo.begin("w_3"))

    assert first.base == same.base != later.base
    assert run(repo.git.run("show", f"{later.base}:app.py")) == b"later\n"


def test_agents_work_in_a_worktree_of_the_private_repository(plain_folder: Path, tmp_path: Path) -> None:
    async def main() -> tuple[list[str], bytes]:
        repo = await open_repository(plain_folder, tmp_path / "store")
        await repo.begin("w_1")
        space = await open_workspace(repo, "w_1", "T1")
        content = (space.cwd / "app.py").read_bytes()
        write_files(space.cwd, {"made.py": "x\n"})
        changed = (await space.changes()).paths
        await clean(repo, "w_1")
        return changed, content

    assert run(main()) == (["made.py"], b"one\r\ntwo\n")


def test_repositories_inside_the_folder_are_left_out_and_said(plain_folder: Path, tmp_path: Path) -> None:
    write_files(plain_folder, {"vendor/lib/x.py": "x\n"})
    run_git(plain_folder / "vendor" / "lib", "init", "-q")
    before = snapshot(plain_folder, without=(".git",))
    repo = run(open_repository(plain_folder, tmp_path / "store"))

    start = run(repo.begin("w_1"))

    assert "vendor/lib" in repo.warnings[1]
    assert b"vendor" not in run(repo.git.run("ls-tree", "-r", "--name-only", start.base))
    assert snapshot(plain_folder, without=(".git",)) == before


def test_the_store_inside_the_folder_is_not_copied(plain_folder: Path) -> None:
    repo = run(open_repository(plain_folder, plain_folder / "mystore"))
    start = run(repo.begin("w_1"))
    run(repo.commit_files("w_1", {"new.py": b"new\n"}, "Work", "k"))

    assert b"mystore" not in run(repo.git.run("ls-tree", "-r", "--name-only", start.base))
    assert run(repo.finish("w_1")).merged


def test_a_whole_home_is_not_a_project(tmp_path: Path, git_settings: None) -> None:
    repo = run(open_repository(tmp_path / "home", tmp_path / "store"))

    with pytest.raises(BadInput, match="home"):
        run(repo.begin("w_1"))


def test_cleaning_before_the_first_workflow_finds_nothing_and_makes_nothing(plain_folder: Path, tmp_path: Path) -> None:
    async def work() -> None:
        await clean(await open_repository(plain_folder, tmp_path / "store"), "w_1")

    run(work())

    assert not (tmp_path / "store").exists()
