"""The desk: where a driver hands work orders out, and takes up what was reported of them."""

import shlex
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from stretto.agents.executor import Pending
from stretto.agents.loop import instructions
from stretto.agents.task import Brief, Task
from stretto.state import orders
from stretto.state.errors import InvalidTransition
from stretto.state.log import Log
from stretto.state.rows import Fence, Order

_PLACE = """\
Work order {order}

Your workspace is {cwd}
It is a copy of the project for you alone. Name files by absolute paths below it, and begin each command with
`cd {quoted} && `. Nothing outside of it is yours to change.

{instructions}

Your last message is your report: one JSON object as described, and nothing else.
"""


class Desk:
    """The work orders of one workflow, for whoever holds its lease."""

    def __init__(self, log: Log, fence: Fence) -> None:
        self._log = log
        self._fence = fence

    def names(self, workflow_id: str) -> list[str]:
        """The names of the workspaces that orders keep open."""
        return [str(o.work["workspace"]["name"]) for o in self._log.standing_orders(workflow_id)]

    def has(self, task: Task) -> bool:
        """Whether an order of this task stands: it has had its turn."""
        return any(o.task_id == task.task_id for o in self._log.standing_orders(task.workflow_id))

    def left(self, order: str) -> Mapping[str, Any] | None:
        """The workspace in which work on the order has ended; None if it is to be handed out, again or at all.

        Raises:
            Pending: It waits to be taken, or an agent that lives works on it.
        """
        found = self._log.order(*orders.parse(order))
        if found is None or found.state not in orders.STANDING:
            return None
        if found.state == "taken" and orders.gone(found):
            return None  # however long ago: that nobody was there is no failure
        if _expired(found):
            self._give_up(order, float(found.work["seconds"]))
        elif found.state != "reported":
            raise Pending
        return dict(found.work["workspace"])

    def _give_up(self, order: str, seconds: float) -> None:
        """Report in the place of an agent that has not."""
        late = {"status": "failed", "summary": f"no report within {seconds:g} s of its being taken"}
        with suppress(InvalidTransition), self._log.write(self._fence) as tx:  # its report came in this very moment
            orders.report(tx, order, {"outcome": late})

    def order(self, brief: Brief, workspace: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        """What was reported of the attempt that `brief` describes; hands it out first.

        Raises:
            Pending: It is handed out.
        """
        found = self._log.order(*orders.parse(brief.idempotency_key))
        if found and found.state == "reported":
            return found.report or {}
        started = {"agent_id": brief.role, "role": brief.role, "title": brief.title}
        work = {
            "phase": brief.phase,
            "brief": brief.model_dump(mode="json"),
            "text": _text(brief),
            "workspace": dict(workspace),
            "seconds": seconds,
            "started": started,
        }
        with self._log.write(self._fence) as tx:
            orders.make(tx, brief.idempotency_key, work, started)
        raise Pending

    def close(self, order: str) -> None:
        """The attempt has ended, well or not."""
        with self._log.write(self._fence) as tx:
            orders.close(tx, order)

    def void(self, workflow_id: str) -> None:
        """Another runner goes on: what was handed out is not wanted any more."""
        if self._log.standing_orders(workflow_id):
            with self._log.write(self._fence) as tx:
                tx.void_orders(workflow_id)


def _text(brief: Brief) -> str:
    """What an agent is told."""
    quoted, told = shlex.quote(brief.cwd), instructions(brief)
    return _PLACE.format(order=brief.idempotency_key, cwd=brief.cwd, quoted=quoted, instructions=told)


def _expired(order: Order) -> bool:
    if order.state != "taken":
        return False
    taken = datetime.fromisoformat(order.taken)
    return (datetime.now(UTC) - taken).total_seconds() > float(order.work["seconds"])
