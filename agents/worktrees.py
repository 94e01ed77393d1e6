"""Adding and removing git worktrees, one at a time for the whole repository.

git itself is not safe here: while one `worktree add` writes its files, another command that lists worktrees can read
a half-written one and fail (seen with git 2.39, 11 of 32 parallel adds).
"""

import asyncio
import os
import re
import shutil
import stat
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from stretto.agents.filelock import file_lock
from stretto.agents.git import Git, GitError, split

if TYPE_CHECKING:
    from stretto.agents.repository import Repository

_TRIES = 6
_RACE = re.compile(r"commondir|could not lock config|unable to create .*\.lock|File exists", re.IGNORECASE)
"""What git says when somebody else's git (our own waits for the lock) was in the middle of something."""


def _lock(repo: "Repository") -> AbstractAsyncContextManager[None]:
    """In git's own folder, since several stores may share a repository."""
    return file_lock(repo.common / "stretto-worktrees.lock")


async def add(repo: "Repository", path: Path, sha: str) -> Git:
    """Make the worktree `path`, detached at `sha` and still empty; return git for it.

    Raises:
        GitError: git cannot make it.
    """
    async with _lock(repo):
        await _remove(repo, path)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        await _patiently(repo, "worktree", "add", "--force", "--force", "--detach", "--no-checkout", str(path), sha)
    admin = (path / ".git").read_text("utf-8").removeprefix("gitdir: ").rstrip("\n")
    return at(repo, path, Path(admin))


def at(repo: "Repository", path: Path, admin: Path) -> Git:
    """Git for the worktree `path`, whose files git keeps in `admin`, whatever an agent has put in its place."""
    return Git(path, admin, config=(*repo.git.config, "core.sparseCheckout=false"))


async def remove(repo: "Repository", path: Path) -> None:
    """Remove the worktree `path` from the disk and from git's list, whatever state it is in."""
    async with _lock(repo):
        await _remove(repo, path)


async def remove_below(repo: "Repository", folder: Path, keep: Collection[Path] = ()) -> None:
    """Remove every worktree below `folder` but those of `keep`; and `folder` itself where nothing is kept."""
    async with _lock(repo):
        _heal(repo)
        left = {Path(p) for p in await _registered(repo)} | set(folder.glob("*"))
        for path in sorted(p for p in left.difference(keep) if p.is_relative_to(folder) and p != folder):
            await _remove(repo, path)
        if not any(path.exists() for path in keep):
            await asyncio.to_thread(remove_tree, folder)


async def _remove(repo: "Repository", path: Path) -> None:
    await asyncio.to_thread(remove_tree, path)
    if str(path) in await _registered(repo):
        await _patiently(repo, "worktree", "remove", "--force", "--force", str(path))


async def _registered(repo: "Repository") -> list[str]:
    fields = split(await _patiently(repo, "worktree", "list", "--porcelain", "-z"))
    return [f.removeprefix("worktree ") for f in fields if f.startswith("worktree ")]


async def _patiently(repo: "Repository", *args: str) -> bytes:
    """Run git, again while it trips over another process or over what a killed `worktree add` left."""
    for attempt in range(_TRIES):
        try:
            return await repo.git.run(*args)
        except GitError as error:
            if attempt == _TRIES - 1 or not _RACE.search(error.stderr):
                raise
        await asyncio.sleep(0.05 * 2**attempt)
        _heal(repo)
    raise AssertionError("unreachable")


def _heal(repo: "Repository") -> None:
    """Drop our own entries that a killed `worktree add` left without `commondir`: git fails on them for ever."""
    for admin in (repo.common / "worktrees").glob("*"):
        link, common = admin / "gitdir", admin / "commondir"
        if not link.is_file() or (common.is_file() and common.stat().st_size):
            continue
        if Path(link.read_text("utf-8").strip()).is_relative_to(repo.store / "work"):
            shutil.rmtree(admin, ignore_errors=True)


def remove_tree(path: Path) -> None:
    """Remove a folder that an agent filled: read-only folders and links too, and nothing behind a link."""
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    with suppress(FileNotFoundError):
        try:
            shutil.rmtree(path)
        except PermissionError:
            _unlock(path)
            shutil.rmtree(path)


def _unlock(path: Path) -> None:
    """Some tools (Go's module cache, for one) make their folders read-only."""
    path.chmod(stat.S_IRWXU)
    for folder, folders, _ in os.walk(path):
        for inner in (Path(folder, name) for name in folders):
            if not inner.is_symlink():
                inner.chmod(stat.S_IRWXU)
