"""/resource-manager transition, handle-failure: what one holds goes to the next; what failed leaves the pool."""

from typing import cast

from stretto.commands.app import App
from stretto.commands.coordinating import workflow_named, writing
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.resource_words import as_row, body, reply, said_demand
from stretto.graph import coordination
from stretto.graph.failing import STRATEGIES, Strategy, hand_out_again, isolate
from stretto.graph.handing_over import transition as hand_over
from stretto.state.errors import BadInput
from stretto.state.pool import agents
from stretto.state.queries import workflow_row

IMPACTS = ("low", "medium", "high", "critical")


def transition(invocation: Invocation, app: App) -> Reply:
    """`transition FROM TO --preserve-context`."""
    if len(invocation.ids) != 2:
        raise BadInput("From which workflow to which?", field="workflow_id", allowed=("FROM TO",))
    if invocation.json:
        body(invocation).close()
    source, target = invocation.ids
    preserve = "preserve-context" in invocation.flags
    with writing(app) as desk:
        bare = source.removeprefix("workflow_")
        known = workflow_row(desk.tx.database, source) is None and workflow_row(desk.tx.database, bare) is not None
        source = bare if known else source
        found = hand_over(desk.tx, source, target, preserve=preserve)
        desk.admit()
    held = "; ".join(said_demand(one.granted or one.wanted) for one in found.allocations)
    lines = [f"{target} has what {source} held: {held}"]
    if found.made:
        lines.append(f"There was no workflow {target!r}: it was made, with {source} as its parent, and runs.")
    if found.agents:
        lines.append(f"agents: {', '.join(found.agents)}")
    if preserve:
        lines.append(f"context: sha256 {found.context_hash}")
        lines.append(f"draft plan: {found.draft.get('path') if found.draft else 'none'}")
    else:
        lines.append("its context stays behind; --preserve-context takes it along")
    result = {
        "from": source,
        "to": target,
        "allocations": [as_row(one) for one in found.allocations],
        "agents": list(found.agents),
        "context_preserved": preserve,
        "context_hash": found.context_hash or None,
        "draft_plan": found.draft,
        "workflow_made": found.made,
    }
    return reply(invocation, "\n".join(lines), result, desk.tx.ids, _after(target), target)


def _after(target: str) -> tuple[str, ...]:
    return (f"stretto workflow-status {target} --detailed",)


def handle_failure(invocation: Invocation, app: App) -> Reply:
    """`handle-failure ID '{"failed_component": "database_service", …}'`."""
    fields = body(invocation)
    component = fields.text("failed_component")
    impact = fields.choice("impact_assessment", IMPACTS, "medium")
    strategy = cast("Strategy", fields.choice("reallocation_strategy", STRATEGIES, "isolate_and_recover"))
    fields.close()
    if not component:
        raise BadInput("Which component failed?", field="failed_component", allowed=("a role", "an agent's id"))
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        done = isolate(desk.tx, row, component, strategy, desk.capacity)
        desk.admit()
        done = hand_out_again(desk.tx, row, done, component)
        untouched = [
            a.agent_id for a in agents(desk.tx.database) if a.agent_id not in {b.agent_id for b in done.agents}
        ]
    gone = [one.agent_id for one in done.agents]
    result = {
        "failed_component": component,
        "impact_assessment": impact,
        "strategy": strategy,
        "isolated": gone,
        "untouched": untouched,
        "deallocated": [as_row(one) for one in done.shrunk],
        "requeued": list(done.requeued),
        "replacements": [one.agent_id for one in done.instead],
        "waiting_request": done.asked if done.asked and not done.instead else None,
    }
    state = "let go" if strategy == "restart" else "out of the pool"
    lines = [f"{row.id}: {component}: {', '.join(gone)} {state}" if gone else f"{row.id}: nothing was isolated"]
    if not gone:
        why = f"no agent of the pool belongs to {component}: none has that name, and none of {row.id} that role or task"
        result["refused"] = [{"component": component, "reason": why}]
        lines.append(why)
    lines += [f"handed out again: {', '.join(done.requeued)}"] if done.requeued else []
    if done.instead:
        lines.append(f"instead: {', '.join(one.agent_id for one in done.instead)}")
    elif done.asked:
        lines.append(f"{done.asked} waits for agents in their place")
    steps = (f"stretto workflow-recovery analyze-failure {row.id}", "stretto resource-manager status agents")
    return reply(invocation, "\n".join(lines), result, desk.tx.ids, steps, row.id)
