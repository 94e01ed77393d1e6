"""Verbs on a work order: brief (take it), report, steer, check. Standard library only but for `check`."""

from __future__ import annotations

import os
import sys

from stretto.commands.app import App
from stretto.commands.reply import Reply
from stretto.commands.taking import taker, with_notes
from stretto.commands.trust import require_own
from stretto.state import orders
from stretto.state.errors import BadInput, NotFound
from stretto.state.light import cast
from stretto.state.log import Log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST_BYTES = 4_000_000
_STATUSES = ("completed", "partial", "failed")


def brief(app: App, order: str) -> Reply:
    """Take an order and show its brief, with what a person has said about it since.

    Raises:
        BadInput: It is no order.
        OrderTaken: Somebody else has it.
    """
    orders.parse(order)
    session = os.environ.get("CLAUDE_CODE_SESSION_ID", "")
    with writing(app, order) as log, log.write() as tx:
        found = orders.take(tx, order, taker(session, ""))
        notes = orders.read_notes(tx, order)
    return Reply("brief", with_notes(found, notes), dict(found.work["brief"]), workflow_id=found.workflow_id)


def report(app: App, order: str, said: dict[str, Any]) -> Reply:
    """Keep what came back of an order, for the driver to judge.

    Raises:
        BadInput: It is no order, nobody has taken it, or it is over.
        OrderTaken: Another session has taken it.
    """
    orders.parse(order)
    by = taker(os.environ.get("CLAUDE_CODE_SESSION_ID", ""), "")
    with writing(app, order) as log, log.write() as tx:
        found = orders.report(tx, order, said, by)
    again = f"stretto orchestrate --resume {found.workflow_id}"
    text = f"Kept. It counts once it is proven: {again}"
    return Reply("report", text, {"order": order, "state": found.state}, workflow_id=found.workflow_id)


def read_outcome() -> dict[str, Any]:
    """The outcome that stdin holds: one JSON object with a status.

    Raises:
        BadInput: It is none.
    """
    import json  # here: it takes bytes in any encoding of Unicode, and the other orders do without

    text = sys.stdin.buffer.read(MOST_BYTES + 1)
    try:
        loaded: object = json.loads(text) if len(text) <= MOST_BYTES else None
    except (ValueError, RecursionError):
        loaded = None
    found = cast("dict[str, Any]", loaded) if isinstance(loaded, dict) else {}
    if found.get("status") not in _STATUSES:
        raise BadInput(
            "The outcome on stdin must be one JSON object with a status, of at most 4 MB. Nothing was written.",
            field="status",
            allowed=_STATUSES,
        )
    return {"outcome": found}


def steer(app: App, order: str, note: str) -> Reply:
    """Leave a word for the agent at work; it gets it with its next tool call, at the latest before it ends.

    Raises:
        BadInput: It is no order, or it is reported or over.
    """
    orders.parse(order)
    with writing(app, order) as log, log.write() as tx:
        found = orders.note(tx, order, note)
    when = "when it is taken" if found.state == "open" else "with its agent's next change, at the latest before it ends"
    return Reply("steer", f"Noted; it is handed over {when}.", {"order": order}, workflow_id=found.workflow_id)


def writing(app: App, order: str) -> Log:
    """The log, open for writing.

    Raises:
        NotFound: There is no store, so no order.
    """
    if (found := Log.find(app.state)) is None:
        raise NotFound(f"There is no order {order!r}: no workflow has run here yet.", field="order")
    found.close()
    return Log.open(app.directory)


def checks(app: App, order: str) -> Reply:
    """Run the checks of an order in its workspace, as they will be run to prove it.

    Raises:
        BadInput: It is no order that stands.
    """
    import asyncio
    from pathlib import Path

    from stretto.agents.checks import CheckReport, run_checks
    from stretto.agents.environment import find_environment
    from stretto.agents.environment_scrub import scrub
    from stretto.agents.process import run as execute
    from stretto.state.settings import load

    with writing(app, order) as log:
        found = log.order(*orders.parse(order))
    if found is None or found.state not in orders.STANDING:
        raise NotFound(f"No order {order!r} stands.", field="order", next_steps=("stretto workflow-status",))
    require_own(app, found.workflow_id)
    place, commands = found.work["workspace"], found.work["brief"]["checks"]
    if not commands:
        return Reply("check", "This order names no checks.", {"passed": None, "results": []})

    async def run() -> CheckReport:
        top, variables = Path(place["top"]), scrub(os.environ, load(Path(place["top"])).environment)
        environment = await find_environment(top, Path(place["project"]), variables, execute)
        return await run_checks(
            commands,
            root=Path(place["path"]),
            cwd=Path(place["cwd"]),
            environment=environment,
            seconds=float(found.work["seconds"]),
            execute=execute,
        )

    told = asyncio.run(run())
    text = told.text or "All checks passed."
    return Reply(
        "check", text, {"passed": told.passed}, workflow_id=found.workflow_id, exit_code=0 if told.passed else 1
    )
