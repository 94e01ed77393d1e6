"""/resource-manager allocate: by amounts, by agents of a specialisation, or by prediction."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from stretto.commands.app import App
from stretto.commands.coordinating import Desk, writing
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.resource_words import (
    body,
    read_amounts,
    read_duration,
    read_paths,
    reply,
    said,
    said_demand,
)
from stretto.commands.tables import PRIORITIES
from stretto.graph.allocating import WAITS, Fallbacks, Request, Response, respond
from stretto.graph.analyze import TYPES
from stretto.graph.demand import COMPLEXITIES, Demand, predict
from stretto.graph.learning import past_workflows
from stretto.graph.resource_settings import resource_settings
from stretto.state import allocation
from stretto.state.allocation import Allocation
from stretto.state.errors import BadInput, NotFound, StateConflict
from stretto.state.ids import workflow_id as checked_id
from stretto.state.moments import stamp
from stretto.state.queries import workflow_row
from stretto.state.units import said_bytes, said_seconds, seconds

TEAM = ("current_team_metrics", "none")
LOAD = ("current_utilization", "none")


class _Context(NamedTuple):
    """What a prediction is asked to look at."""

    kind: str
    complexity: str
    deadline: float | None
    similar: tuple[str, ...]
    team: str
    load: str


class _Asked(NamedTuple):
    """A line, read: a request whose amounts are given, or None and what to predict them from."""

    workflow_id: str
    priority: str
    wanted: dict[str, Any]
    fallbacks: Fallbacks | None
    max_wait: float | None
    context: _Context
    reservation: str


def allocate(invocation: Invocation, app: App) -> Reply:
    """`allocate '{…}'`, `allocate ID --agents=N --specialization=S`, or with a `workflow_type` and no amounts."""
    asked = _read(invocation)
    with writing(app) as desk:
        name = _known(desk, asked.workflow_id)
        if asked.reservation:
            return _claimed(invocation, desk, name, asked.reservation)
        demand = None if _has_amounts(asked.wanted) else _predicted(desk, name, asked)
        request = _request(desk, name, asked, demand)
        exists = workflow_row(desk.tx.database, name) is not None
        load = _load(desk) if demand else {}
        response = respond(desk.tx, request, desk.capacity, desk.now)
        if demand and response.status == "approved" and (less := _less_than(demand, request)):
            response = response._replace(status="partial", reason=less)
        events = tuple(desk.tx.ids)
        agents = list(response.held.granted.get("agent_ids", ()))
    result = _told(request, response, agents, exists=exists, now=desk.now)
    lines = _lines(name, request, response, exists=exists)
    if demand is not None:
        result |= _prediction(demand, asked.context, request, response, load)
        lines += _prediction_lines(result)
    steps = _steps(name, response, exists=exists)
    return reply(invocation, "\n".join(lines), result, events, steps, name)


# ── reading the line ─────────────────────────────────────────────────────────────────────────────────────────────────


def _read(invocation: Invocation) -> _Asked:
    fields = body(invocation)
    inside = fields.text("workflow_id")
    given = invocation.ids[0] if invocation.ids else ""
    if given and inside and given != inside:
        raise BadInput(f"The id is {given!r} before the JSON and {inside!r} in it.", field="workflow_id")
    if not (given or inside):
        raise BadInput("Who shall have it?", field="workflow_id", next_steps=("… allocate ID --agents=2",))
    limits = fields.inner("time_constraints")
    priority = limits.choice("priority", PRIORITIES) or fields.choice("priority", PRIORITIES)
    context = _context(fields, limits)
    found = _Asked(
        workflow_id=checked_id(given or inside),
        priority=str(invocation.flags.get("priority") or priority or ""),
        wanted=_wanted(fields, invocation.flags),
        fallbacks=_fallbacks(fields.inner("fallback_options")) if "fallback_options" in fields else None,
        max_wait=_max_wait(fields.inner("constraints")),
        context=context,
        reservation=fields.text("reservation_id"),
    )
    fields.raw("fallback_options")
    fields.close()
    return found


def _wanted(fields: Fields, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Amounts, files, for how long, and of which specialisation."""
    inner = fields.inner("resources")
    found: dict[str, Any] = read_amounts(inner)
    paths = [*read_paths(inner, "exclusive_files"), *read_paths(fields, "exclusive_files")]
    touches = [*read_paths(inner, "files"), *read_paths(fields, "files")]
    lasts = read_duration(inner)
    lasts = read_duration(fields) if lasts is None else lasts
    role = flags.get("specialization") or fields.text("specialization")
    inner.close()
    if "agents" in flags:
        found["agents"] = flags["agents"]
    more = {"files": paths, "touches": touches, "seconds": lasts, "specialization": role}
    return {**found, **{name: value for name, value in more.items() if value}}


