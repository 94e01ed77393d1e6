"""Allocations: what a workflow asked for, what it was given, and until when.

An allocation is queued → active → released; `reserved` is one for a time to come, `denied` one that was refused,
`expired` one whose time went by. Amounts are by name: `agents`, `cpu` (cores), `memory` (bytes), `workflows` (slots),
and whatever else the capacity names. `files` are exclusive: no two hold one path; `touches` are files that it changes
without holding them; `starts` is when a reservation begins to hold. Every change writes an event that holds enough to
fold the rows from the log alone (`state.ledger`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from stretto.state import wire
from stretto.state.database import Database
from stretto.state.errors import BadInput, NotFound, StateConflict, StrettoError
from stretto.state.light import NamedTuple
from stretto.state.schema import LIVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stretto.state.transaction import Transaction

_TELLS = {"queued": "RESOURCE_REQUESTED", "reserved": "RESOURCE_RESERVED", "active": "RESOURCE_ALLOCATED"}
"""The event that tells of a row's state."""
_NOTHING = 1e-9
"""Less than this is none: shares of cores are fractions."""


class Allocation(NamedTuple):
    """One allocation.

    `wanted` and `granted` hold amounts by name, `files` and `seconds` (how long, or None); `granted` names the agents
    too, as `agent_ids`. `context` goes along when the allocation passes from one workflow to the next. Times are UTC,
    ISO 8601: `since` is when its state began, `until` when what it holds should come back, empty where nobody knows.
    """

    id: str
    workflow_id: str
    state: str
    priority: str
    wanted: dict[str, Any]
    granted: dict[str, Any]
    context: dict[str, Any]
    requested: str
    since: str
    until: str


class Exhausted(StrettoError):
    """What is asked for is not free."""

    code = "RESOURCE_EXHAUSTED"


def amounts(wanted: Mapping[str, Any]) -> dict[str, float]:
    """The amounts among what was asked for or granted."""
    return {k: v for k, v in wanted.items() if isinstance(v, int | float) and k != "seconds"}


def allocation(database: Database, allocation_id: str) -> Allocation:
    """One allocation.

    Raises:
        NotFound: There is none of this id.
    """
    if found := _read(database, "WHERE id = ?", (allocation_id,)):
        return found[0]
    raise NotFound(f"There is no allocation {allocation_id!r}.", field="allocation_id")


def live_allocations(database: Database, workflow_id: str | None = None) -> list[Allocation]:
    """Those that hold something or wait for it, of one workflow or of all, in the order of asking."""
    mine, values = ("workflow_id = ? AND ", (workflow_id,)) if workflow_id is not None else ("", ())
    return sorted(_read(database, f"WHERE {mine}{LIVE}", values), key=lambda a: (a.requested, a.id))


def allocations(database: Database, workflow_id: str | None = None) -> list[Allocation]:
    """All that ever were, of one workflow or of all, in the order in which they were asked for."""
    where, values = ("WHERE workflow_id = ?", (workflow_id,)) if workflow_id is not None else ("", ())
    return sorted(_read(database, where, values), key=lambda a: (a.requested, a.id))


def holds(one: Allocation, now: str = "") -> bool:
    """Whether it holds what it was given: an active one does, a reserved one while its window is open.

    Without `now` every reservation counts.
    """
    if one.state == "reserved" and now:
        return str(one.granted.get("starts", "")) <= now < (one.until or "~")
    return one.state in ("active", "reserved")


def in_use(held: Iterable[Allocation], now: str = "") -> dict[str, float]:
    """The sums of what these hold."""
    total: dict[str, float] = {}
    for one in held:
        if holds(one, now):
            for name, amount in amounts(one.granted).items():
                total[name] = total.get(name, 0) + amount
    return total


def short_of(
    wanted: Mapping[str, Any], capacity: Mapping[str, float], held: Sequence[Allocation], now: str = ""
) -> tuple[str, ...]:
    """What keeps this from being granted now: names of amounts, and `file PATH` for files that another holds."""
    used = in_use(held, now)
    short = [
        name
        for name, amount in amounts(wanted).items()
        if name in capacity and used.get(name, 0) + amount > capacity[name] + _NOTHING
    ]
    taken = {path for one in held if holds(one, now) for path in one.granted.get("files", ())}
    return (*short, *(f"file {path}" for path in wanted.get("files", ()) if path in taken))


def ask(
    tx: Transaction,
    workflow_id: str,
    priority: str,
    wanted: Mapping[str, Any],
    capacity: Mapping[str, float],
    context: Mapping[str, Any] | None = None,
    until: str = "",
) -> Allocation:
    """Put a request in the queue and write RESOURCE_REQUESTED; admission decides when it is granted.

    `until` is when it gives up waiting.

    Raises:
        BadInput: It asks for something that there is none of, or for more than there ever is.
    """
    return _new(tx, workflow_id, "queued", priority, wanted, capacity, context, until)


def reserve(
    tx: Transaction,
    workflow_id: str,
    priority: str,
    wanted: Mapping[str, Any],
    capacity: Mapping[str, float],
    until: str,
    context: Mapping[str, Any] | None = None,
) -> Allocation:
    """Keep something from `wanted["starts"]` to `until`, and write RESOURCE_RESERVED. Whether it fits is the caller's.

    Raises:
        BadInput: It asks for something that there is none of, or for more than there ever is.
    """
    return _new(tx, workflow_id, "reserved", priority, wanted, capacity, context, until)


