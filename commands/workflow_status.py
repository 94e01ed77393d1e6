"""/workflow-status: what the log knows of one workflow or of all. Standard library only; creates nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from stretto.commands.app import App, require_supported
from stretto.commands.invocation import Invocation
from stretto.commands.leaving import LEFT, taking_up
from stretto.commands.reply import Reply
from stretto.commands.safe import one_line
from stretto.commands.workflows import UNDONE, find
from stretto.state import lease
from stretto.state.errors import BadInput
from stretto.state.log import Log
from stretto.state.machine import ACTIVE
from stretto.state.rows import WorkflowRow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stretto.state.figures import WorkflowView

CONTROL = frozenset({"pause", "resume", "skip", "priority", "checkpoint", "reason", "name"})
RECOVERY = frozenset({"recovery-report", "lessons-learned"})
SUPPORTED = frozenset({"detailed", "all", "include-dependencies", "subscribe", "events", "follow", *RECOVERY}) | CONTROL
COORDINATED = "coordinated"
"""The runner of workflows that commands move, as `graph.coordination` names it."""
SHOWN = 20
"""Workflows in a list that did not ask for all."""


def handle(invocation: Invocation, app: App) -> Reply:
    """Show one workflow folded from its events, or a line for each.

    Raises:
        NotFound: There is no workflow of that id.
        BadInput: One is named, and all are asked for; or none is, and a flag is about one.
    """
    require_supported(invocation, SUPPORTED)
    if more := invocation.flags.keys() & (SUPPORTED - {"detailed", "all"}):
        return _about_one(invocation, app, min(more))
    detailed, everything = "detailed" in invocation.flags, "all" in invocation.flags
    if invocation.ids:
        if everything:
            raise BadInput("--all lists every workflow; leave it out, or leave the ID out.", field="--all")
        log, row = find(app, invocation.ids[0], field="workflow_id")
        with log:
            return _one(log, row, app, detailed)
    if (found := Log.find(app.state)) is None:
        steps = ('stretto orchestrate "…"',)
        none: dict[str, Any] = {"workflows": [], "total": 0, "by_status": {}}
        return Reply("workflow-status", "No workflow has run here yet.", none, next_steps=steps)
    with found:
        return _several(found, app, detailed, everything)


def _about_one(invocation: Invocation, app: App, flag: str) -> Reply:
    """What needs more than the log, or changes something: imported when it is asked for."""
    if not invocation.ids:
        raise BadInput(f"--{flag} is about one workflow: say which.", field="workflow_id")
    log, row = find(app, invocation.ids[0], field="workflow_id")
    with log:
        if invocation.flags.keys() & CONTROL:
            from stretto.commands.status_control import control

            return control(invocation, app, row)
        if asked := invocation.flags.keys() & RECOVERY:
            from stretto.commands.recovery_telling import recovery_report_of

            report, lessons = "recovery-report" in asked, "lessons-learned" in asked
            return recovery_report_of(app, row.id, report=report, lessons=lessons)
        if "follow" in invocation.flags and "subscribe" not in invocation.flags:
            raise BadInput("--follow says how to subscribe; add --subscribe.", field="--follow")
        if "subscribe" in invocation.flags:  # with --follow a program gets what is pending; a terminal stays (cli.py)
            from stretto.commands.status_subscribe import subscribe

            return subscribe(app, row.id, invocation.flags.get("events", ()))
        if "events" in invocation.flags:
            raise BadInput("--events says what to subscribe to; add --subscribe.", field="--events")
        return _one(log, row, app, "detailed" in invocation.flags, depends=True)


def _one(log: Log, row: WorkflowRow, app: App, detailed: bool, *, depends: bool = False) -> Reply:
    from stretto.state import purse as spending
    from stretto.state.show import as_dict, brief, text  # here: a list of workflows does without
    from stretto.state.view import fold

    now = app.clock()
    view = fold(log.events(row.id))
    holder = lease.holder(log, row.id)
    driven = _driver(row, holder)
    undone = log.fact(row.id, UNDONE)
    body = {**as_dict(view, now), "driver": driven, "undone": undone is not None, "runner": row.runner}
    spent_by_all = spending.told(log.database, row.id, now)
    body |= spent_by_all
    spent = spending.line(spent_by_all["caps"])
    busy, at_work = _at_work(log, row, app, view) if driven == "alive" else ({}, [])
    body |= {"at_work": busy}
    shown = text(view, now) if detailed else brief(view, now)
    lines = [shown, *at_work, *spent, *_about_driver(driven, holder)]
    if row.runner == COORDINATED and (detailed or depends):
        from stretto.commands.status_coordination import about

        more, told = about(log, row, app)
        lines, body = [*lines, *more], {**body, **told}
    if depends:
        from stretto.commands.status_coordination import dependencies

        more, told = dependencies(log, row)
        lines, body = [*lines, *more], {**body, **told}
    steps = (f"{undone}   (brings it again)",) if undone else _next(row, driven, _pause(view))
    return Reply("workflow-status", "\n".join(lines), body, workflow_id=row.id, next_steps=steps)


def _at_work(log: Log, row: WorkflowRow, app: App, view: WorkflowView) -> tuple[dict[str, Any], list[str]]:
    """What the agents of a living driver do, for programs and as lines."""
    from stretto.commands.at_work import all_doing, lines
    from stretto.state import purse
    from stretto.state.store import LOGS

    asked = [task for task in view.tasks.values() if not task.order]
    busy = all_doing(asked, purse.read(log.database, row.id), f"{app.state}/{LOGS}", row.id, app.clock())
    return busy, [*lines(busy)]


def _pause(view: WorkflowView) -> Mapping[str, Any]:
    """What was said of the pause in which it is; nothing if it is in none."""
    stops = [e for e in view.last if e.type == "WORKFLOW_PAUSED"]
    return stops[-1].data if stops and view.status == "PAUSED" else {}


def _about_driver(driven: str | None, holder: lease.Holder | None) -> tuple[str, ...]:
    if driven == "alive" and holder:
        return (f"  driven by process {holder.pid} on {holder.host!r}",)
    return ("  Its driver is gone. What was finished is kept; a resume goes on from there.",) if driven else ()


def _several(log: Log, app: App, detailed: bool, everything: bool) -> Reply:
    """Those that a person looks for first, and how many others there are; or all of them."""
    body: list[dict[str, Any]] = []
    lines: list[str] = []
    counts = log.count_workflows()
    for row in log.each_workflow() if everything else _chosen(log):
        body.append(_row(log, row))
        lines.append(f"{_brief(log, row, app.clock())}\n" if detailed else _line(body[-1]))
    total, more = sum(counts.values()), _left(counts, body)
    steps = [f"stretto workflow-status {told['workflow_id']}" for told in body[-1:]]
    if more:
        lines.append(f"and {sum(more.values()):,} more: {', '.join(f'{n:,} {s}' for s, n in sorted(more.items()))}")
        steps.append("stretto workflow-status --all")
    said = "\n".join(lines).rstrip("\n") or "No workflow has run here yet."
    result: dict[str, Any] = {"workflows": body, "total": total, "by_status": counts}
    if detailed and (settings := log.all_chosen()):
        result["settings"] = {one.name: {"version": one.version, "value": one.value} for one in settings}
        said = "\n".join([said, "", *(f"{one.name}, version {one.version}: {_value(one.value)}" for one in settings)])
    return Reply("workflow-status", said, result, next_steps=tuple(steps))


def _value(value: Mapping[str, Any]) -> str:
    from stretto.state.wire import compact

    return one_line(compact(value), 120)


def _brief(log: Log, row: WorkflowRow, now: float) -> str:
    from stretto.state.show import brief
    from stretto.state.view import fold

    return brief(fold(log.events(row.id)), now)


def _chosen(log: Log) -> list[WorkflowRow]:
    """The newest that have not ended, then the newest of the others, as many as are shown; oldest first."""
    rows = {row.id: row for row in (*log.newest_workflows(SHOWN, ACTIVE), *log.newest_workflows(SHOWN))}
    return sorted([*rows.values()][:SHOWN], key=lambda row: (row.created, row.id))


def _left(counts: Mapping[str, int], body: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many of each status are not shown."""
    shown = Counter(str(told["status"]) for told in body)
    return {status: n - shown[status] for status, n in counts.items() if n > shown[status]}