def _context(fields: Fields, limits: Fields) -> _Context:
    inner = fields.inner("prediction_context")
    found = _Context(
        kind=fields.choice("workflow_type", TYPES),
        complexity=fields.choice("estimated_complexity", tuple(COMPLEXITIES)),
        deadline=limits.read("deadline", seconds, None),
        similar=inner.texts("similar_workflows"),
        team=inner.choice("team_performance", TEAM, "none"),
        load=inner.choice("system_load", LOAD, "current_utilization"),
    )
    inner.close()
    limits.close()
    return found


def _fallbacks(fields: Fields) -> Fallbacks:
    found = Fallbacks(*(fields.flag(name) for name in Fallbacks._fields))
    fields.close()
    return found


def _max_wait(fields: Fields) -> float | None:
    found = fields.read("max_wait_time", seconds, None)
    fields.close()
    return found


def _has_amounts(wanted: Mapping[str, Any]) -> bool:
    return bool(allocation.amounts(wanted) or wanted.get("files") or wanted.get("touches"))


# ── who, and what ────────────────────────────────────────────────────────────────────────────────────────────────────


def _known(desk: Desk, name: str) -> str:
    """The id of the workflow that is meant: one `workflow_` before it may be too much."""
    bare = name.removeprefix("workflow_")
    return bare if workflow_row(desk.tx.database, name) is None and workflow_row(desk.tx.database, bare) else name


def _request(desk: Desk, name: str, asked: _Asked, demand: Demand | None) -> Request:
    row = workflow_row(desk.tx.database, name)
    inherited = row.spec.get("coordination", {}).get("priority") or row.spec.get("priority") if row else None
    priority = asked.priority or inherited or "medium"
    if demand is None:
        return Request(name, priority, asked.wanted, asked.fallbacks or WAITS, asked.max_wait)
    wanted = {**asked.wanted, **_capped(demand, desk.capacity)}
    context = {"predicted": demand.told(), "complexity": asked.context.complexity, "type": asked.context.kind}
    fallbacks = asked.fallbacks or Fallbacks(reduce_agents=True, queue_if_unavailable=True)
    return Request(name, priority, wanted, fallbacks, asked.max_wait, context)


def _capped(demand: Demand, limits: Mapping[str, float]) -> dict[str, Any]:
    """What is predicted, as far as there is so much."""
    amounts = {"agents": demand.agents, "memory": demand.memory, "cpu": demand.cpu}
    found: dict[str, Any] = {k: min(v, limits.get(k, 0)) for k, v in amounts.items() if v}
    more = {"touches": list(demand.touches)} if demand.touches else {}
    return {**found, "seconds": demand.seconds, **more}


def _less_than(demand: Demand, request: Request) -> str:
    """What is predicted, and is more than there is."""
    amounts = {"agents": demand.agents, "memory": demand.memory, "cpu": demand.cpu}
    less = [name for name, amount in amounts.items() if amount and request.wanted[name] < amount]
    told = ", ".join(f"{said(name, request.wanted[name])} of {said(name, amounts[name])} {name}" for name in less)
    return f"as much as there is: {told}" if less else ""


