"""Workspaces: one git worktree for one attempt, detached from every branch, in the store.

What an agent leaves there becomes a commit by way of an index of our own: neither commits nor settings that the agent
made in the worktree, nor a `.git` it has put in place, have a say in what is taken over.
"""

import os
import posixpath
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from stretto.agents import worktrees
from stretto.agents.commits import LINK, SUBMODULE, TASK, WORKFLOW, Difference, commit, differences
from stretto.agents.git import Git, GitError
from stretto.agents.refs import Move, listed, move, own_ref
from stretto.agents.repository import Repository
from stretto.agents.staging import nested_repositories, stage
from stretto.agents.submodules import populate
from stretto.state import ids
from stretto.state.errors import BadInput, StrettoError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.~#-]{0,149}")
_PRISTINE = "stretto-index"


Kind = Literal["added", "modified", "deleted"]


class Change(NamedTuple):
    """One path, relative to the project's folder (`../x` lies outside of it), and what happened to it."""

    path: str
    kind: Kind


class Refusal(NamedTuple):
    """A path that will not be taken over, and why."""

    path: str
    reason: str


class Changes(NamedTuple):
    """What an attempt wrote, ignored files left out. A rename is a path deleted and a path added."""

    written: tuple[Change, ...]
    refused: tuple[Refusal, ...]
    tree: str

    @property
    def paths(self) -> list[str]:
        """The paths alone."""
        return [change.path for change in self.written]


class Refused(StrettoError):
    """The attempt left something that cannot be taken over; nothing was committed."""

    code = "REFUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """One attempt's own copy of the project at commit `base`. The agent works in `cwd`."""

    repository: Repository
    workflow_id: str
    name: str
    path: Path
    cwd: Path
    base: str
    git: Git
    submodules: tuple[str, ...]
    warnings: tuple[str, ...]

    async def changes(self) -> Changes:
        """Compare the workspace with its base."""
        nested = await nested_repositories(self.git, self.submodules)
        refused = [Refusal(path, "holds a git repository of its own (.git)") for path in nested]
        refused += await self._dirty_submodules()
        if not self._own_git_file():
            refused.append(Refusal(".git", "was replaced; it belongs to Stretto"))
        try:
            tree = await self._tree(nested)
        except GitError as error:
            refused.append(Refusal(".", f"git cannot take it over: {error.stderr}"))
            return Changes((), tuple(refused), "")
        found = await differences(self.git, self.base, tree)
        refused += [r for d in found if (r := self._refusal(d))]
        return Changes(tuple(self._change(d) for d in found), tuple(refused), tree)

    async def commit(self, message: str, task_id: str) -> str | None:
        """Commit what was written, on top of the base; return the commit, or None if nothing was.

        The commit stays reachable under `refs/stretto/<id>/work/<name>`, whether it lands or not.

        Raises:
            Refused: Something cannot be taken over.
        """
        changes = await self.changes()
        if changes.refused:
            reasons = "; ".join(f"{r.path!r} {r.reason}" for r in changes.refused[:10])
            raise Refused(f"This attempt cannot be committed: {reasons}. The workspace is untouched.")
        if not changes.written:
            return None
        trailers = [(WORKFLOW, self.workflow_id), (TASK, ids.task_id(task_id))]
        sha = await commit(self.git, changes.tree, self.base, message, trailers)
        await self.keep(sha)
        return sha

    async def keep(self, sha: str) -> None:
        """Keep a commit of this workspace reachable, in the place of an earlier one."""
        await move(self.repository.git, Move(own_ref(self.workflow_id, f"work/{ref_part(self.name)}"), sha))

    async def keep_merged(self, sha: str) -> None:
        """Keep a merged commit that has not landed reachable, beside the attempt's own."""
        await move(self.repository.git, Move(own_ref(self.workflow_id, f"merged/{ref_part(self.name)}"), sha))

    async def show(self, sha: str, commit: str) -> None:
        """Check out `commit` where the files of `sha` are now; ignored files stay."""
        await self.git.run("read-tree", sha)
        await self.git.run("reset", "--hard", "--quiet", commit)

    async def restart(self) -> None:
        """Take back what was done in it; ignored files stay."""
        await self.git.run("reset", "--hard", "--quiet", self.base)
        await self.git.run("clean", "-ffd", "--quiet")

    def saved(self) -> dict[str, Any]:
        """What `reopen_workspace` needs, as JSON values."""
        return {
            "name": self.name,
            "path": str(self.path),
            "cwd": str(self.cwd),
            "top": str(self.repository.top),
            "project": str(self.repository.project),
            "base": self.base,
            "git_dir": str(self.git.git_dir),
            "submodules": list(self.submodules),
        }

    async def close(self) -> None:
        """Remove the worktree; its commits stay."""
        await worktrees.remove(self.repository, self.path)

    async def _tree(self, nested: Sequence[str]) -> str:
        index = self.git.told / f"{_PRISTINE}.now"
        shutil.copy2(self.git.told / _PRISTINE, index)  # with its time: git's cache of file times depends on it
        return await stage(self.git, {"GIT_INDEX_FILE": str(index)}, nested)

    async def _dirty_submodules(self) -> list[Refusal]:
        refused: list[Refusal] = []
        for path in self.submodules:
            inside = self.path / path
            if await _differs(inside):
                refused.append(Refusal(path, "is a submodule: changes inside it cannot be taken over from here"))
        return refused

    def _own_git_file(self) -> bool:
        own = self.path / ".git"
        with suppress(OSError):
            return not own.is_symlink() and own.read_text("utf-8") == f"gitdir: {self.git.git_dir}\n"
        return False

    def _change(self, d: Difference) -> Change:
        kind: Kind = "added" if d.old is None else "deleted" if d.new is None else "modified"
        return Change(self._relative(d.path), kind)

    def _relative(self, path: str) -> str:
        return posixpath.relpath(path, self.repository.prefix) if self.repository.prefix else path

    def _refusal(self, d: Difference) -> Refusal | None:
        path = self._relative(d.path)
        if SUBMODULE in (d.old and d.old.mode, d.new and d.new.mode):
            return Refusal(path, "is a submodule; its commit cannot be changed from here")
        if d.new and d.new.mode == LINK and self._leads_out(d.path):
            return Refusal(path, "is a symbolic link that leads out of the workspace")
        if not path.isprintable():
            return Refusal(path.encode(errors="replace").decode(), "has a name that cannot be written everywhere")
        return None

    def _leads_out(self, path: str) -> bool:
        target = str((self.path / path).readlink())
        place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if target.startswith("/") or place == ".." or place.startswith("../"):
            return True
        return not Path(os.path.realpath(self.path / path)).is_relative_to(os.path.realpath(self.path))


