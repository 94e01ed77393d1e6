"""The refs of a workflow: which there are, and how several move at once or not at all.

refs/heads/stretto/<id>            the branch, while the work is not yet merged
refs/stretto/<id>/start            a blob: where the workflow began
refs/stretto/<id>/work/<name>      the commit of each attempt, landed or not
refs/stretto/<id>/merged/<name>    the same, merged with the branch, when that had to be checked
refs/stretto/<id>/landed/<sha>     the branch as it was before a phase was squashed
refs/stretto/<id>/done, …/undone   the tip, once merged or taken back
"""

import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stretto.agents.git import Git, GitError, failure, split
from stretto.state.errors import NotFound, StateConflict

_STALE_SECONDS = 60.0


class Start(NamedTuple):
    """Where a workflow began: the commit, and the branch that was checked out (None: a detached HEAD)."""

    workflow_id: str
    base: str
    branch: str | None


class Move(NamedTuple):
    """One ref's change. `old` None: it must not exist yet; `new` None: delete it; `old` empty: whatever it was."""

    ref: str
    new: str | None
    old: str | None = ""


def branch_name(workflow_id: str) -> str:
    """The workflow's branch, as `git merge` takes it."""
    return f"stretto/{workflow_id}"


def branch_ref(workflow_id: str) -> str:
    """The workflow's branch, in full."""
    return f"refs/heads/{branch_name(workflow_id)}"


def own_ref(workflow_id: str, name: str) -> str:
    """A ref that is not a branch, so that `git branch` stays short."""
    return f"refs/stretto/{workflow_id}/{name}"


class RefMoved(StateConflict):
    """A ref was not what we had read; nothing was moved."""


async def move(git: Git, *moves: Move) -> None:
    """Make all `moves` in one transaction.

    Raises:
        RefMoved: One of the refs is not at its `old` value.
        GitError: git cannot write them.
    """
    lines = "".join(_instruction(m) for m in moves)
    ran = await git.call("update-ref", "--stdin", "-z", stdin=lines.encode())
    if ran.code and _unlocked(ran.stderr):
        ran = await git.call("update-ref", "--stdin", "-z", stdin=lines.encode())
    if ran.code == 0:
        return
    error = failure(("update-ref", *(m.ref for m in moves)), ran)
    if re.search(r"but expected|already exists|unable to resolve reference", error.stderr):
        raise RefMoved(f"Another process moved a branch of this workflow; nothing was changed. {error.stderr}")
    raise error


def _unlocked(stderr: bytes) -> bool:
    """Remove the lock that git names, if it is on a ref of ours and old: git holds one for moments."""
    found = re.search(r"Unable to create '(.+/refs/(?:heads/)?stretto/.+\.lock)': File exists", os.fsdecode(stderr))
    lock = Path(found[1]) if found else None
    if lock is None or not lock.is_file() or time.time() - lock.stat().st_mtime < _STALE_SECONDS:
        return False
    lock.unlink(missing_ok=True)
    return True


def _instruction(change: Move) -> str:
    if change.old is None:
        return f"create {change.ref}\0{change.new}\0"
    if change.new is None:
        return f"delete {change.ref}\0{change.old}\0"
    return f"update {change.ref}\0{change.new}\0{change.old}\0"


async def read_start(git: Git, workflow_id: str) -> Start | None:
    """Where this workflow began, or None if this repository does not know it."""
    ran = await git.call("cat-file", "blob", own_ref(workflow_id, "start"))
    if ran.code:
        return None
    facts = json.loads(ran.stdout)
    return Start(workflow_id, facts["base"], facts["branch"])


async def need_start(git: Git, workflow_id: str) -> Start:
    """Where this workflow began.

    Raises:
        NotFound: This repository has no work of it.
    """
    start = await read_start(git, workflow_id)
    if start is None:
        raise NotFound(f"This repository holds no work of a workflow {workflow_id!r}.", field="workflow_id")
    return start


async def begin(git: Git, start: Start, at: str = "") -> Start:
    """Create the branch at the base, or `at` a commit after it, unless the workflow has begun; return how it began.

    Raises:
        StateConflict: The branch was made by someone else, or its name is taken by a branch `stretto`.
    """
    if (known := await read_start(git, start.workflow_id)) is not None:
        return known
    record = json.dumps({"base": start.base, "branch": start.branch}).encode()
    blob = await git.line("hash-object", "-w", "--stdin", stdin=record)
    try:
        await move(
            git,
            Move(branch_ref(start.workflow_id), at or start.base, None),
            Move(own_ref(start.workflow_id, "start"), blob, None),
        )
    except (RefMoved, GitError) as error:
        raise StateConflict(
            f"The branch {branch_name(start.workflow_id)!r} cannot be made; nothing was changed. {error.message}",
            next_steps=["Rename or delete the branch that is in the way: git branch --list 'stretto*'"],
        ) from error
    return start


async def tip(git: Git, workflow_id: str) -> str:
    """The newest commit of the workflow, wherever its work stands: on its branch, merged, or taken back.

    Raises:
        NotFound: This repository has no work of it.
    """
    places = (branch_ref(workflow_id), own_ref(workflow_id, "done"), own_ref(workflow_id, "undone"))
    for ref in places:
        if sha := await git.commit_at(ref):
            return sha
    raise NotFound(
        f"The branch {branch_name(workflow_id)!r} is gone; nothing was changed.",
        field="workflow_id",
        next_steps=[f"Its commits are still there: git for-each-ref refs/stretto/{workflow_id}"],
    )


async def checked_out_at(git: Git, ref: str) -> str | None:
    """The working tree in which `ref` is checked out, or None."""
    path = ""
    for field in split(await git.run("worktree", "list", "--porcelain", "-z")):
        name, _, value = field.partition(" ")
        if name == "worktree":
            path = value
        if name == "branch" and value == ref:
            return path
    return None


def listed(paths: Sequence[str], most: int = 5) -> str:
    """Some paths, for a sentence."""
    rest = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + rest