def _line(told: Mapping[str, Any]) -> str:
    return f"{told['workflow_id']:<32} {_word(told):<22} {one_line(told['description'], 80)}"


def _row(log: Log, row: WorkflowRow) -> dict[str, Any]:
    return {
        "workflow_id": row.id,
        "status": row.status,
        "driver": _driver(row, lease.holder(log, row.id)),
        "undone": log.fact(row.id, UNDONE) is not None,
        "description": row.description,
        "updated": row.updated,
    }


def _driver(row: WorkflowRow, holder: lease.Holder | None) -> str | None:
    """`alive`, `gone` for a workflow left running by a dead process, or None when nobody should drive it."""
    if row.runner == COORDINATED:
        return None
    if holder and holder.alive:
        return "alive"
    return "gone" if row.status in {"RUNNING", "SCHEDULED", "CREATED"} else None


def _word(body: Mapping[str, Any]) -> str:
    more = ", driver gone" if body["driver"] == "gone" else ", taken back" if body["undone"] else ""
    return f"{body['status']}{more}"


def _next(row: WorkflowRow, driver: str | None, pause: Mapping[str, Any]) -> tuple[str, ...]:
    if row.runner == COORDINATED:
        begin = (f"stretto coordination-hub start {row.id}",) if row.status == "SCHEDULED" else ()
        return (*begin, f"stretto events {row.id}")
    again = f"stretto orchestrate --resume {row.id}"
    if driver == "alive":
        return (f"stretto events {row.id} --follow", f"stretto cancel {row.id}")
    if row.status in {"COMPLETED", "CANCELLED"}:
        return (f"stretto diff {row.id}", f"stretto undo {row.id}")
    if "gate" in pause:
        return (f"stretto diff {row.id}", f"{again} --approve", f'{again} --reject "why"')
    if LEFT in pause:
        return taking_up(row.id, str(pause[LEFT]))
    if pause.get("current_state") == "open":
        return (f"stretto orchestrate finalize-workflow {row.id} --validation=complete", f"stretto diff {row.id}")
    return (again, f"stretto diff {row.id}")
