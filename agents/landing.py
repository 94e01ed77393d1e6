"""Landing: the commit of one attempt put on the workflow's branch, one at a time, behind the task's checks."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from stretto.agents.checks import CheckReport
from stretto.agents.commits import commit_text, message_of
from stretto.agents.filelock import file_lock
from stretto.agents.git import Git, failure, split
from stretto.agents.refs import Move, RefMoved, branch_ref, move
from stretto.agents.workspace import Workspace
from stretto.state.errors import StateConflict

Checks = Callable[[Path], Awaitable[CheckReport]]
"""Runs the task's checks in the folder it is given."""

_TRIES = 5
_MOST_TEXT = 4_000
_CONTEXT = 3


class Conflict(NamedTuple):
    """One path that two tasks changed differently. `text` shows both sides (and what they began with)."""

    path: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """How it went.

    `sha` is the commit on the branch if it landed; the merged commit that failed its checks; or, at a conflict, the
    attempt's own commit. All three stay reachable. `log` is what the next attempt should be told.
    """

    status: Literal["landed", "conflict", "check_failed"]
    sha: str
    conflicts: tuple[Conflict, ...] = ()
    report: CheckReport | None = None
    log: str = ""


class _Merge(NamedTuple):
    tree: str
    conflicts: tuple[Conflict, ...]


async def land(workspace: Workspace, sha: str, task_id: str, checks: Checks) -> Landing:
    """Put `sha`, a commit of this workspace, on the workflow's branch.

    It is merged in memory first. If the merged files are not exactly those of `sha`, they are checked out in the
    workspace and `checks` runs on them there; nothing moves unless all pass. A task that has landed before (a driver
    was killed before it could record it) is not landed again.

    Raises:
        StateConflict: The branch keeps moving under us.
    """
    repo = workspace.repository
    async with file_lock(repo.store / "locks" / f"land-{workspace.workflow_id}"):
        if done := await repo.landed(workspace.workflow_id, task_id):
            return Landing(status="landed", sha=done)
        for _ in range(_TRIES):
            try:
                return await _try(workspace, sha, checks)
            except RefMoved:
                continue
    raise StateConflict(f"The branch of {workspace.workflow_id!r} keeps moving; the work of {task_id!r} is in {sha}.")


async def _try(workspace: Workspace, sha: str, checks: Checks) -> Landing:
    git = workspace.repository.git
    head = await git.line("rev-parse", branch_ref(workspace.workflow_id))
    merge = await _merge(git, head, sha)
    if merge.conflicts:
        return Landing(status="conflict", sha=sha, conflicts=merge.conflicts, log=_told(merge.conflicts))
    merged = await _commit(git, merge.tree, head, sha)
    report = None
    if merge.tree != await git.line("rev-parse", f"{sha}^{{tree}}"):
        report = await _checked(workspace, sha, merged, checks)
        if not report.passed:
            return Landing(status="check_failed", sha=merged, report=report, log=report.text)
    await move(git, Move(branch_ref(workspace.workflow_id), merged, head))
    return Landing(status="landed", sha=merged, report=report)


async def _commit(git: Git, tree: str, head: str, sha: str) -> str:
    """`sha` itself where it stands on the head already, else the same message on the merged tree."""
    if await git.line("rev-parse", f"{sha}^") == head:
        return sha
    return await commit_text(git, tree, head, await message_of(git, sha))


async def _checked(workspace: Workspace, sha: str, merged: str, checks: Checks) -> CheckReport:
    await workspace.keep_merged(merged)
    await workspace.show(sha, merged)
    return await checks(workspace.cwd)


async def _merge(git: Git, head: str, sha: str) -> _Merge:
    arguments = ("merge-tree", "--write-tree", "-z", head, sha)
    ran = await git.configured("merge.conflictStyle=diff3").call(*arguments)
    if ran.code not in (0, 1):
        raise failure(arguments, ran)
    tree, *fields = split(ran.stdout) if ran.stdout.endswith(b"\0") else [ran.stdout.decode().strip()]
    if ran.code == 0:
        return _Merge(tree, ())
    end = fields.index("")
    paths = dict.fromkeys(field.partition("\t")[2] for field in fields[:end])
    said = _messages(fields[end + 1 :])
    return _Merge(tree, tuple([Conflict(p, await _hunks(git, tree, p) or said.get(p, "")) for p in paths]))


def _messages(fields: list[str]) -> dict[str, str]:
    """Sentences of git by path, from: count, that many paths, kind, sentence, and so on."""
    said: dict[str, str] = {}
    position = 0
    while position < len(fields):
        count = int(fields[position])
        paths = fields[position + 1 : position + 1 + count]
        kind, sentence = fields[position + 1 + count : position + 3 + count]
        if kind.startswith("CONFLICT"):
            said.update({path: sentence.strip() for path in paths})
        position += count + 3
    return said


async def _hunks(git: Git, tree: str, path: str) -> str:
    """The conflicting places of a file with a few lines around them."""
    ran = await git.call("cat-file", "blob", f"{tree}:{path}")
    if ran.code or b"\0" in ran.stdout:
        return ""
    lines = ran.stdout.decode(errors="replace").splitlines()
    begins = [i for i, line in enumerate(lines) if line.startswith("<<<<<<< ")]
    ends = [i for i, line in enumerate(lines) if line.startswith(">>>>>>> ")]
    shown = ["\n".join(lines[max(0, a - _CONTEXT) : b + _CONTEXT + 1]) for a, b in zip(begins, ends, strict=False)]
    return "\n…\n".join(shown)[:_MOST_TEXT]


def _told(conflicts: tuple[Conflict, ...]) -> str:
    parts = "\n\n".join(f"{conflict.path}\n{conflict.text}" for conflict in conflicts)
    return (
        "Another task changed the same places first, so this work was not merged. Do the task again on top of what is "
        f"there now, and keep both sides' intent. The conflicts:\n\n{parts}"
    )
