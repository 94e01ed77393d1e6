"""/resource-manager prefetch: reservations for the phases that come next."""

from typing import Any

from stretto.commands.app import App
from stretto.commands.coordinating import writing
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.resource_words import body, percent, reply
from stretto.graph.prefetching import Foreseen, hit_rate
from stretto.graph.prefetching import prefetch as reserve
from stretto.state.errors import BadInput
from stretto.state.moments import stamp
from stretto.state.units import count, share

_DEFAULTS = (2, 0.8, 0.1)


def prefetch(invocation: Invocation, app: App) -> Reply:
    """`prefetch '{"prediction_horizon": "2_phases", "confidence_threshold": 0.8, "resource_buffer": "10_percent"}'`."""
    if invocation.ids:
        raise BadInput("prefetch looks at every workflow that runs; it takes no id.", field="workflow_id")
    fields = body(invocation)
    phases = fields.read("prediction_horizon", count, _DEFAULTS[0])
    threshold = fields.read("confidence_threshold", share, _DEFAULTS[1])
    buffer = fields.read("resource_buffer", share, _DEFAULTS[2])
    fields.close()
    with writing(app) as desk:
        desk.admit()
        found = reserve(desk.tx, phases, threshold, buffer, desk.capacity, desk.now)
        rate = hit_rate(desk.log.events())
    made = [one for one in found if one.state == "reserved"]
    result = {
        "prefetched": [_told(one) for one in found],
        "reserved": len(made),
        "refused": [_told(one) for one in found if one.state == "not free then"],
        "hit_rate": {"share": rate.share, **rate._asdict()},
        "threshold": threshold,
        "buffer": buffer,
        "rounding": "the need with the buffer, rounded up to whole agents, less what is held",
    }
    lines = [_line(one) for one in found] or ["no workflow that runs has a phase to come"]
    lines.append(f"used so far: {percent(rate.share)} of {rate.used + rate.unused} that are over, {rate.open} open")
    return reply(invocation, "\n".join(lines), result, desk.tx.ids, ("stretto resource-manager status",))


def _told(one: Foreseen) -> dict[str, Any]:
    start = None if one.start is None else stamp(one.start)
    return {**one._asdict(), "start": start}


def _line(one: Foreseen) -> str:
    sure = f"confidence {one.confidence:.2f} of {one.n} finished workflows"
    what = f"{one.extra} agents from {stamp(one.start)}, {one.allocation_id}" if one.allocation_id and one.start else ""
    return f"{one.workflow_id} {one.phase}: {one.state}, {sure}{'; ' if what else ''}{what}"