async def _differs(submodule: Path) -> bool:
    if not (submodule / ".git").is_dir():
        return submodule.is_dir() and any(submodule.iterdir())
    ran = await Git(submodule, submodule / ".git").call("status", "--porcelain", "--untracked-files=normal")
    return bool(ran.code or ran.stdout)


def ref_part(name: str) -> str:
    """A workspace's name as part of a ref, where git allows no `~`, `..` or `.lock`."""
    return name.replace("~", "-").replace("..", "--").removesuffix(".lock").rstrip(".")


async def open_workspace(repo: Repository, workflow_id: str, name: str, *, base: str | None = None) -> Workspace:
    """Make a fresh worktree at `base` (the tip of the workflow's branch unless given).

    What a killed run left under this name is removed first. Any number may be opened at once, from any number of
    processes.

    Raises:
        BadInput: `name` is no plain file name.
        NotFound: The workflow has not begun.
    """
    ids.workflow_id(workflow_id)
    if not _NAME.fullmatch(name) or ".." in name:
        raise BadInput(f"{name!r} is not a usable name for a workspace.", field="name")
    sha = base or await repo.tip(workflow_id)
    path = folder(repo, workflow_id) / name
    git = await worktrees.add(repo, path, sha)
    await git.run("reset", "--hard", "--quiet", sha)
    missing, present = await populate(git, sha, repo.common)
    shutil.copy2(git.told / "index", git.told / _PRISTINE)
    cwd = path / repo.prefix
    cwd.mkdir(parents=True, exist_ok=True)
    warnings = (f"Submodules that are not on this machine are empty for agents: {listed(missing)}.",) if missing else ()
    return Workspace(
        repository=repo,
        workflow_id=workflow_id,
        name=name,
        path=path,
        cwd=cwd,
        base=sha,
        git=git,
        submodules=(*present, *missing),
        warnings=warnings,
    )


def reopen_workspace(repo: Repository, workflow_id: str, saved: Mapping[str, Any]) -> Workspace:
    """The workspace that another process has left open, with all that an agent did in it since.

    Raises:
        StrettoError: It is gone.
    """
    path, admin = folder(repo, ids.workflow_id(workflow_id)) / str(saved["name"]), Path(str(saved["git_dir"]))
    if not path.is_dir() or not (admin / _PRISTINE).is_file():
        raise StrettoError(f"The workspace {str(path)!r} is gone, with what was done in it.")
    return Workspace(
        repository=repo,
        workflow_id=workflow_id,
        name=str(saved["name"]),
        path=path,
        cwd=path / repo.prefix,
        base=str(saved["base"]),
        git=worktrees.at(repo, path, admin),
        submodules=tuple(saved["submodules"]),
        warnings=(),
    )


def folder(repo: Repository, workflow_id: str) -> Path:
    """Where the workspaces of a workflow are."""
    return repo.store / "work" / workflow_id


async def clean(repo: Repository, workflow_id: str, keep: Collection[str] = ()) -> None:
    """Remove the workspaces of a workflow, those of killed runs too, but the ones named in `keep`; commits stay."""
    if repo.shadow and not repo.common.is_dir():
        return  # a folder without git, before its first workflow
    place = folder(repo, ids.workflow_id(workflow_id))
    await worktrees.remove_below(repo, place, [place / name for name in keep])
