"""The end of a workflow: its branch merged in the user's checkout, or left, with the command for it; and undo."""

import os
import shlex
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal, NamedTuple

from stretto.agents import checkout
from stretto.agents.commits import differences
from stretto.agents.filelock import file_lock
from stretto.agents.git import Git, GitError
from stretto.agents.refs import (
    Move,
    Start,
    branch_name,
    branch_ref,
    checked_out_at,
    listed,
    move,
    own_ref,
    tip,
)
from stretto.agents.survey import changed_files
from stretto.state.errors import StateConflict

_MERGE_OPTIONS = (
    "--ff-only",
    "--commit",
    "--no-squash",
    "--no-overwrite-ignore",
    "--no-autostash",
    "--no-stat",
    "--quiet",
)
"""In full, since the user's settings may hold others for this branch."""

Policy = Literal["auto", "never"]


class Finish(NamedTuple):
    """Where the work is now. Unless it is merged, `reason` says why and `command` merges it."""

    merged: bool
    sha: str
    reason: str = ""
    command: str = ""


class Undone(NamedTuple):
    """What was taken back. `sha` is the work's last commit, which `get_back` brings again.

    `restored` says whether the user's checkout was changed: not if the work had never been merged.
    """

    sha: str
    base: str
    restored: bool
    get_back: str


def _command(git: Git, *args: str) -> str:
    return shlex.join(["git", *(git.where if git.git_dir else ()), *args])


def _record(store: Path, workflow_id: str) -> Path:
    return store / "undo" / workflow_id


async def finish(git: Git, store: Path, start: Start, policy: Policy) -> Finish:
    """Merge the workflow's branch in the checkout where that is safe. Doing it again changes nothing."""
    async with _checkout_lock(store):
        last = await tip(git, start.workflow_id)
        if await _is_merged(git, start, last):
            return await _merged(git, start, last)
        if await git.commit_at(own_ref(start.workflow_id, "undone")) == last:
            return Finish(False, last, "The workflow was undone.", _get_back(git, start.workflow_id))
        command = _command(git, "merge", branch_name(start.workflow_id))
        if policy == "never":
            return Finish(False, last, "Nobody asked to merge it (merge=never).", command)
        if reason := await _obstacle(git, store, start, last):
            return Finish(False, last, reason, command)
        record, ours = _record(store, start.workflow_id), set[str]()
        if (part := await git.commit_at(_delivered(start))) and await git.commit_at("HEAD") == part:
            ours = await checkout.made(git, start.base, part, record)
        await checkout.remember(git, start.base, last, record, ours)
        if refusal := await _merge(git, last):
            return Finish(False, last, refusal, command)
        return await _merged(git, start, last)


async def deliver(git: Git, store: Path, start: Start) -> Finish:
    """Bring the checkout to where a workflow stands that goes on later, if all it did so far is to add files.

    Its branch stays, and so does where it began: `undo` takes this back, too. Doing it again changes nothing.
    """
    async with _checkout_lock(store):
        last = await tip(git, start.workflow_id)
        if start.branch is not None and await _contains(git, f"refs/heads/{start.branch}", last):
            return Finish(True, last)
        command = _command(git, "merge", branch_name(start.workflow_id))
        if any(change.old for change in await differences(git, start.base, last)):
            return Finish(False, last, "It has changed files, and is not done yet.", command)
        if reason := await _obstacle(git, store, start, last):
            return Finish(False, last, reason, command)
        await checkout.remember(git, start.base, last, _record(store, start.workflow_id))
        if refusal := await _merge(git, last):
            return Finish(False, last, refusal, command)
        await move(git, Move(_delivered(start), last))
        return Finish(True, last)


def _delivered(start: Start) -> str:
    """The ref of what was brought to the checkout before the end."""
    return own_ref(start.workflow_id, "delivered")


def _checkout_lock(store: Path) -> AbstractAsyncContextManager[None]:
    return file_lock(store / "locks" / "checkout")


async def _branch_here(git: Git) -> str:
    """The branch that is checked out, or nothing."""
    return os.fsdecode((await git.call("symbolic-ref", "--quiet", "--short", "HEAD")).stdout).strip()


async def _is_merged(git: Git, start: Start, last: str) -> bool:
    """Whether the branch that the workflow began on holds its work: merged by us, by a killed run, or by hand."""
    if last == start.base:
        return await git.commit_at(own_ref(start.workflow_id, "undone")) is None
    if await git.commit_at(own_ref(start.workflow_id, "done")):
        return True
    return start.branch is not None and await _contains(git, f"refs/heads/{start.branch}", last)


async def _contains(git: Git, ref: str, sha: str) -> bool:
    return (await git.call("merge-base", "--is-ancestor", sha, ref)).code == 0


