"""What there is to know, and to say, about the user's checkout before anyone works on it. Reads only."""

import os
from pathlib import Path
from typing import NamedTuple

from stretto.agents.git import Git, split
from stretto.agents.refs import listed


class Facts(NamedTuple):
    """One look at a checkout. Paths are relative to its top."""

    head: str
    branch: str | None
    dirty: tuple[str, ...]
    hooks: tuple[str, ...]
    submodules: tuple[str, ...]
    warnings: tuple[str, ...]


async def survey(git: Git, common: Path, store: Path, head: str) -> Facts:
    """Look at the checkout of `git` at commit `head`."""
    branch = await git.call("symbolic-ref", "--quiet", "--short", "HEAD")
    name = os.fsdecode(branch.stdout).strip() if branch.code == 0 else None
    dirty = await changed_files(git, store, untracked=True)
    hooks = await active_hooks(git, common)
    submodules = tuple((await submodule_names(git, head)).values())
    warnings = [
        *_about_checkout(name, head, dirty),
        *_about_hooks(hooks),
        *_about_submodules(submodules),
        *await _about_filters(git, head),
    ]
    return Facts(head, name, tuple(dirty), tuple(hooks), submodules, tuple(warnings))


async def changed_files(git: Git, store: Path, *, untracked: bool) -> list[str]:
    """Paths that differ from HEAD or, with `untracked`, that git does not know; never the store's own."""
    status = await git.run(
        "status",
        "--porcelain=v1",
        "-z",
        "--no-renames",
        "--ignore-submodules=dirty",
        f"--untracked-files={'normal' if untracked else 'no'}",
    )
    return [path for path in (entry[3:] for entry in split(status)) if not _holds_store(git.root / path, store)]


def _holds_store(path: Path, store: Path) -> bool:
    return path.is_relative_to(store) or (path.is_dir() and store.is_relative_to(path))


async def active_hooks(git: Git, common: Path) -> list[str]:
    """Names of the hooks that git would run here for the user."""
    ran = await git.call("config", "-z", "--get-all", "core.hooksPath")
    values = split(ran.stdout)[:-1]  # the last is ours, which turns them off
    folder = git.root / Path(values[-1]).expanduser() if values else common / "hooks"
    if not folder.is_dir():
        return []
    return sorted(
        f.name for f in folder.iterdir() if f.is_file() and os.access(f, os.X_OK) and f.suffix not in (".sample", ".sh")
    )


async def submodule_names(git: Git, commit: str) -> dict[str, str]:
    """The submodules of a commit: name → path."""
    if await git.resolve(f"{commit}:.gitmodules") is None:
        return {}
    ran = await git.call("config", "-z", "--blob", f"{commit}:.gitmodules", "--get-regexp", r"^submodule\..*\.path$")
    pairs = (entry.partition("\n") for entry in split(ran.stdout))
    return {key.removeprefix("submodule.").removesuffix(".path"): path for key, _, path in pairs}


async def missing_identity(git: Git) -> tuple[str, ...]:
    """The `name=value` settings to add so that commits can be made: none where the user has a name and an address."""
    added: list[str] = []
    for key, variables, value in (
        ("user.name", ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Stretto"),
        ("user.email", ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "stretto@localhost"),
    ):
        known = (await git.call("config", "--get", key)).stdout.strip() or all(os.environ.get(v) for v in variables)
        if not known:
            added.append(f"{key}={value}")
    return tuple(added)


def _about_checkout(branch: str | None, head: str, dirty: list[str]) -> list[str]:
    said: list[str] = []
    if branch is None:
        said.append(f"HEAD is detached at {head[:12]}: the work will stay on its own branch, to be merged by you.")
    if dirty:
        said.append(
            f"The checkout has changes that are in no commit ({listed(dirty)}): agents work from the last commit and "
            "do not see them."
        )
    return said


def _about_hooks(hooks: list[str]) -> list[str]:
    if not hooks:
        return []
    return [f"This repository has git hooks ({listed(hooks)}): Stretto's own commits and merges do not run them."]


def _about_submodules(paths: tuple[str, ...]) -> list[str]:
    if not paths:
        return []
    return [
        f"This repository has submodules ({listed(paths)}): agents see the commit that is pinned, and changes inside "
        "one are refused."
    ]


async def _about_filters(git: Git, head: str) -> list[str]:
    attributes = await git.call("cat-file", "blob", f"{head}:.gitattributes")
    said: list[str] = []
    if b"filter=lfs" in attributes.stdout:
        said.append("This repository uses Git LFS: agents see the files whose content git-lfs has on this machine.")
    if (await git.call("config", "--type=bool", "--get", "core.sparseCheckout")).stdout.strip() == b"true":
        said.append("The checkout is sparse: agents get all files, not only those that are checked out here.")
    return said