def _predicted(desk: Desk, name: str, asked: _Asked) -> Demand:
    settings = resource_settings(desk.tx.database)
    row = workflow_row(desk.tx.database, name)
    kind = asked.context.kind or (row.kind if row and row.kind in TYPES else "")
    if settings.prediction != "enabled" or not kind:
        off = "" if settings.prediction == "enabled" else " Prediction is off."
        raise BadInput(
            f"How much does {name!r} need?{off} Name amounts, or a workflow_type to predict them from.",
            field="resources",
            allowed=("resources", "--agents", "workflow_type"),
            next_steps=(f"stretto resource-manager allocate {name} --agents=2",),
        )
    past = past_workflows(desk.log, settings.learning, desk.now)
    similar, team = asked.context.similar, asked.context.team != "none"
    return predict(past, kind, asked.context.complexity, similar, team=team)


def _load(desk: Desk) -> dict[str, Any]:
    """What is allocated and what waits at this moment, before the request."""
    live = allocation.live_allocations(desk.tx.database)
    used = allocation.in_use([one for one in live if one.state == "active"])
    return {
        "allocated_agents": used.get("agents", 0),
        "capacity_agents": desk.capacity.get("agents", 0),
        "queued": sum(one.state == "queued" for one in live),
        "records": [one.id for one in live],
    }


def _claimed(invocation: Invocation, desk: Desk, name: str, reservation: str) -> Reply:
    """A reservation becomes an allocation, if its window is open and what it holds is free."""
    held = allocation.allocation(desk.tx.database, reservation)
    if held.workflow_id != name or held.state != "reserved":
        raise NotFound(
            f"{reservation!r} is no open reservation of {name!r}; it belongs to {held.workflow_id!r} and is"
            f" {held.state}.",
            field="reservation_id",
        )
    if not allocation.holds(held, stamp(desk.now)):
        raise StateConflict(
            f"The reservation {reservation!r} holds from {held.granted.get('starts')} to {held.until}; it is"
            f" {stamp(desk.now)}. Nothing was written.",
            next_steps=(f"stretto resource-manager allocate {name} --agents=1",),
        )
    held = allocation.grant(desk.tx, held, desk.capacity, until=held.until)
    result = {"status": "approved", "allocation_id": held.id, "allocated_resources": held.granted}
    text = f"{name}: approved, {said_demand(held.granted)}, as it was reserved"
    return reply(invocation, text, result, desk.tx.ids, ("stretto resource-manager status",), name)


# ── the answer ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _told(request: Request, response: Response, agents: list[str], *, exists: bool, now: float) -> dict[str, Any]:
    held = response.held
    found: dict[str, Any] = {
        "status": response.status,
        "allocation_id": held.id,
        "requested_resources": request.wanted,
        "allocated_resources": held.granted,
        "priority": held.priority,
        "workflow_exists": exists,
        "agents": agents,
        "restrictions": {"auto_release": held.until or None} if response.status in ("approved", "partial") else {},
        "alternatives": [_alternative(one._asdict(), now) for one in response.alternatives],
    }
    if response.status == "queued":
        found |= {
            "queue_position": response.position,
            "estimated_start": said_seconds(response.start),
            "estimated_start_seconds": response.start,
        }
    if response.reason:
        found["reason"] = response.reason
    if response.status == "denied":
        found["refused"] = [{"allocation_id": held.id, "reason": response.reason}]
    return found


def _alternative(one: dict[str, Any], now: float) -> dict[str, Any]:
    soon = one.pop("available_in")
    return {**one, "available_at": None if soon is None else stamp(now + soon)}