async def _merged(git: Git, start: Start, last: str) -> Finish:
    """Keep `done`, drop the branch, unless the user has it checked out."""
    ref = branch_ref(start.workflow_id)
    moves = [Move(own_ref(start.workflow_id, "done"), last)]
    if await git.commit_at(ref) == last and await checked_out_at(git, ref) is None:
        moves.append(Move(ref, None, last))
    await move(git, *moves)
    return Finish(True, last)


async def _obstacle(git: Git, store: Path, start: Start, last: str) -> str:
    """Why the checkout must not be touched, or nothing."""
    if start.branch is None:
        return f"HEAD was detached at {start.base[:12]} when the workflow began."
    here = await _branch_here(git)
    if here != start.branch:
        return f"The workflow began on {start.branch!r}, and {here or 'a detached HEAD'} is checked out now."
    head = await git.commit_at("HEAD")
    if head is None or head not in (start.base, await git.commit_at(_delivered(start))):
        count = await git.line("rev-list", "--count", f"{start.base}..HEAD")
        return f"{start.branch!r} has moved since the workflow began, by {count} commits."
    if dirty := await changed_files(git, store, untracked=False):
        return f"The checkout has uncommitted changes: {listed(dirty)}."
    if blocking := await checkout.in_the_way(git, head, last):
        return f"Files that git does not know are in the way: {listed(blocking)}."
    return ""


async def _merge(git: Git, last: str) -> str:
    try:
        await git.run("merge", *_MERGE_OPTIONS, last)
    except GitError as error:
        return f"git refused to merge it: {error.stderr}"
    return ""


async def undo(git: Git, store: Path, start: Start) -> Undone:
    """Take the workflow back. Doing it again changes nothing.

    Raises:
        StateConflict: Commits or changes of the user's would be lost; nothing was changed.
    """
    async with _checkout_lock(store):
        last = await tip(git, start.workflow_id)
        await _not_checked_out(git, start)
        merged = last != start.base and await _is_merged(git, start, last)
        there = last if merged else await git.commit_at(_delivered(start))
        restored = there is not None and await _take_back(git, store, start, there)
        await _keep_undone(git, start, last)
        return Undone(last, start.base, restored, _get_back(git, start.workflow_id))


def _get_back(git: Git, workflow_id: str) -> str:
    return _command(git, "merge", own_ref(workflow_id, "undone"))


async def _keep_undone(git: Git, start: Start, last: str) -> None:
    drop = [branch_ref(start.workflow_id), own_ref(start.workflow_id, "done"), _delivered(start)]
    there = [ref for ref in drop if await git.commit_at(ref)]
    await move(git, Move(own_ref(start.workflow_id, "undone"), last), *(Move(ref, None) for ref in there))


async def _not_checked_out(git: Git, start: Start) -> None:
    where = await checked_out_at(git, branch_ref(start.workflow_id))
    if where is not None:
        raise StateConflict(
            f"The branch {branch_name(start.workflow_id)!r} is checked out in {where!r}; nothing was changed.",
            next_steps=["Switch to another branch there, then undo again."],
        )


async def _take_back(git: Git, store: Path, start: Start, last: str) -> bool:
    """Bring the checkout back to where it was; return whether there was anything to do."""
    ref = f"refs/heads/{start.branch}"
    head = await git.commit_at(ref)
    if head not in (last, start.base) and await _contains(git, ref, last):
        raise StateConflict(
            f"{start.branch!r} has commits on top of the work of {start.workflow_id!r}; nothing was changed.",
            next_steps=[_command(git, "revert", "--no-edit", f"{start.base}..{last}")],
        )
    if head == last:
        await _may_reset(git, store, start, last)
        await git.run("reset", "--keep", "--quiet", start.base)
    if head in (last, start.base):  # at the base already: an undo that was killed after its reset
        await checkout.give_back(git, _record(store, start.workflow_id))
    return head == last


async def _may_reset(git: Git, store: Path, start: Start, last: str) -> None:
    here = await _branch_here(git)
    if here != start.branch:
        raise StateConflict(
            f"The work of {start.workflow_id!r} is merged in {start.branch!r}, which is not checked out here; nothing "
            "was changed.",
            next_steps=[_command(git, "switch", start.branch or ""), "Then undo again."],
        )
    if dirty := await changed_files(git, store, untracked=False):
        raise StateConflict(
            f"The checkout has uncommitted changes ({listed(dirty)}); nothing was changed.",
            next_steps=["Commit or stash them, then undo again."],
        )
    if blocking := await checkout.in_the_way(git, last, start.base):
        raise StateConflict(
            f"Files that git does not know are in the way ({listed(blocking)}); nothing was changed.",
            next_steps=["Move them away, then undo again."],
        )
