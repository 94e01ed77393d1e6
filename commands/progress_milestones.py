"""/progress-aggregator milestone-tracking: dates by which workflows shall be done, and whether they will be."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from stretto.commands.app import App
from stretto.commands.coordinating import default_capacity, writing
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.progress_aggregator import reply_of, see
from stretto.commands.progress_words import percent
from stretto.commands.reply import Reply
from stretto.graph import admission
from stretto.graph.milestones import Milestone, Standing, standing
from stretto.state.chosen import choose
from stretto.state.errors import BadInput
from stretto.state.ids import workflow_id as checked_id
from stretto.state.log import Log
from stretto.state.moments import stamp

MILESTONES = "milestones"
_MOST = 200


def milestone_tracking(invocation: Invocation, app: App) -> Reply:
    """`'[{"name": "beta", "target": "2026-12-01", "workflows": ["a_001"]}]'` sets them; without it, how they stand."""
    asked = _milestones(invocation.json[0]) if invocation.json else None
    wrote: tuple[str, ...] = ()
    if asked is not None:
        with writing(app) as desk:
            choose(desk.tx, MILESTONES, {"milestones": [one._asdict() for one in asked]})
            wrote = tuple(desk.tx.ids)
    found = _stand(app)
    lines = [_line(one) for one in found] or ["No milestone was set."]
    result = {"milestones": [_told(one) for one in found]}
    example = '[{"name": "beta", "target": "2026-12-01", "workflows": ["ID"]}]'
    steps = () if found else (f"stretto progress-aggregator milestone-tracking '{example}'",)
    return reply_of(invocation, lines, result, steps)._replace(events=wrote)


def _milestones(value: object) -> list[Milestone]:
    if not isinstance(value, list) or len(cast("list[object]", value)) > _MOST:
        raise BadInput(f"The milestones must be a list of at most {_MOST}.", field="json", allowed=("[{…}]",))
    found = [_milestone(item, f"[{i}]") for i, item in enumerate(cast("list[object]", value))]
    names = [one.name for one in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadInput(f"{twice!r} is there twice.", field="name")
    return found


def _milestone(value: object, field: str) -> Milestone:
    fields = Fields(value, field)
    name = fields.text("name", longest=100)
    target = fields.read("target", _moment, None)
    needs = fields.texts("workflows")
    fields.close()
    if not name or target is None or not needs:
        missing = "name" if not name else "target" if target is None else "workflows"
        raise BadInput(f"{field} has no {missing}.", field=f"{field}.{missing}")
    ids = tuple(checked_id(one, field=f"{field}.workflows[{i}]") for i, one in enumerate(needs))
    return Milestone(name, target, tuple(dict.fromkeys(ids)))


def _moment(value: object, field: str) -> float | None:
    """A day is over at its end; a time without a zone is UTC."""
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) else "")
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at.timestamp() + (86_400 if len(str(value)) <= len("2026-12-01") else 0)
    except (ValueError, OverflowError) as error:
        allowed = ("2026-12-01", "2026-12-01T17:00:00Z")
        raise BadInput(f"{field} {str(value)[:40]!r} is no date.", field=field, allowed=allowed) from error


def _stand(app: App) -> list[Standing]:
    log, seen = see(app)
    if log is None:
        return []
    with log:
        chosen = log.chosen(MILESTONES).value.get("milestones", [])
        waits = _waits(log, app, seen.now)
    known = {one.workflow_id: one for one in seen.found}
    ends = {name: view.finished for name, view in seen.read.views.items() if view.finished is not None}
    asked = [Milestone(str(one["name"]), float(one["target"]), tuple(one["workflows"])) for one in chosen]
    found = [standing(one, known, waits, ends, seen.now) for one in asked]
    return sorted(found, key=lambda one: (one.milestone.target, one.milestone.name))


def _waits(log: Log, app: App, now: float) -> Mapping[str, float | None]:
    limits = admission.capacity(log.database, default_capacity(app))
    return {one.workflow_id: d.start for one, d in admission.look(log.glance(), limits, now).waits}


def _told(one: Standing) -> dict[str, Any]:
    return {
        "name": one.milestone.name,
        "target": stamp(one.milestone.target),
        "status": one.status,
        "progress": one.share,
        "expected": None if one.expected is None else stamp(one.expected),
        "at_worst": None if one.at_worst is None else stamp(one.at_worst),
        "workflows": list(one.milestone.workflows),
        "decided_by": one.last or None,
        "why": list(one.why),
    }


def _line(one: Standing) -> str:
    told = "reached" if one.status == "reached" else "expected"
    when = "nobody knows when it will be" if one.expected is None else f"{told} {_said(one.expected)}"
    decides = f" ({one.last} decides)" if one.last else ""
    why = f"; {'; '.join(one.why)}" if one.why else ""
    date = _said(one.milestone.target)
    return f"{one.milestone.name}: {one.status}, {percent(one.share)}; {when}{decides}, due {date}{why}"


def _said(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(sep=" ", timespec="minutes").replace("+00:00", " UTC")
