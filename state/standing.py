"""Work orders that stand, and workflows that wait, as the hooks see them: read, and never written.

The same rows as `order_rows` and `queries` give to everybody else; only what a hook looks at is taken out of them.
"""

from stretto.state.places import EVENTS
from stretto.state.process import Process, is_alive, is_gone
from stretto.state.quick_json import loads
from stretto.state.reader import Reader, damaged
from stretto.state.schema import STANDING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Standing:
    """One order. `taken_in` is the session of its taker, None as long as nobody has taken it; `taken_by` the agent."""

    def __init__(self, path: str, row: "tuple[Any, ...]") -> None:
        self.workflow_id: str
        self.state: str
        self.workflow_id, task, attempt, self.state, taker, _, work, _, notes = row
        self.id = f"{self.workflow_id}/{task}#{attempt}"
        self.work: dict[str, Any] = _json(path, work)
        self.unread = any(not note["read"] for note in _json(path, notes)["notes"])
        self._taker: dict[str, Any] = _json(path, taker) if taker else {}
        self.taken_in: str | None = self._taker.get("session")
        self.taken_by: str = self._taker.get("agent", "")

    @property
    def gone(self) -> bool:
        """Whether whoever took it has died; see `orders.gone`."""
        taker = self._taker
        return bool(taker) and is_gone(Process(taker["pid"], taker["boot"], taker["started"], taker["host"]))


def look(directory: str) -> Reader:
    """Open the log of the store in `directory`; see `Reader.open` for what that raises."""
    return Reader.open(f"{directory}/{EVENTS}")


def orders(reader: Reader, workflow: str = "") -> list[Standing]:
    """The orders that stand, of one workflow or of all, by their ids. None in a file of before there were any."""
    if not reader.has("orders"):
        return []
    mine, values = ("workflow_id = ? AND ", (workflow,)) if workflow else ("", ())
    rows = reader.read("orders", f"WHERE {mine}{STANDING} ORDER BY workflow_id, task_id, attempt", values)
    return [Standing(reader.path, row) for row in rows]


def begun(reader: Reader) -> list[tuple[str, str]]:
    """Id and status of the workflows that are RUNNING or PAUSED, oldest first."""
    rows = reader.read("workflows", "WHERE status IN ('RUNNING', 'PAUSED') ORDER BY created, id")
    return [(row[0], row[3]) for row in rows]


def driven(reader: Reader, workflow: str) -> bool:
    """Whether a living process drives a workflow; see `lease.holder`."""
    rows = reader.read("leases", "WHERE workflow_id = ?", (workflow,))
    if not rows:
        return False
    _, _, released, pid, boot, started, host, _ = rows[0]
    return not released and is_alive(Process(pid, boot, started, host))


def _json(path: str, text: str) -> "Any":
    try:
        return loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"{text[:60]!r} is not JSON") from error