def _lines(name: str, request: Request, response: Response, *, exists: bool) -> list[str]:
    held: Allocation = response.held
    words = {
        "approved": f"{said_demand(held.granted)}",
        "partial": f"{said_demand(held.granted)} ({response.reason})",
        "queued": f"{said_demand(request.wanted)} at position {response.position}: {response.reason}; start in"
        f" {said_seconds(response.start)}",
        "denied": f"{said_demand(request.wanted)}: {response.reason}, and it may not wait",
    }
    lines = [f"{name}: {response.status}, {words[response.status]}"]
    if held.granted.get("agent_ids"):
        lines.append(f"agents: {', '.join(held.granted['agent_ids'])}")
    if not exists:
        lines.append(f"There is no workflow {name!r} yet; the allocation stands for the id, and none was made.")
    lines += [
        f"instead: {one.option}, {said_demand(one.resources)}, in {said_seconds(one.available_in)}"
        for one in response.alternatives
    ]
    return lines


def _steps(name: str, response: Response, *, exists: bool) -> tuple[str, ...]:
    if response.status in ("queued", "denied"):
        return ("stretto resource-manager status",)
    first = () if exists else (f"stretto coordination-hub create {name}",)
    return (*first, f"stretto resource-manager release {response.held.id}")


def _prediction(
    demand: Demand, context: _Context, request: Request, response: Response, load: dict[str, Any]
) -> dict[str, Any]:
    """Each input by name with what it stands for, the amounts, and whether the deadline can be met."""
    empty = "empty: nothing of it is stored"
    inputs: dict[str, Any] = {
        "similar_workflows": {one.name: list(one.records) or empty for one in demand.similar} or "not named",
        "system_load": load if context.load != "none" and load["records"] else empty,
    }
    if context.load == "none":
        inputs["system_load"] = "not named"
    pace = demand.team
    inputs["team_performance"] = (
        "not named" if pace is None else {"pace": pace.value, "records": list(pace.records)} if pace.records else empty
    )
    return {
        "prediction": {**demand.told(), "inputs": inputs},
        "deadline": _deadline(demand, context, request, response),
    }


def _deadline(demand: Demand, context: _Context, request: Request, response: Response) -> dict[str, Any]:
    """By the scheduler: when it starts, and how long it takes with the agents that it gets; the high end, if known."""
    start = 0.0 if context.load == "none" else response.start
    agents = response.held.granted.get("agents") or request.wanted.get("agents") or demand.agents
    slower = max(demand.agents / agents, 1.0)
    takes = (demand.high if demand.high is not None else demand.seconds) * slower
    ends = None if start is None else start + takes
    feasible = None if ends is None or context.deadline is None else ends <= context.deadline
    return {"seconds": context.deadline, "completes_in": ends, "starts_in": start, "feasible": feasible}


def _said_input(value: object) -> str:
    """What an input stands for, in words."""
    if not isinstance(value, dict):
        return str(value)
    return "; ".join(f"{name} {_said_list(told)}" for name, told in cast("dict[str, object]", value).items())


def _said_list(told: object) -> str:
    return ", ".join(map(str, cast("list[object]", told))) if isinstance(told, list) else str(told)


def _prediction_lines(result: Mapping[str, Any]) -> list[str]:
    found, deadline = result["prediction"], result["deadline"]
    low, high = said_seconds(found["low"]), said_seconds(found["high"])
    lines = [
        f"predicted: {found['agents']} agents, {said_bytes(found['memory'])}, {said_seconds(found['seconds'])}"
        f" ({low} to {high}), n = {found['n']}, confidence {found['confidence']:.2f}; {found['basis']}"
    ]
    lines += [f"  {name}: {_said_input(value)}" for name, value in found["inputs"].items()]
    if deadline["seconds"] is not None:
        word = {True: "can be met", False: "cannot be met", None: "unknown"}[deadline["feasible"]]
        lines.append(
            f"deadline in {said_seconds(deadline['seconds'])}: {word}; by the scheduler it is done in"
            f" {said_seconds(deadline['completes_in'])}"
        )
    return lines
