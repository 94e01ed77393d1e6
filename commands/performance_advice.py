"""/performance-monitor recommendations: what would help, each with the events that say so."""

from stretto.commands.app import App
from stretto.commands.coordinating import default_capacity
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.graph import admission
from stretto.graph.opportunities import Opportunity, opportunities
from stretto.state.allocation import in_use
from stretto.state.log import Log
from stretto.state.units import said_seconds
from stretto.state.view import fold


def recommendations(invocation: Invocation, app: App) -> Reply:
    """Agents that are held and idle while somebody waits for agents; nothing where all that is held is at work."""
    Fields(invocation.json[0] if invocation.json else {}).close()
    log = Log.find(app.state)
    found: list[Opportunity] = []
    if log is not None:
        with log:
            found = _found(log, app)
    lines = [
        f"{one.waits} waits for {one.role or 'any'} agents, while {one.holds} has held {one.idle_agents} idle ones for"
        f" {said_seconds(one.seconds)}\n    {one.action}"
        for one in found
    ]
    result = {"opportunities": [one._asdict() for one in found]}
    text = "\n".join(lines) or "Nothing is held idle while somebody waits."
    steps = tuple(dict.fromkeys(one.action for one in found))[:3]
    return Reply("performance-monitor", text, result, invocation.operation, next_steps=steps)


def _found(log: Log, app: App) -> list[Opportunity]:
    limits = admission.capacity(log.database, default_capacity(app))
    live = log.allocations(live=True)
    held = [one for one in live if one.state == "active"]
    views = {one.workflow_id: fold(log.events(one.workflow_id)) for one in held if log.workflow(one.workflow_id)}
    free = limits["agents"] - in_use(held).get("agents", 0)
    waits = admission.look(log.glance(), limits, app.clock()).waits
    return opportunities(held, waits, views, list(log.events()), free, app.clock())
