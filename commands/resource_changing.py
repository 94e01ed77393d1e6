"""/resource-manager release, reserve, reallocate: giving back, keeping for later, holding more or less."""

from datetime import datetime
from typing import Any

from stretto.commands.app import App
from stretto.commands.coordinating import Desk, writing
from stretto.commands.fields import Fields, text
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.resource_words import (
    as_row,
    body,
    read_amounts,
    read_duration,
    read_paths,
    reply,
    said,
    said_demand,
)
from stretto.commands.tables import PRIORITIES
from stretto.graph import admission
from stretto.graph.reservations import Span, earliest, hindrance
from stretto.state import allocation, pool
from stretto.state.allocation import Allocation, Exhausted
from stretto.state.errors import BadInput, NotFound, StateConflict
from stretto.state.ids import workflow_id as checked_id
from stretto.state.moments import stamp
from stretto.state.queries import workflow_row
from stretto.state.units import LONGEST, seconds

_STEPS = ("stretto resource-manager status",)


def release(invocation: Invocation, app: App) -> Reply:
    """`release ID`: of a workflow all that it holds or waits for beside its own request, or one allocation."""
    fields = body(invocation)
    named = _named(invocation, fields, "allocation_id")
    reason = fields.text("reason") or "asked for"
    force = fields.flag("force")
    fields.close()
    with writing(app) as desk:
        those = _those(desk, named)
        _may_go(desk, those, force=force)
        for one in those:
            pool.let_go(desk.tx, [a for a in pool.agents(desk.tx.database) if a.allocation_id == one.id], reason)
            allocation.release(desk.tx, one, reason)
        followed = [d.workflow_id for d in desk.admit() if d.admitted]
    lines = [f"{one.workflow_id}: {said_demand(one.granted or one.wanted)} released" for one in those]
    lines += [f"{name} has what it waited for" for name in followed]
    result = {"released": [as_row(one) for one in those], "admitted": followed}
    return reply(invocation, "\n".join(lines), result, desk.tx.ids, _STEPS, those[0].workflow_id)


def _named(invocation: Invocation, fields: Fields, other: str) -> str:
    """The id before the JSON, or one in it."""
    inside = (fields.text(other), fields.text("workflow_id"))
    given = [name for name in (*invocation.ids, *inside) if name]
    if not given:
        raise BadInput(
            f"/resource-manager {invocation.operation} needs the id of a workflow or of an allocation.", field=other
        )
    return given[0]


def _those(desk: Desk, named: str) -> list[Allocation]:
    """The live allocation of this id, or those of the workflow."""
    live = allocation.live_allocations(desk.tx.database)
    bare = named.removeprefix("workflow_")
    found = [one for one in live if one.id == named] or [one for one in live if one.workflow_id in (named, bare)]
    if not found:
        raise NotFound(
            f"{named!r} holds nothing and waits for nothing.",
            field="allocation_id",
            allowed=[one.id for one in live],
            next_steps=_STEPS,
        )
    return found


def _may_go(desk: Desk, those: list[Allocation], *, force: bool) -> None:
    """A workflow that runs needs what it holds, and one that waits needs its place."""
    for one in those:
        row = workflow_row(desk.tx.database, one.workflow_id)
        if row is None:
            continue
        if row.status in admission.UNADMITTED:
            raise StateConflict(
                f"Workflow {row.id!r} is {row.status} and would wait for ever without {one.id!r}. Nothing was written.",
                next_steps=(f"stretto coordination-hub cancel {row.id}",),
            )
        if row.status == "RUNNING" and one.state == "active" and not force:
            raise StateConflict(
                f"Workflow {row.id!r} is RUNNING on {one.id!r}. Nothing was written.",
                next_steps=(
                    f"stretto coordination-hub complete {row.id}",
                    f"stretto resource-manager release {one.id} '{{\"force\": true}}'",
                ),
            )


# ── reserving ────────────────────────────────────────────────────────────────────────────────────────────────────────


def reserve(invocation: Invocation, app: App) -> Reply:
    """`reserve ID '{"start_time": "2h", "duration": "1h", "resources": {…}}'`; it expires if nobody uses it."""
    fields = body(invocation)
    name = checked_id(_named(invocation, fields, "workflow_id"))
    priority = str(invocation.flags.get("priority") or fields.choice("priority", PRIORITIES, "medium"))
    inner = fields.inner("resources")
    wanted: dict[str, Any] = {**read_amounts(inner), "files": read_paths(inner, "exclusive_files")}
    wanted["files"] += read_paths(fields, "exclusive_files")
    inner.close()
    now = app.clock()
    start = fields.read("start_time", lambda value, field: read_start(value, field, now), now)
    lasts = read_duration(fields)
    fields.close()
    if lasts is None:
        raise BadInput("For how long?", field="duration", allowed=("30m", "2h"))
    if not allocation.amounts(wanted) and not wanted["files"]:
        raise BadInput("What shall be reserved?", field="resources", allowed=('{"agents": 2}',))
    wanted |= {"seconds": lasts, "starts": stamp(start)}
    with writing(app) as desk:
        admission.sweep(desk.tx, desk.now)
        _check_free(desk, name, wanted, start, lasts)
        held = allocation.reserve(desk.tx, name, priority, wanted, desk.capacity, stamp(start + lasts))
        desk.admit()
    result = {"reservation": as_row(held), "starts_in": start - now}
    told = f"{name}: {said_demand(held.granted)} reserved as {held.id}, from {held.granted['starts']} to {held.until}"
    steps = (f'stretto resource-manager allocate {name} \'{{"reservation_id": "{held.id}"}}\'',)
    return reply(invocation, told, result, desk.tx.ids, steps, name)


