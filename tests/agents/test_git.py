import asyncio
from pathlib import Path

import pytest

from stretto.agents.filelock import file_lock
from stretto.agents.git import Git, GitError, environment, split
from tests.agents.gitproject import GitProject


def test_only_what_says_how_git_works_is_inherited() -> None:
    inherited = environment(
        {"GIT_DIR": "/x", "GIT_INDEX_FILE": "/x", "GIT_PAGER": "x", "GIT_AUTHOR_NAME": "Ada", "HOME": "/h"}
    )

    assert not {"GIT_DIR", "GIT_INDEX_FILE", "GIT_PAGER"} & set(inherited)
    assert (inherited["GIT_AUTHOR_NAME"], inherited["HOME"]) == ("Ada", "/h")
    assert (inherited["GIT_TERMINAL_PROMPT"], inherited["LC_ALL"]) == ("0", "C")


def test_a_refusal_carries_the_command_and_gits_own_words(git_project: GitProject) -> None:
    with pytest.raises(GitError, match=r"'git checkout nowhere' ended with code 1: .*nowhere") as refused:
        asyncio.run(Git(git_project.root).run("checkout", "nowhere"))
    assert refused.value.stderr.startswith("error: pathspec")


def test_a_folder_that_is_gone_is_not_mistaken_for_a_missing_git(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="not there any more"):
        asyncio.run(Git(tmp_path / "gone").run("status"))


def test_a_cancelled_caller_waits_until_git_has_ended(git_project: GitProject) -> None:
    """An alias that takes its time stands for a merge in the user's checkout."""
    git = Git(git_project.root, config=("alias.slowly=!sleep 0.3 && touch done",))

    async def main() -> None:
        work = asyncio.create_task(git.run("slowly"))
        await asyncio.sleep(0.1)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(main())

    assert (git_project.root / "done").exists()


def test_a_loop_that_is_torn_down_while_git_starts_does_not_hang(git_project: GitProject) -> None:
    git = Git(git_project.root)

    async def keep_asking(fails: bool) -> None:
        for _ in range(5):
            await git.run("rev-parse", "HEAD")
        if fails:
            raise RuntimeError("one of the tasks")
        while True:
            await git.run("rev-parse", "HEAD")

    async def main() -> None:
        await asyncio.gather(*(keep_asking(n == 3) for n in range(8)))

    for _ in range(5):
        with pytest.raises(RuntimeError, match="one of the tasks"):
            asyncio.run(main())


def test_paths_come_back_byte_for_byte() -> None:
    assert split("a b\0ü\0".encode() + b"\xff\0") == ["a b", "ü", "\udcff"]


def test_a_lock_lets_one_in_at_a_time(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    async def one(number: int) -> None:
        async with file_lock(tmp_path / "locks" / "x"):
            inside.append(number)
            most.append(len(inside))
            await asyncio.sleep(0.001)
            inside.remove(number)

    async def main() -> None:
        await asyncio.gather(*(one(n) for n in range(10)))

    asyncio.run(main())

    assert most == [1] * 10


def test_a_waiter_that_gives_up_leaves_the_lock_free(tmp_path: Path) -> None:
    async def main() -> bool:
        async def wait() -> None:
            async with file_lock(tmp_path / "x"):
                raise AssertionError("the lock was taken")

        async with file_lock(tmp_path / "x"):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(wait(), 0.05)
        async with file_lock(tmp_path / "x"):
            return True

    assert asyncio.run(main())
