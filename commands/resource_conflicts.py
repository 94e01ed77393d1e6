"""/resource-manager check-conflicts, resolve-conflicts, prevent-conflicts."""

import math
from collections.abc import Sequence
from typing import Any, cast

from stretto.commands.app import App
from stretto.commands.coordinating import Desk, default_capacity, writing
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.resource_changing import read_start
from stretto.commands.resource_words import body, read_amounts, read_duration, read_paths, reply
from stretto.graph import admission
from stretto.graph.clashes import PROPOSED, Clash, find
from stretto.graph.resolving import STRATEGIES, Resolution, Strategy, accepted
from stretto.graph.resolving import resolve as resolve_clash
from stretto.graph.resource_settings import NAME, PREVENTIONS, resource_settings
from stretto.state.allocation import Allocation, live_allocations
from stretto.state.chosen import choose, chosen
from stretto.state.errors import BadInput, NotFound
from stretto.state.ids import workflow_id as checked_id
from stretto.state.log import Log
from stretto.state.moments import stamp
from stretto.state.units import seconds

_DAY = 86400.0


def check(invocation: Invocation, app: App) -> Reply:
    """What clashes now or will within the horizon, with a proposed allocation or without; nothing is written."""
    fields = body(invocation)
    horizon = fields.read("time_horizon", seconds, _DAY)
    future = fields.flag("check_future", default=True)
    now = app.clock()
    inner = fields.inner("proposed_allocation")
    proposed = _proposed(inner, now) if "proposed_allocation" in fields else ()
    fields.close()
    defaults = default_capacity(app)
    log = Log.find(app.state)
    if log is None:
        found, known = find(proposed, defaults, now, horizon), frozenset[str]()
    else:
        with log:
            live = [*log.allocations(live=True), *proposed]
            found = find(live, admission.capacity(log.database, defaults), now, horizon if future else 1.0)
            known = accepted(log.glance())
    result = {"conflicts": [_told(one, now, known) for one in found], "checked": {"horizon_seconds": horizon}}
    lines = [_line(one, now) for one in found if one.id not in known] or ["nothing clashes"]
    steps = tuple(
        f'stretto resource-manager resolve-conflicts \'{{"conflict_id": "{one.id}"}}\''
        for one in found
        if PROPOSED not in one.allocations and one.id not in known
    )
    return reply(invocation, "\n".join(lines), result, (), steps[:3])


def _proposed(fields: Fields, now: float) -> tuple[Allocation, ...]:
    name = fields.read("workflow_id", lambda value, field: checked_id(str(value), field=field), "")
    inner = fields.inner("resources")
    wanted: dict[str, Any] = read_amounts(inner)
    wanted["files"] = [*read_paths(inner, "exclusive_files"), *read_paths(fields, "exclusive_files")]
    wanted["touches"] = [*read_paths(inner, "files"), *read_paths(fields, "files")]
    lasts = read_duration(inner)
    lasts = read_duration(fields) if lasts is None else lasts
    inner.close()
    start = fields.read("start_time", lambda value, field: read_start(value, field, now), now)
    fields.close()
    until = "" if lasts is None else stamp(start + lasts)
    at = stamp(start)
    return (Allocation(PROPOSED, name or PROPOSED, "queued", "medium", wanted, {}, {}, at, at, until),)


def _told(clash: Clash, now: float, known: frozenset[str]) -> dict[str, Any]:
    return {
        "conflict_id": clash.id,
        "conflict_type": clash.kind,
        "severity": clash.severity,
        "conflicting_requests": list(clash.allocations),
        "affected_workflows": list(clash.workflows),
        "over": list(clash.over),
        "starts_in": max(clash.start - now, 0.0),
        "ends_in": None if math.isinf(clash.end) else clash.end - now,
        "state": "ACCEPTED" if clash.id in known else "DETECTED",
    }


def _line(clash: Clash, now: float) -> str:
    when = "now" if clash.start <= now else f"from {stamp(clash.start)} on"
    return f"{clash.id}: {clash.kind} of {', '.join(clash.workflows)} over {', '.join(clash.over)}, {when}"


