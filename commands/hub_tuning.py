"""/coordination-hub configure-performance and adaptive-checkpoints: how events are delivered, state kept."""

from collections.abc import Mapping
from typing import Any

from stretto.commands.app import App
from stretto.commands.coordinating import writing
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.graph import intervals
from stretto.state.chosen import Chosen, choose
from stretto.state.errors import BadInput
from stretto.state.subscription import DEFAULT_PACE, DELIVERY
from stretto.state.units import said_seconds, seconds

LONGEST_WAIT = 60.0
"""Seconds that an event may wait for others, at most."""


def configure_performance(invocation: Invocation, app: App) -> Reply:
    """`'{"event_batching": {…}, "state_sync": {…}, "checkpoint_optimization": {…}}'`."""
    fields = Fields(_body(invocation))
    batching, sync, kept = (fields.inner(n) for n in ("event_batching", "state_sync", "checkpoint_optimization"))
    fields.close()
    pace: dict[str, Any] = {"size": DEFAULT_PACE.size, "seconds": DEFAULT_PACE.seconds, "adaptive": False}
    size = batching.whole("size", pace["size"], least=1, most=10_000)
    wait = batching.read("timeout", _wait, pace["seconds"])
    pace |= {"size": size, "seconds": wait} if batching.flag("enabled", default=True) else {"size": 1, "seconds": 0}
    batching.close()
    pace["adaptive"] = _synchronised(sync)
    kept.always("compression", "differential")
    kept.close()
    with writing(app) as desk:
        new = choose(desk.tx, DELIVERY, pace)
    told = f"batches of {new.value['size']}, or after {new.value['seconds']:g} s"
    lines = [
        f"Events are handed to subscribers in {told}{', at once after a pause' if new.value['adaptive'] else ''}.",
        "What is acknowledged is on the disk before, whatever the batches. Checkpoints are always compressed, and keep"
        " a growing value once.",
    ]
    return _chosen(invocation, new, desk.tx.ids, lines)


def _synchronised(fields: Fields) -> bool:
    """Views are folded event by event, so `incremental` is what there is; whether deliveries adapt can be chosen."""
    fields.choice("strategy", ("incremental",))
    adaptive = fields.choice("frequency", ("realtime", "adaptive"), "realtime") == "adaptive"
    fields.close()
    return adaptive


def _wait(value: object, field: str) -> float:
    found = (
        seconds(value, field) if not isinstance(value, str) or not value.endswith("ms") else _milliseconds(value, field)
    )
    if found > LONGEST_WAIT:
        raise BadInput(f"{field} is {found:g} s; events wait {LONGEST_WAIT:g} s at most.", field=field)
    return found


def _milliseconds(text: str, field: str) -> float:
    return seconds(text.removesuffix("ms"), field) / 1000


def adaptive_checkpoints(invocation: Invocation, app: App) -> Reply:
    """`'{"base_frequency": "15m", "risk_based_adjustment": true, "performance_impact_awareness": true}'`."""
    fields = Fields(_body(invocation))
    value = {
        "base": fields.read("base_frequency", seconds, intervals.BASE_SECONDS),
        "risk": fields.flag("risk_based_adjustment", default=True),
        "cost": fields.flag("performance_impact_awareness", default=True),
    }
    fields.close()
    with writing(app) as desk:
        new = choose(desk.tx, intervals.CHECKPOINTS, value)
        found = intervals.interval(desk.tx.database, new.value)
    lines = [
        f"Between phases a running workflow's state is kept every {said_seconds(found.seconds)}: {found.why}.",
        "It is looked at whenever a command moves the workflow.",
    ]
    reply = _chosen(invocation, new, desk.tx.ids, lines)
    return reply._replace(result={**reply.result, "interval": found._asdict()})


def _chosen(invocation: Invocation, new: Chosen, wrote: list[str], lines: list[str]) -> Reply:
    result: Mapping[str, Any] = {"name": new.name, "version": new.version, "value": new.value}
    lines = [*lines, f"{new.name}: version {new.version}"]
    return Reply("coordination-hub", "\n".join(lines), result, invocation.operation, "", tuple(wrote))


def _body(invocation: Invocation) -> object:
    return invocation.json[0] if invocation.json else {}
