"""`stretto store prune`: what workflows that are over have left, deleted; and how much room that gave back."""

import asyncio
import re
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

from stretto.agents.git import Git
from stretto.agents.refs import Move, branch_ref, move, own_ref
from stretto.agents.repository import Repository, open_repository
from stretto.agents.workspace import clean
from stretto.commands.amounts import size, some
from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.state import care_prune
from stretto.state.errors import BadInput
from stretto.state.log import Log

_AGE = re.compile(r"([0-9]{1,6})([dhm])")
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60}
OLDER_THAN = "30d"


class _Plan(NamedTuple):
    """What is to go: workflows, their refs by workflow, and whether the caches do; and why some refs stay."""

    names: list[str]
    refs: dict[str, list[str]]
    cache: bool
    kept: list[str]


def age(text: str) -> float:
    """`30d`, `12h` or `90m` in seconds.

    Raises:
        BadInput: It is none.
    """
    found = _AGE.fullmatch(text)
    if not found:
        raise BadInput(f"{text!r} is not an age.", field="--older-than", allowed=("30d", "12h", "90m"))
    return int(found[1]) * _SECONDS[found[2]]


def prune(app: App, *, older_than: str, keep: int, refs: bool, dry_run: bool) -> Reply:
    """Delete what finished workflows left in the store, or say what would go.

    Raises:
        BadInput: The age is none; nothing was deleted.
        StoreDamaged: The store is damaged; nothing was deleted.
    """
    before = time.time() - age(older_than)
    with Log.open(app.directory) as log:
        over = [p.workflow_id for p in care_prune.choose(log, app.directory, before=before, keep=keep)]
        quiet = not care_prune.busy_in(log, app.directory, log.workflows())
        plan = asyncio.run(_plan(app, over, refs=refs, quiet=quiet))
        if dry_run or not (plan.names or plan.cache or plan.refs):
            return _reply(plan, {}, "", dry_run=dry_run)
        sizes = care_prune.sizes(app.directory)
        with log.write() as tx:
            facts = {
                "operation_type": care_prune.OPERATION,
                "workflows": plan.names,
                "refs": sorted(plan.refs),
                "cache": plan.cache,
                "older_than": older_than,
                "before": datetime.fromtimestamp(before, UTC).isoformat(timespec="seconds"),
            }
            event = tx.event("SYSTEM_MAINTENANCE", "system", "store", facts)
        care_prune.delete(app.directory, plan.names, undo=plan.refs, cache=plan.cache)
        asyncio.run(_in_git(app, plan))
    now = care_prune.sizes(app.directory)
    return _reply(plan, {name: sizes[name] - now[name] for name in sizes}, event, dry_run=False)


async def _plan(app: App, over: list[str], *, refs: bool, quiet: bool) -> _Plan:
    names = care_prune.present(app.directory, over)
    cache = quiet and (app.directory / "cache").is_dir()
    if not refs:
        return _Plan(names, {}, cache, [])
    git = (await open_repository(app.project, app.directory)).git
    found = {name: await _refs(git, name) for name in over}
    unmerged = [name for name in over if found[name] and await git.commit_at(branch_ref(name))]
    return _Plan(names, {n: r for n, r in found.items() if r and n not in unmerged}, cache, unmerged)


async def _refs(git: Git, name: str) -> list[str]:
    ran = await git.call("for-each-ref", "--format=%(refname)", own_ref(name, ""))
    return ran.stdout.decode().split() if ran.code == 0 else []


async def _in_git(app: App, plan: _Plan) -> None:
    left = [name for name in plan.names if (app.directory / "work" / name).exists()]
    if not left and not plan.refs:
        return
    repository: Repository = await open_repository(app.project, app.directory)
    for name in left:
        await clean(repository, name)
    for refs in plan.refs.values():
        await move(repository.git, *(Move(ref, None) for ref in refs))


def _reply(plan: _Plan, freed: dict[str, int], event: str, *, dry_run: bool) -> Reply:
    total = sum(freed.values())
    facts: dict[str, Any] = {
        "workflows": plan.names,
        "refs": plan.refs,
        "refs_kept": plan.kept,
        "cache": plan.cache,
        "dry_run": dry_run,
        "freed_bytes": None if dry_run else total,
        "freed": freed,
    }
    kept = [f"  The refs of {name} stay: its branch is not merged." for name in plan.kept]
    if not (plan.names or plan.cache or plan.refs):
        text = "\n".join(["There is nothing to prune.", *kept])
        return Reply("store", text, facts, "prune", next_steps=("stretto store stats",))
    what = [
        *(f"  {name}: checkpoints, logs, worktrees" for name in plan.names),
        *(f"  {name}: {some(len(refs), 'ref')} below refs/stretto/" for name, refs in plan.refs.items()),
        *(["  cache/: results that are computed again when they are needed"] if plan.cache else []),
        *kept,
    ]
    if dry_run:
        text = "\n".join(["This would go; nothing was deleted:", *what])
        return Reply("store", text, facts, "prune", next_steps=("The same without --dry-run.",))
    places = ", ".join(f"{name} {size(count)}" for name, count in freed.items() if count)
    text = "\n".join([f"Pruned; {size(total)} came back{f' ({places})' if places else ''}:", *what])
    return Reply("store", text, facts, "prune", events=(event,), next_steps=("stretto store stats",))
