"""The landed commits of a phase, one for each task, rewritten as one commit for each phase of the plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stretto.agents.commits import (
    KEY,
    TASK,
    Difference,
    Entry,
    Logged,
    check_key,
    commit,
    commit_text,
    differences,
    entries_for,
    log,
    message_of,
    tree_with,
)
from stretto.agents.git import Git
from stretto.agents.refs import Move, branch_ref, move, own_ref
from stretto.state.errors import StrettoError

Entries = list[tuple[str, Entry | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What becomes one commit: the landings of `tasks`, and files of ours (paths relative to the project's folder)."""

    message: str
    key: str
    tasks: frozenset[str]
    extra_files: Mapping[str, bytes | None] = field(default_factory=dict[str, bytes | None])


@dataclass(frozen=True, slots=True)
class _Landing:
    """A commit, the place of its group in the new order, and what it changed."""

    rank: int
    logged: Logged
    changed: Sequence[Difference]


async def squash(git: Git, workflow_id: str, prefix: str, groups: Sequence[Group], since: str) -> dict[str, str]:
    """Rewrite the branch after `since` and return the new commit of each group's key.

    A group that changed nothing has no commit. Landings that no group claims stay commits of their own, after the
    groups. The tree at the end is the tree before plus the extra files; the commits before stay reachable.

    Raises:
        BadInput: An extra file leaves the project.
        RefMoved: The branch moved meanwhile.
        StrettoError: The trees differ; the branch is untouched.
    """
    head = await git.line("rev-parse", branch_ref(workflow_id))
    keys = {check_key(group.key) for group in groups}
    landings = await log(git, since, head)
    if done := {c.key: c.sha for c in landings if c.key in keys}:
        return done
    made, tip = await _rewrite(
        git, prefix, groups, since, [await _landing(git, groups, i, c) for i, c in enumerate(landings)]
    )
    await _same(git, head, tip, prefix, groups)
    if tip != head:
        await move(
            git,
            Move(branch_ref(workflow_id), tip, head),
            Move(own_ref(workflow_id, f"landed/{head[:16]}"), head),
        )
    return made


async def _landing(git: Git, groups: Sequence[Group], position: int, logged: Logged) -> _Landing:
    claimed = (rank for rank, group in enumerate(groups) if group.tasks & set(logged.tasks))
    rank = next(claimed, len(groups) + position)
    return _Landing(rank, logged, await differences(git, f"{logged.sha}^", logged.sha))


async def _rewrite(
    git: Git, prefix: str, groups: Sequence[Group], since: str, landings: Sequence[_Landing]
) -> tuple[dict[str, str], str]:
    base = await git.line("rev-parse", f"{since}^{{tree}}")
    extra: Entries = []
    made: dict[str, str] = {}
    tip, tree = since, base
    for rank in sorted({*range(len(groups)), *(x.rank for x in landings)}):
        if rank < len(groups):
            extra += await entries_for(git, tree, prefix, groups[rank].extra_files)
        new = await tree_with(git, base, [*_versions(landings, rank), *extra])
        if new == tree:
            continue
        tip, tree = await _commit(git, new, tip, groups, landings, rank), new
        if rank < len(groups):
            made[groups[rank].key] = tip
    return made, tip


def _versions(landings: Sequence[_Landing], rank: int) -> Entries:
    """For each path its version after the last landing of the groups up to `rank`, in the order of landing.

    Of one landing the paths come in their order, so that a file is gone before the folder that takes its place.
    """
    last: dict[str, tuple[int, Entry | None]] = {}
    for position, landing in enumerate(landings):
        if landing.rank <= rank:
            last.update({d.path: (position, d.new) for d in landing.changed})
    ordered = sorted(last.items(), key=lambda item: (item[1][0], item[0]))
    return [(path, entry) for path, (_, entry) in ordered]


async def _commit(
    git: Git, tree: str, parent: str, groups: Sequence[Group], landings: Sequence[_Landing], rank: int
) -> str:
    mine = [x.logged for x in landings if x.rank == rank]
    trailers = [(TASK, task) for logged in mine for task in logged.tasks]
    if rank < len(groups):
        return await commit(git, tree, parent, groups[rank].message, [*trailers, (KEY, groups[rank].key)])
    return await commit_text(git, tree, parent, await message_of(git, mine[0].sha))


async def _same(git: Git, head: str, tip: str, prefix: str, groups: Sequence[Group]) -> None:
    """Nothing may be lost: compare with the head and all extra files on top of it."""
    expected = await git.line("rev-parse", f"{head}^{{tree}}")
    for group in groups:
        expected = await tree_with(git, expected, await entries_for(git, expected, prefix, group.extra_files))
    found = await git.line("rev-parse", f"{tip}^{{tree}}")
    if found != expected:
        raise StrettoError(
            f"The phase's commits could not be put in order: the result would be tree {found[:12]}, not "
            f"{expected[:12]}. The branch is untouched, with one commit for each task."
        )
