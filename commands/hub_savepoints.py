"""/coordination-hub checkpoint, restore and rollback: named checkpoints of a workflow and of the project's files."""

import asyncio
import time
from typing import Any, NamedTuple

from stretto.agents import savepoints as files
from stretto.agents.repository import open_repository
from stretto.commands.app import App
from stretto.commands.coordinating import looking, workflow_named, writing
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.recovery_words import not_driven
from stretto.commands.reply import Reply
from stretto.graph import coordination, intervals, points, savepoints
from stretto.graph.savepoints import Kept, Savepoint
from stretto.state.chosen import chosen as settings
from stretto.state.errors import BadInput
from stretto.state.rows import WorkflowRow
from stretto.state.store import find_project


class Back(NamedTuple):
    """How a workflow goes back: `others` have the name of its checkpoint, too; of its files only `paths`, if any."""

    others: int
    alternative: bool = False
    parts: tuple[savepoints.Part, ...] = savepoints.PARTS
    paths: tuple[str, ...] = ()


def checkpoint(invocation: Invocation, app: App) -> Reply:
    """`ID checkpoint "name"`, or `'{"name": "…"}'`."""
    fields = Fields(invocation.json[0] if invocation.json else {})
    inside = fields.text("name", longest=100)
    fields.close()
    name = invocation.words[0].text if invocation.words else inside
    if not name:
        raise BadInput("A checkpoint needs a name.", field="name")
    with looking(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        coordination.coordinated(row)
    kept = keep_files(app, row)
    with writing(app) as desk:
        made = savepoints.make(desk.tx, row, name, "manual", kept)
    result = {"checkpoint_id": made.id, "name": name, "files": kept.tree, "digest": made.digest}
    steps = (f"stretto coordination-hub restore {row.id} {name.split()[0]}",)
    text = f"{row.id}: checkpoint {name!r} is kept as {made.id}, with the project's files."
    return Reply("coordination-hub", text, result, invocation.operation, row.id, tuple(desk.tx.ids), steps)


def keep_files(app: App, row: WorkflowRow) -> Kept:
    """Keep the project's files. Not within a transaction: others should not wait for git to write to the log."""
    began = time.perf_counter()
    tree = asyncio.run(files.keep(find_project(app.project), app.directory, row.id))
    return Kept(tree, time.perf_counter() - began)


def if_due(app: App, name: str) -> tuple[str, ...]:
    """Keep a running workflow's state when its last checkpoint is too old; return the ids of the events."""
    with looking(app) as desk:
        row = coordination.row_of(desk.tx, name)
        chosen = settings(desk.tx.database, intervals.CHECKPOINTS)
        if not chosen.version or row.status != "RUNNING":
            return ()
        if not intervals.due(desk.tx.database, row.id, chosen.value, desk.now):
            return ()
    kept = keep_files(app, row)
    with writing(app) as desk:
        savepoints.make(desk.tx, row, f"at_{row.phase}", "interval", kept)
    return tuple(desk.tx.ids)


def wanted(row: WorkflowRow) -> bool:
    """Whether checkpoints are made at the boundaries of phases; they are unless somebody chose otherwise."""
    chosen: str = coordination.coordinated(row).state_sync.get("checkpoints", "phase_boundary")
    return chosen == "phase_boundary"


def restore(invocation: Invocation, app: App) -> Reply:
    """`ID restore NAME`, or `'{"checkpoint_id": …, "validate_state": …, "prepare_alternative": …}'`; so is rollback."""
    fields = Fields(invocation.json[0] if invocation.json else {})
    inside = fields.text("checkpoint_id", longest=200)
    fields.always("validate_state")
    alternative = fields.flag("prepare_alternative")
    fields.close()
    asked = invocation.words[0].text if invocation.words else inside
    if not asked:
        raise BadInput("Which checkpoint?", field="checkpoint_id", next_steps=("… restore ID NAME",))
    with looking(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        found, others = points.find(desk.tx.database, row.id, asked)
        savepoints.check(found)
        savepoints.may_restore(row)
        not_driven(desk, row)
    if "commit" in found.snapshot:
        return _stepped_back(invocation, app, row, found, others, alternative=alternative)
    return restored(invocation, app, row, found, Back(others, alternative))


def _stepped_back(
    invocation: Invocation, app: App, row: WorkflowRow, found: Savepoint, others: int, *, alternative: bool
) -> Reply:
    """A driven workflow goes back to a commit of its branch, which must be there; no file of the checkout changes."""
    commit = str(found.snapshot["commit"])
    there(app, commit)
    with writing(app) as desk:
        facts = savepoints.restore(desk.tx, row, found, desk.capacity, (), alternative=alternative)
    result: dict[str, Any] = {**facts, "commit": commit, "others_of_this_name": others}
    lines = [
        f"{row.id} stands again as at {found.name!r} ({found.at}): commit {commit[:12]} of its branch, which is there.",
        "files: the checkout was not touched by it, and is not now. Its branch and what came later stay; a workflow"
        " that continues from it begins at that commit",
        *([f"a place is kept for an alternative to {facts['alternative_for']}"] if "alternative_for" in facts else []),
    ]
    steps = (
        f'stretto orchestrate "…" --continue-from={row.id} --strategy=conservative --recovery-mode',
        f"stretto orchestrate --resume {row.id}   (goes on where it stood, not at the checkpoint)",
    )
    return Reply("coordination-hub", "\n".join(lines), result, invocation.operation, row.id, tuple(desk.tx.ids), steps)


def there(app: App, commit: str) -> None:
    """Whether a commit of a workflow's branch is in the repository.

    Raises:
        CheckpointDamaged: It is not.
    """

    async def looked() -> int:
        repository = await open_repository(app.project, app.directory)
        return (await repository.git.call("cat-file", "-e", f"{commit}^{{commit}}")).code

    if asyncio.run(looked()):
        raise savepoints.CheckpointDamaged(
            f"The commit {commit[:12]} of this checkpoint is gone; nothing was restored."
        )


def restored(invocation: Invocation, app: App, row: WorkflowRow, found: Savepoint, how: Back) -> Reply:
    """Take a coordinated workflow back to a checkpoint that was checked; what the files were is kept before."""
    project = find_project(app.project)
    before = keep_files(app, row)
    with writing(app) as first:
        backup = savepoints.make(first.tx, row, f"before_{found.name}", "before_restore", before)
    back = files.Restored((), (), ())
    if "files" in how.parts:
        back = asyncio.run(files.give_back(project, app.directory, found.snapshot["files"], how.paths))
    touched = (*back.changed, *back.returned, *back.removed)
    with writing(app) as desk:
        facts = savepoints.restore(
            desk.tx, row, found, desk.capacity, touched, alternative=how.alternative, parts=how.parts
        )
        desk.admit()
    result: dict[str, Any] = {**facts, **back._asdict(), "backup": backup.id, "others_of_this_name": how.others}
    what = "" if how.parts == savepoints.PARTS else f", its {' and '.join(how.parts)} alone"
    lines = [
        f"{row.id} stands again as at {found.name!r} ({found.at}){what}.",
        f"files: {len(back.changed)} changed, {len(back.returned)} came back, {len(back.removed)} removed; as they were"
        f" before, they are kept as {backup.id}",
        *([f"{how.others} older checkpoints have the same name; the newest was taken."] if how.others else []),
        *([f"a place is kept for an alternative to {facts['alternative_for']}"] if "alternative_for" in facts else []),
    ]
    steps = (f"stretto coordination-hub restore {row.id} {backup.id}   (takes this back)",)
    wrote = (*first.tx.ids, *desk.tx.ids)
    return Reply("coordination-hub", "\n".join(lines), result, invocation.operation, row.id, wrote, steps)