def resolve(invocation: Invocation, app: App) -> Reply:
    """One clash, or all that are there, by a strategy or by the one of its kind."""
    fields = body(invocation)
    wanted = fields.text("conflict_id", longest=1000)
    strategy = cast("Strategy", fields.choice("strategy", STRATEGIES, "auto"))
    fields.close()
    with writing(app) as desk:
        done = _resolve(desk, wanted, strategy)
        desk.admit()
    result = {
        "resolved": [_done(one) for one in done if one.state == "RESOLVED"],
        "refused": [_done(one) for one in done if one.state != "RESOLVED"],
    }
    lines = [f"{one.clash.id}: {one.effect}" for one in done] or ["nothing clashes"]
    return reply(invocation, "\n".join(lines), result, desk.tx.ids, ("stretto resource-manager check-conflicts",))


def _resolve(desk: Desk, wanted: str, strategy: Strategy) -> list[Resolution]:
    """One after the other: what is done about one may end another."""
    done: list[Resolution] = []
    first = _open(desk, set())
    if wanted and wanted not in {one.id for one in first}:
        raise NotFound(f"There is no conflict {wanted!r}.", field="conflict_id", allowed=[one.id for one in first])
    while left := [one for one in _open(desk, {d.clash.id for d in done}) if wanted in ("", one.id)]:
        done.append(resolve_clash(desk.tx, left[0], strategy, desk.capacity, desk.now))
    return done


def _open(desk: Desk, without: set[str]) -> list[Clash]:
    known = accepted(desk.tx) | without
    found = find(live_allocations(desk.tx.database), desk.capacity, desk.now)
    return [one for one in found if one.id not in known]


def _done(one: Resolution) -> dict[str, Any]:
    return {"conflict_id": one.clash.id, "strategy": one.strategy, "state": one.state, "effect": one.effect}


def prevent(invocation: Invocation, app: App) -> Reply:
    """Choose how clashes are prevented, and say which are foreseen among what is held and what waits."""
    fields = body(invocation)
    enforcement = fields.choice("enforcement", PREVENTIONS)
    mitigate = fields.flag("auto_mitigation") if "auto_mitigation" in fields else None
    fields.raw("auto_mitigation")
    horizon = fields.read("prediction_horizon", seconds, _DAY)
    fields.close()
    if enforcement and mitigate is not None:
        raise BadInput("Either enforcement or auto_mitigation, not both.", field="auto_mitigation")
    mode = enforcement or {True: "proactive", False: "reactive", None: ""}[mitigate]
    with writing(app) as desk:
        if mode:
            choose(desk.tx, NAME, {**chosen(desk.tx.database, NAME).value, "conflict_prevention": mode})
        desk.admit()
        found = _foreseen(desk, horizon)
        now_mode = resource_settings(desk.tx.database).prevention
    result = {"conflict_prevention": now_mode, "foreseen": found}
    lines = [f"conflict prevention: {now_mode}"]
    lines += [
        f"{' and '.join(one['affected_workflows'])} over {', '.join(one['over'])}: {one['state']}" for one in found
    ]
    if not found:
        lines.append("no clash is foreseen")
    return reply(invocation, "\n".join(lines), result, desk.tx.ids, ("stretto resource-manager status",))


def _foreseen(desk: Desk, horizon: float) -> list[dict[str, Any]]:
    """Pairs that may change one file at one time within the horizon: which of them are kept apart, and which not."""
    live = live_allocations(desk.tx.database)
    waiting = {one.id for one in live if one.state == "queued"}
    mode = resource_settings(desk.tx.database).prevention
    found: list[dict[str, Any]] = []
    pairs: Sequence[tuple[Allocation, Allocation]] = [(a, b) for n, a in enumerate(live) for b in live[:n]]
    picture = admission.look(desk.tx, desk.capacity, desk.now)
    starts = {one.id: decision.start for one, decision in picture.waits}
    for one, other in pairs:
        files = admission.clashing(one, other, "proactive")
        begin = max(starts.get(one.id) or 0.0, starts.get(other.id) or 0.0)
        if not files or begin > horizon:
            continue
        apart = bool({one.id, other.id} & waiting) and bool(admission.clashing(one, other, mode))
        found.append(
            {
                "affected_workflows": sorted({one.workflow_id, other.workflow_id}),
                "allocations": sorted((one.id, other.id)),
                "over": list(files),
                "state": "kept apart" if apart else "not kept apart",
            }
        )
    return found
