"""/workflow-recovery partial-restore and emergency-restore: a part of a checkpoint, or the newest that is sound."""

from typing import cast

from stretto.agents.paths import declared
from stretto.commands import hub_savepoints
from stretto.commands.app import App
from stretto.commands.coordinating import looking
from stretto.commands.hub_savepoints import Back
from stretto.commands.invocation import Invocation, Word
from stretto.commands.recovery_checkpoints import problem
from stretto.commands.recovery_words import body, found, not_driven
from stretto.commands.reply import Reply
from stretto.graph import coordination, points, savepoints
from stretto.graph.savepoints import PARTS, CheckpointDamaged, Part
from stretto.state.errors import BadInput


def partial_restore(invocation: Invocation, app: App) -> Reply:
    """`ID CHECKPOINT '{"components": ["files"], "paths": ["src/"]}'`: phases, resources, files or some of these."""
    fields = body(invocation)
    wanted = fields.texts("components", PARTS) or PARTS
    without = fields.texts("exclude_components", PARTS)
    paths = tuple(declared(path, f"paths[{i}]") for i, path in enumerate(fields.texts("paths")))
    fields.close()
    parts = cast("tuple[Part, ...]", tuple(part for part in PARTS if part in wanted and part not in without))
    if not parts or (paths and "files" not in parts):
        field = "paths" if parts else "components"
        raise BadInput(f"With {field} so, nothing would go back.", field=field, allowed=PARTS)
    if not invocation.words:
        raise BadInput("Which checkpoint?", field="checkpoint_id", next_steps=("… partial-restore ID NAME '{…}'",))
    row, _ = found(invocation, app)
    coordination.coordinated(row)
    with looking(app) as desk:
        point, others = points.find(desk.tx.database, row.id, invocation.words[0].text)
        savepoints.check(point)
        savepoints.may_restore(row)
        not_driven(desk, row)
    return hub_savepoints.restored(invocation, app, row, point, Back(others, parts=parts, paths=paths))


def emergency_restore(invocation: Invocation, app: App) -> Reply:
    """`ID`: back to the newest checkpoint that is sound; those that are not are passed over, and named.

    The copies that restores make of what was there before them do not count.
    """
    fields = body(invocation)
    fields.always("use_latest_valid_checkpoint")
    if fields.flag("skip_validation"):
        raise BadInput("Nothing is restored unchecked.", field="skip_validation", allowed=("false",))
    fields.close()
    if invocation.words:
        raise BadInput("The newest that is sound is taken; to choose one: restore.", field="checkpoint_id")
    row, _ = found(invocation, app)
    with looking(app) as desk:
        # what a restore kept of the time before it is what somebody wanted to leave
        known = [one for one in points.points(desk.tx.database, row) if one.kind != "before_restore"]
    damaged: list[str] = []
    for one in reversed(known):
        if not (why := problem(app, one)):
            chosen = invocation._replace(words=(Word(one.id, 0),), json=())
            reply = hub_savepoints.restore(chosen, app)
            lines = [*(f"passed over: {name}" for name in damaged), reply.text]
            result = {**reply.result, "passed_over": damaged}
            return reply._replace(command=invocation.command, text="\n".join(lines), result=result)
        damaged.append(f"{one.id} ({why})")
    if not known:
        raise BadInput(f"Workflow {row.id!r} has no checkpoint.", field="checkpoint_id")
    raise CheckpointDamaged(f"None of the {len(known)} checkpoints of {row.id!r} is sound; nothing was restored.")