def read_start(value: object, field: str, now: float) -> float:
    """`2h` from now, or a time such as `2027-01-15T14:00:00Z`."""
    try:
        at = datetime.fromisoformat(text(value, field))
    except ValueError:
        return now + seconds(value, field)
    if at.tzinfo is None or not now <= at.timestamp() <= now + LONGEST:
        raise BadInput(
            f"{field} {value!r} is no time with a zone that lies ahead, within 30 days.",
            field=field,
            allowed=("2h", stamp(now + 3600)),
        )
    return at.timestamp()


def _check_free(desk: Desk, name: str, wanted: dict[str, Any], start: float, lasts: float) -> None:
    allocation.check_possible(name, wanted, desk.capacity)
    held = [one for one in allocation.live_allocations(desk.tx.database) if one.state != "queued"]
    there = admission.spans(held, desk.now)
    item = Span("new", start, start + lasts, allocation.amounts(wanted))
    if lacking := hindrance(item, there, desk.capacity):
        at = earliest(item, there, desk.capacity)
        when = "at no time that is known" if at is None else f"from {stamp(at)} on"
        raise Exhausted(
            f"{name!r} cannot have {said_demand(wanted)} then: {lacking} not free. It could {when}. Nothing was"
            " written.",
            details={"lacks": lacking, "available_at": None if at is None else stamp(at)},
        )
    asked = Allocation("new", name, "queued", "", wanted, {}, {}, "", "", "")
    for one, span in zip(held, there, strict=True):
        if span.start < item.end and span.end > item.start and (files := admission.clashing(asked, one, "reactive")):
            raise Exhausted(f"{', '.join(files)} is held by {one.workflow_id!r} then. Nothing was written.")


# ── more or less of it ───────────────────────────────────────────────────────────────────────────────────────────────


def reallocate(invocation: Invocation, app: App) -> Reply:
    """`reallocate ID '{"resources": {"agents": 3}}'`, or `--agents=3`: what an active allocation holds from now on."""
    fields = body(invocation)
    named = _named(invocation, fields, "allocation_id")
    inner = fields.inner("resources")
    wanted = read_amounts(inner)
    inner.close()
    fields.close()
    if "agents" in invocation.flags:
        wanted["agents"] = invocation.flags["agents"]
    if not wanted:
        raise BadInput("How much of what?", field="resources", allowed=("--agents=N", '{"resources": {"agents": 2}}'))
    with writing(app) as desk:
        active = [one for one in _those(desk, named) if one.state == "active"]
        if len(active) != 1:
            raise BadInput(
                f"{named!r} has {len(active)} active allocations; name one of them.",
                field="allocation_id",
                allowed=[one.id for one in active],
            )
        held = changed(desk, active[0], wanted)
        followed = [d.workflow_id for d in desk.admit() if d.admitted]
    told = f"{held.workflow_id}: {held.id} holds {said_demand(held.granted)}, was {said_demand(active[0].granted)}"
    result = {"allocation": as_row(held), "before": active[0].granted, "admitted": followed}
    return reply(invocation, told, result, desk.tx.ids, _STEPS, held.workflow_id)


def changed(desk: Desk, held: Allocation, wanted: dict[str, float]) -> Allocation:
    """An active allocation that holds this from now on: more only as far as nobody of its rank or above waits for it.

    Raises:
        Exhausted: What is asked for beyond it is not free, or somebody comes first. Nothing was written.
    """
    tx = desk.tx
    allocation.check_possible(held.workflow_id, wanted, desk.capacity)
    more = {name for name, amount in wanted.items() if amount > held.granted.get(name, 0)}
    rank = PRIORITIES.index(held.priority)
    for one, decision in admission.look(tx, desk.capacity, desk.now).waits:
        short = more & set(allocation.amounts(one.wanted))
        if short and PRIORITIES.index(one.priority) <= rank:
            raise Exhausted(
                f"{one.workflow_id!r} waits for {', '.join(sorted(short))} at position {decision.position} and comes"
                " first. Nothing was written.",
                next_steps=_STEPS,
            )
    _fewer_agents(desk, held, wanted)
    return allocation.grant(
        tx, held, desk.capacity, {**held.granted, **_named_agents(desk, held), **wanted}, held.until
    )


def _fewer_agents(desk: Desk, held: Allocation, wanted: dict[str, float]) -> None:
    """Agents that were named are let go when there are to be fewer than these."""
    mine = [one for one in pool.agents(desk.tx.database) if one.allocation_id == held.id]
    if "agents" in wanted and len(mine) > wanted["agents"]:
        pool.let_go(desk.tx, mine[round(wanted["agents"]) :], f"{held.id} holds {said('agents', wanted['agents'])}")


def _named_agents(desk: Desk, held: Allocation) -> dict[str, Any]:
    if "agent_ids" not in held.granted:
        return {}
    return {"agent_ids": [one.agent_id for one in pool.agents(desk.tx.database) if one.allocation_id == held.id]}
