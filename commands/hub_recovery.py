"""/coordination-hub recovery-mode: take a workflow into recovery, by a strategy and what to fall back on."""

from stretto.commands.app import App
from stretto.commands.coordinating import writing
from stretto.commands.invocation import Invocation
from stretto.commands.recovery_words import body, found, not_driven, reply
from stretto.commands.reply import Reply
from stretto.graph import coordination, recovery
from stretto.state.errors import BadInput


def recovery_mode(invocation: Invocation, app: App) -> Reply:
    """`ID recovery-mode '{"recovery_strategy": …, "fallback_options": […], "maintain_partial_progress": true}'`."""
    fields = body(invocation)
    chosen = fields.choice("recovery_strategy", recovery.STRATEGIES)
    fallbacks = fields.texts("fallback_options", recovery.STRATEGIES)
    keep = fields.flag("maintain_partial_progress", default=True)
    fields.close()
    if not chosen:
        raise BadInput("By which strategy?", field="recovery_strategy", allowed=recovery.STRATEGIES)
    if len(set(fallbacks)) < len(fallbacks) or chosen in fallbacks:
        raise BadInput("A strategy is named twice.", field="fallback_options")
    row, _ = found(invocation, app)
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, row.id)
        not_driven(desk, row)
        going, new = recovery.begin(desk.tx, row, chosen, fallbacks, keep=keep)
        status = coordination.row_of(desk.tx, row.id).status
    kept = ", ".join(going["kept_phases"]) or "none"
    lines = [
        f"{row.id} is {status}: {chosen}{', then ' + ', '.join(fallbacks) if fallbacks else ''}"
        f"{'' if new else ' (as before)'}",
        f"  failed: {going['failed_phase']} ({going['cause']}, {going['analysis_id']}); kept: {kept}",
    ]
    result = {**{k: v for k, v in going.items() if k not in ("ended", "recovered")}, "status": status, "new": new}
    asked = f'{{"checkpoint_id": "pre_{going["failed_phase"]}", "prepare_alternative": true}}'
    steps = (
        f"stretto coordination-hub {row.id} restore '{asked}'",
        f"stretto workflow-recovery recovery-plan {row.id}",
    )
    return reply(invocation, lines, result, row.id, desk.tx.ids, steps)
