"""A working tree turned into a git tree, and the repositories hidden in it found first."""

import asyncio
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from stretto.agents.git import Git, split


async def nested_repositories(git: Git, known: Sequence[str] = ()) -> list[str]:
    """Folders below the root that hold something named `.git`, outside what git ignores; `known` are submodules.

    git itself lists none of this: it takes such a folder for a repository of its own, or passes over it.
    """
    ignored = await git.run("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    passed = {path.rstrip("/") for path in (*split(ignored), *known)}
    return sorted(await asyncio.to_thread(lambda: list(search(git.root, passed))))


def search(root: Path, passed: Collection[str], *, depth: int | None = None) -> Iterator[str]:
    """Folders below `root`, down to `depth` levels, that hold something named `.git`; not below those in `passed`."""
    for folder, folders, files in os.walk(root):
        here = os.path.relpath(folder, root)
        below = "" if here == "." else f"{here}/"
        if below and any(name.lower() == ".git" for name in (*folders, *files)):
            yield here
            folders.clear()
        folders[:] = [f for f in folders if f.lower() != ".git" and f"{below}{f}" not in passed]
        if depth is not None and below.count("/") >= depth:
            folders.clear()


async def stage(git: Git, env: Mapping[str, str], without: Sequence[str] = ()) -> str:
    """Add everything that is not ignored to the index of `env`, except `without`; return the tree.

    Raises:
        GitError: git cannot add a file.
    """
    excluded = [f":(exclude,top,literal){path}" for path in without]
    magic = {**env, "GIT_LITERAL_PATHSPECS": "0"}
    await git.run("add", "--all", "--", ":(top)", *excluded, env=magic)
    return await git.line("write-tree", env=env)