def _new(
    tx: Transaction,
    workflow_id: str,
    state: str,
    priority: str,
    wanted: Mapping[str, Any],
    capacity: Mapping[str, float],
    context: Mapping[str, Any] | None,
    until: str,
) -> Allocation:
    check_possible(workflow_id, wanted, capacity)
    granted = dict(wanted) if state == "reserved" else {}
    name = _next_id(tx, workflow_id)
    new = Allocation(
        name, workflow_id, state, priority, dict(wanted), granted, dict(context or {}), tx.now, tx.now, until
    )
    put(tx, new)
    _tell(tx, new)
    return new


def check_possible(workflow_id: str, wanted: Mapping[str, Any], capacity: Mapping[str, float]) -> None:
    """Nothing is asked for that there is none of, nor more than there ever is.

    Raises:
        BadInput: The first that is.
    """
    for name, amount in amounts(wanted).items():
        if amount < 0 or name not in capacity or amount > capacity[name]:
            most = capacity.get(name, 0)
            raise BadInput(
                f"{workflow_id!r} asks for {amount:g} of {name!r}; there are {most:g} in all. Nothing was written.",
                field=f"resources.{name}",
                allowed=tuple(f"{k}: at most {v:g}" for k, v in capacity.items()),
                next_steps=(
                    "Ask for less, or raise the capacity: stretto resource-manager configure '{\"capacity\": …}'",
                ),
            )


def _next_id(tx: Transaction, workflow_id: str) -> str:
    return f"alloc_{workflow_id}_{len(allocations(tx.database, workflow_id)) + 1}"


def grant(
    tx: Transaction,
    asked: Allocation,
    capacity: Mapping[str, float],
    granted: Mapping[str, Any] | None = None,
    until: str = "",
) -> Allocation:
    """Give it what it wants, or `granted`, and write RESOURCE_ALLOCATED. An active one gets `granted` instead.

    Raises:
        StateConflict: It neither waits nor holds anything.
        Exhausted: It does not fit into what is free; nothing was written.
    """
    if asked.state not in _TELLS:
        raise StateConflict(f"Allocation {asked.id!r} is {asked.state}; only one that waits or holds can be granted.")
    given = dict(asked.wanted if granted is None else granted)
    given.pop("starts", None)
    others = [a for a in live_allocations(tx.database) if a.id != asked.id]
    if short := short_of(given, capacity, others, tx.now):
        raise Exhausted(
            f"{asked.workflow_id!r} cannot have that now: {', '.join(short)} not free. Nothing was written."
        )
    since = asked.since if asked.state == "active" else tx.now
    new = asked._replace(state="active", granted=given, since=since, until=until)
    put(tx, new)
    _tell(tx, new, **({"before": asked.granted} if asked.state == "active" else {}))
    return new


def hand_over(tx: Transaction, held: Allocation, workflow_id: str, context: Mapping[str, Any]) -> Allocation:
    """Pass one on, whatever its state, to another workflow; in between nothing is free.

    The event of the new one says which it takes over; RESOURCE_DEALLOCATED of the old one frees nothing.
    """
    new = held._replace(id=_next_id(tx, workflow_id), workflow_id=workflow_id, context=dict(context))
    put(tx, new)
    put(tx, held._replace(state="released", since=tx.now, until=""))
    _tell(tx, new, taken_over=held.id)
    facts = {"allocation_id": held.id, "release_reason": f"handed over to {workflow_id}", "handed_to": new.id}
    tx.event("RESOURCE_DEALLOCATED", held.workflow_id, "coordination", facts)
    return new


def _tell(tx: Transaction, row: Allocation, **more: object) -> None:
    facts = {
        "allocation_id": row.id,
        "resource_details": row.granted if row.state == "active" else row.wanted,
        "requester": row.workflow_id,
        "priority": row.priority,
        "requested": row.requested,
        **({"until": row.until} if row.until else {}),
        **({"context": row.context} if row.context else {}),
        **more,
    }
    tx.event(_TELLS[row.state], row.workflow_id, "coordination", facts)


def shrink(tx: Transaction, held: Allocation, less: Mapping[str, float], reason: str) -> Allocation:
    """Take back a part of what an active one holds, named agents among it left to the caller; RESOURCE_DEALLOCATED."""
    left = {k: v - less.get(k, 0) if k in amounts(held.granted) else v for k, v in held.granted.items()}
    new = held._replace(granted=left)
    put(tx, new)
    facts = {"allocation_id": held.id, "release_reason": reason, "resource_details": dict(less), "remaining": left}
    tx.event("RESOURCE_DEALLOCATED", held.workflow_id, "coordination", facts)
    return new


def release(tx: Transaction, held: Allocation, reason: str, state: str = "released") -> Allocation:
    """Take back what it holds, or its place in the queue, and write RESOURCE_DEALLOCATED."""
    new = held._replace(state=state, since=tx.now, until="")
    put(tx, new)
    facts = {"allocation_id": held.id, "release_reason": reason, "resource_details": held.granted}
    tx.event("RESOURCE_DEALLOCATED", held.workflow_id, "coordination", facts)
    return new


def put(tx: Transaction, row: Allocation) -> None:
    """Write one, in the place of an older one. Who calls this writes the event that tells of it."""
    texts = (wire.compact(row.wanted), wire.compact(row.granted), wire.compact(row.context))
    tx.database.put("allocations", (*row[:4], *texts, *row[7:]))


def _read(database: Database, where: str, values: Sequence[str] = ()) -> list[Allocation]:
    if not _exist(database):
        return []
    rows = database.read("allocations", where, values)
    return [Allocation._make((*r[:4], *map(json.loads, r[4:7]), *r[7:])) for r in rows]


def _exist(database: Database) -> bool:
    """A log of before there were any may be read as it is."""
    return bool(database.execute("SELECT 1 FROM sqlite_master WHERE name = 'allocations'"))
