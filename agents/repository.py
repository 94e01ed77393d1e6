"""The project's repository as Stretto uses it: one branch a workflow, made, filled, merged and taken back.

The user's checkout is only read, until `finish` merges or `undo` takes back; everything before happens in refs and
objects, and in worktrees in the store (agents/workspace.py).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stretto.agents import commits, delivery, refs, shadow
from stretto.agents.delivery import Finish, Policy, Undone
from stretto.agents.git import Git, check_version
from stretto.agents.refs import RefMoved, Start
from stretto.agents.squash import Group
from stretto.agents.squash import squash as squash_landings
from stretto.agents.survey import missing_identity, submodule_names, survey
from stretto.state import ids
from stretto.state.errors import BadInput, NotFound, StateConflict

_TRIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """One project under git, or in a private repository of ours (`shadow`).

    `top` is the checkout's root and `prefix` the project's folder in it ("" when they are one). `head` is None only
    for a folder without git before its first workflow. `dirty` holds paths from the top; `warnings` are sentences for
    the user, in this order.
    """

    git: Git
    top: Path
    prefix: str
    common: Path
    store: Path
    shadow: bool
    head: str | None
    branch: str | None
    dirty: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def project(self) -> Path:
        """The project's folder in the user's checkout."""
        return self.top / self.prefix

    async def begin(self, workflow_id: str) -> Start:
        """Create the workflow's branch at the commit that is checked out now; on a resume, say where it began.

        Raises:
            StateConflict: The branch's name is taken.
            BadInput: The id is unusable, or a folder without git is no project.
        """
        ids.workflow_id(workflow_id)
        if known := await refs.read_start(self.git, workflow_id):
            return known
        if self.shadow:
            sha = await shadow.snapshot(self.git, self.store)
            return await refs.begin(self.git, Start(workflow_id, sha, shadow.BRANCH))
        head = await self.git.line("rev-parse", "HEAD")
        branch = await self.git.call("symbolic-ref", "--quiet", "--short", "HEAD")
        name = os.fsdecode(branch.stdout).strip() if branch.code == 0 else None
        return await refs.begin(self.git, Start(workflow_id, head, name))

    async def go_on(self, workflow_id: str, other: str, commit: str) -> Start:
        """Create the workflow's branch at a commit of another one's; it began where that one did.

        Raises:
            StateConflict: The branch's name is taken.
            NotFound: This repository has no work of the other one, or not that commit.
        """
        ids.workflow_id(workflow_id)
        start = await refs.need_start(self.git, other)
        if await self.git.commit_at(commit) is None:
            raise NotFound(f"The commit {commit[:12]} of {other!r} is gone; nothing was begun.", field="continue-from")
        return await refs.begin(self.git, start._replace(workflow_id=workflow_id), at=commit)

    async def started(self, workflow_id: str) -> Start:
        """Where the workflow began.

        Raises:
            NotFound: This repository has no work of it.
        """
        return await refs.need_start(self.git, ids.workflow_id(workflow_id))

    async def tip(self, workflow_id: str) -> str:
        """The workflow's newest commit, whether on its branch, merged, or taken back.

        Raises:
            NotFound: This repository has no work of it.
        """
        return await refs.tip(self.git, ids.workflow_id(workflow_id))

    async def submodule_names(self, commit: str) -> dict[str, str]:
        """The submodules of a commit: name → path from the top."""
        return await submodule_names(self.git, commit)

    async def landed(self, workflow_id: str, task_id: str) -> str | None:
        """The commit with which a task's result is on the branch already, or None.

        A driver killed between the landing and its record asks this before it runs the task again.
        """
        start = await self.started(workflow_id)
        commits_ = await commits.log(self.git, start.base, await self.tip(workflow_id))
        return next((c.sha for c in commits_ if task_id in c.tasks), None)

    async def commit_files(self, workflow_id: str, files: Mapping[str, bytes | None], message: str, key: str) -> str:
        """Commit `files` (path in the project's folder → content, None to delete) on the workflow's branch.

        Returns the commit; the branch's tip if nothing changes; the earlier commit if `key` was used before.

        Raises:
            BadInput: A path leaves the project or would replace a folder, a link or a submodule.
            NotFound: This repository has no work of the workflow.
        """
        commits.check_key(key)
        start = await self.started(workflow_id)
        for _ in range(_TRIES):
            head = await self.tip(workflow_id)
            if done := await self._keyed(start.base, head, key):
                return done
            new = await commits.commit_files(self.git, head, self.prefix, files, message, key)
            try:
                await refs.move(self.git, refs.Move(refs.branch_ref(workflow_id), new, head))
            except RefMoved:
                continue  # a task landed in between: put the files on top of it
            return new
        raise StateConflict(f"The branch of {workflow_id!r} keeps moving; nothing was committed. Try again.")

    async def _keyed(self, base: str, head: str, key: str) -> str | None:
        return next((c.sha for c in await commits.log(self.git, base, head) if c.key == key), None)

    async def squash(self, workflow_id: str, groups: Sequence[Group], since: str) -> dict[str, str]:
        """Rewrite the landings after the commit `since` as one commit for each group; return key → commit.

        See `squash.squash`. Doing it again changes nothing.
        """
        await self.started(workflow_id)
        return await squash_landings(self.git, workflow_id, self.prefix, groups, since)

    async def finish(self, workflow_id: str, policy: Policy = "auto") -> Finish:
        """Merge the workflow in the user's checkout, or say why it stays on its branch and how to merge it."""
        start = await self.started(workflow_id)
        return await delivery.finish(self.git, self.store, start, policy)

    async def deliver(self, workflow_id: str) -> Finish:
        """Merge what the workflow has added so far in the user's checkout, or say why not; it can go on afterwards."""
        return await delivery.deliver(self.git, self.store, await self.started(workflow_id))

    async def undo(self, workflow_id: str) -> Undone:
        """Take the workflow back; its commits stay reachable.

        Raises:
            StateConflict: Commits or changes of the user's would be lost; nothing was changed.
            NotFound: This repository has no work of it.
        """
        start = await self.started(workflow_id)
        return await delivery.undo(self.git, self.store, start)

    async def diff(self, workflow_id: str) -> str:
        """What the workflow changes, as a patch in git's own form."""
        start = await self.started(workflow_id)
        patch = await self.git.run(
            "diff", "--binary", "--no-ext-diff", "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/",
            start.base, await self.tip(workflow_id),
        )  # fmt: skip
        return patch.decode(errors="replace")


async def open_repository(project: Path, store: Path) -> Repository:
    """Find the repository of the folder `project`. Reads only.

    `store` is Stretto's state directory; worktrees and private repositories live below it.

    Raises:
        BadInput: The folder is not there, is bare or git's own, or has no commit yet.
        PermanentError: git is missing or older than 2.38.
        GitError: git refuses to read it.
    """
    project, store = project.resolve(), store.resolve()
    if not project.is_dir():
        raise BadInput(f"{str(project)!r} is not a folder.", field="project")
    outside = Git(project)
    await check_version(outside)
    top = await _toplevel(outside)
    if top is None:
        return await _open_shadow(project, store)
    git = Git(top, config=await missing_identity(Git(top)))
    head = await git.commit_at("HEAD")
    if head is None:
        raise BadInput(
            f"The repository {str(top)!r} has no commit yet, so there is nothing to work from.",
            field="project",
            next_steps=["Make the first commit: git add -A && git commit -m 'Begin'"],
        )
    common = Path(await git.line("rev-parse", "--path-format=absolute", "--git-common-dir"))
    facts = await survey(git, common, store, head)
    prefix = "" if project == top else project.relative_to(top).as_posix()
    return Repository(
        git=git,
        top=top,
        prefix=prefix,
        common=common,
        store=store,
        shadow=False,
        head=head,
        branch=facts.branch,
        dirty=facts.dirty,
        hooks=facts.hooks,
        submodules=facts.submodules,
        warnings=(*facts.warnings, *_about_identity(git), *_about_prefix(prefix)),
    )


async def _toplevel(git: Git) -> Path | None:
    """The checkout that the folder belongs to, or None where git is not in charge of it.

    A project that an outer repository ignores (a home folder under git, say) is not part of it.
    """
    ran = await git.call("rev-parse", "--show-toplevel")
    if ran.code == 0:
        top = Path(os.fsdecode(ran.stdout.rstrip(b"\n"))).resolve()
        return None if top != git.root and await _ignored(Git(top), git.root) else top
    words = ran.stderr.decode(errors="replace").strip()
    if "not a git repository" in words:
        return None
    raise BadInput(f"git cannot work in {str(git.root)!r}: {words}", field="project")


async def _ignored(git: Git, folder: Path) -> bool:
    plain = {"GIT_LITERAL_PATHSPECS": "0"}  # the one command that does not know the setting
    return (await git.call("check-ignore", "--quiet", str(folder), env=plain)).code == 0


async def _open_shadow(project: Path, store: Path) -> Repository:
    bare = shadow.shadow_git(project, store)
    git = bare.configured(*await missing_identity(Git(project)))
    return Repository(
        git=git,
        top=project,
        prefix="",
        common=bare.told,
        store=store,
        shadow=True,
        head=await git.commit_at("HEAD") if bare.told.is_dir() else None,
        branch=shadow.BRANCH,
        warnings=tuple(shadow.warnings(git)),
    )


def _about_identity(git: Git) -> list[str]:
    if not git.config:
        return []
    names = " and ".join(c.partition("=")[0] for c in git.config)
    values = ", ".join(c.partition("=")[2] for c in git.config)
    return [f"git has no {names} here: the commits of this workflow carry {values}."]


def _about_prefix(prefix: str) -> list[str]:
    return [f"The project is the folder {prefix!r} of a larger repository: agents work there."] if prefix else []
