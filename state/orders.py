"""Work orders: attempts that somebody outside carries out. Who may do what with one, and the event that tells of it.

An order is open → taken → reported → closed; `void` is one that nobody needs any more. Its id is the attempt's
idempotency key, `WORKFLOW/PHASE/TASK#N`. It is leased to the process of whoever took it: as long as that lives, nobody
else gets it. Standard library only, for the hooks.
"""

from __future__ import annotations

from collections.abc import Mapping

from stretto.state import ids
from stretto.state.errors import BadInput, InvalidTransition, NotFound, OrderTaken
from stretto.state.order_rows import order_row, put_order
from stretto.state.process import Process, is_gone
from stretto.state.queries import workflow_row
from stretto.state.rows import Order, Taker

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from stretto.state.transaction import Transaction

STANDING = ("open", "taken", "reported")
"""States in which an order still matters to its workflow."""
LONGEST_NOTE = 4_000
_LIVING = frozenset({"RUNNING", "PAUSED"})

parse = ids.order_id
is_id = ids.is_order_id


def gone(order: Order) -> bool:
    """Whether whoever took it has died. One who cannot be watched (no process is known) counts as alive."""
    taker = order.taker
    return taker is not None and is_gone(Process(*taker[2:]))


def make(tx: Transaction, order: str, work: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Hand an attempt out, for the first time or again after its taker died; write TASK_ASSIGNED or TASK_REASSIGNED.

    `work` is what the taker and the driver need to know; `work["phase"]` and `work["started"]`, the data of the
    TASK_STARTED to come, are read here.
    """
    workflow, task, number = parse(order)
    old = order_row(tx.database, workflow, task, number)
    notes = old.notes if old else []
    put_order(tx.database, Order(workflow, task, number, "open", None, "", dict(work), None, notes))
    event = "TASK_REASSIGNED" if old and old.taker else "TASK_ASSIGNED"
    lost = {"reason": "whoever had taken it is gone"} if old and old.taker else {}
    data = {"task_id": task, "attempt": number, "order": order, **facts, **lost}
    tx.event(event, workflow, str(work["phase"]), data)


def take(tx: Transaction, order: str, taker: Taker) -> Order:
    """Take an order and write TASK_STARTED. Who has it already gets it again, unchanged, while its process lives.

    Raises:
        NotFound: There is no such order.
        OrderTaken: A living process has it, or a dead one that its driver has to be told of.
        InvalidTransition: It is over, or its workflow is.
    """
    found = _found(tx, order)
    if found.state == "taken" and found.taker and found.taker[:2] == taker[:2] and not gone(found):
        return found
    if found.state == "taken" and found.taker:
        raise _taken(order, found)
    if found.state != "open":
        raise over(order, found)
    row = workflow_row(tx.database, found.workflow_id)
    if row is None or row.status not in _LIVING:
        raise over(order, found)
    started = {**found.work["started"], "order": order, "session": taker.session}
    tx.start_attempt(found.workflow_id, found.task_id, found.attempt, order, found.work["phase"], started)
    new = found._replace(state="taken", taker=taker, taken=tx.now)
    put_order(tx.database, new)
    return new


def _taken(order: str, found: Order) -> OrderTaken:
    if gone(found):
        return OrderTaken(
            f"Order {order!r} was taken by an agent that is gone; its half-done work must be cleared away first.",
            next_steps=(f"stretto orchestrate --resume {found.workflow_id}   (hands it out again)",),
        )
    return OrderTaken(
        f"Order {order!r} was taken at {found.taken} and is being worked on. Do not do it twice.",
        next_steps=(f"stretto workflow-status {found.workflow_id}",),
    )


def over(order: str, found: Order) -> InvalidTransition:
    """The error for an order that cannot be taken or reported: it is over, its workflow is, or nobody has taken it."""
    return InvalidTransition(
        f"Order {order!r} is {found.state}; nothing is to be done for it any more, and nothing was changed.",
        field="order",
        next_steps=(f"stretto orchestrate --resume {found.workflow_id}",),
    )


def report(tx: Transaction, order: str, said: Mapping[str, Any], by: Taker | None = None) -> Order:
    """Keep what came back of an order. The driver judges it when the workflow goes on.

    Raises:
        NotFound: There is no such order.
        InvalidTransition: Nobody has taken it, or it is over: a report that came too late changes nothing.
        OrderTaken: It was handed out again meanwhile, and taken by another session than `by`.
    """
    found = _found(tx, order)
    if found.state == "open":
        raise InvalidTransition(
            f"Order {order!r} is taken by nobody, so there is nothing to report of it. Nothing was changed.",
            field="order",
            next_steps=(f"stretto brief {order}   (takes it)",),
        )
    if found.state != "taken":
        raise over(order, found)
    if by and found.taker and _strangers(by, found.taker):
        raise _taken(order, found)
    new = found._replace(state="reported", report=dict(said))
    put_order(tx.database, new)
    return new


def _strangers(one: Taker, other: Taker) -> bool:
    """Whether these are known to be of two sessions. One process may be several, one after the other."""
    watched = bool(one.pid) and bool(other.pid)
    return watched and one.session != other.session and one[2:] != other[2:]


def close(tx: Transaction, order: str) -> None:
    """Its attempt has ended. None there is fine."""
    found = order_row(tx.database, *parse(order))
    if found and found.state in STANDING:
        put_order(tx.database, found._replace(state="closed"))


def note(tx: Transaction, order: str, text: str) -> Order:
    """Leave a word for whoever works on an order, and write TASK_STEERED.

    Raises:
        NotFound: There is no such order.
        BadInput: The note is empty or too long.
        InvalidTransition: It is reported or over: nobody would read it.
    """
    if not text.strip() or len(text) > LONGEST_NOTE:
        raise BadInput(f"A note has 1 to {LONGEST_NOTE} characters, not {len(text)}.", field="note")
    found = _found(tx, order)
    if found.state not in ("open", "taken"):
        raise over(order, found)
    new = found._replace(notes=[*found.notes, {"text": text, "at": tx.now, "read": False}])
    put_order(tx.database, new)
    data = {"task_id": found.task_id, "attempt": found.attempt, "order": order, "note": text}
    tx.event("TASK_STEERED", found.workflow_id, str(found.work["phase"]), data)
    return new


def read_notes(tx: Transaction, order: str) -> list[str]:
    """The notes that nobody has read, oldest first; they count as read from now on."""
    found = order_row(tx.database, *parse(order))
    if found is None or not unread(found):
        return []
    put_order(tx.database, found._replace(notes=[{**n, "read": True} for n in found.notes]))
    return unread(found)


def unread(order: Order) -> list[str]:
    """The notes of an order that nobody has read."""
    return [str(n["text"]) for n in order.notes if not n["read"]]


def _found(tx: Transaction, order: str) -> Order:
    if found := order_row(tx.database, *parse(order)):
        return found
    raise NotFound(f"There is no order {order!r}.", field="order", next_steps=("stretto workflow-status",))
