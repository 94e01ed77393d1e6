"""Work orders as rows of the log: reading and writing them."""

from __future__ import annotations

from stretto.state import wire
from stretto.state.database import Database
from stretto.state.quick_json import loads
from stretto.state.reader import damaged
from stretto.state.rows import Order, Taker
from stretto.state.schema import STANDING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def order_row(database: Database, workflow_id: str, task_id: str, attempt: int) -> Order | None:
    """One work order; none in a file of before there were any."""
    if not _exist(database):
        return None
    key = (workflow_id, task_id, attempt)
    rows = database.read("orders", "WHERE workflow_id = ? AND task_id = ? AND attempt = ?", key)
    return _order(database, rows[0]) if rows else None


def standing_orders(database: Database, workflow_id: str | None = None) -> list[Order]:
    """The work orders that still matter, of one workflow or of all."""
    if not _exist(database):
        return []
    mine, values = ("workflow_id = ? AND ", (workflow_id,)) if workflow_id is not None else ("", ())
    where = f"WHERE {mine}{STANDING} ORDER BY workflow_id, task_id, attempt"
    return [_order(database, r) for r in database.read("orders", where, values)]


def put_order(database: Database, order: Order) -> None:
    """Write one, in the place of an older one."""
    taker = wire.compact(order.taker._asdict()) if order.taker else ""
    said = "" if order.report is None else wire.compact(order.report)
    notes = wire.compact({"notes": order.notes})
    texts = (taker, order.taken, wire.compact(order.work), said, notes)
    database.put("orders", (order.workflow_id, order.task_id, order.attempt, order.state, *texts))


def _exist(database: Database) -> bool:
    """A log of before there were work orders may be read as it is."""
    return bool(database.execute("SELECT 1 FROM sqlite_master WHERE name = 'orders'"))


def _order(database: Database, row: tuple[Any, ...]) -> Order:
    taker, taken, work, said, notes = row[4:]
    return Order._make(
        (
            *row[:4],
            Taker(**_json(database, taker)) if taker else None,
            taken,
            _json(database, work),
            _json(database, said) if said else None,
            _json(database, notes)["notes"],
        )
    )


def _json(database: Database, text: str) -> Any:
    try:
        return loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(database.path, f"{text[:60]!r} is not JSON") from error
