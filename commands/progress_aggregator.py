"""/progress-aggregator: how far all workflows have come together, what holds them up, how good the forecasts were."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from stretto.commands import operations
from stretto.commands.app import App
from stretto.commands.coordinating import default_capacity, writing
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.progress_words import dashboard, lines_of, markdown, percent, told
from stretto.commands.recovery_telling import recovery_analysis
from stretto.commands.reply import Reply
from stretto.graph import admission, bottlenecks, progress, recovery
from stretto.graph.bottlenecks import Bottleneck, Late
from stretto.graph.chains import Chain, chain_of
from stretto.graph.forecast import Phase
from stretto.graph.progress import Figures, Progress
from stretto.state.allocation import amounts, in_use
from stretto.state.chosen import choose
from stretto.state.errors import BadInput, NotFound
from stretto.state.ids import workflow_id as checked_id
from stretto.state.log import Log
from stretto.state.machine import ACTIVE
from stretto.state.units import said_bytes, said_seconds
from stretto.state.usage import measure

FLAGS: Mapping[str, frozenset[str]] = {
    "system-overview": frozenset({"include-conflicts", "resource-analysis", "explain"}),
    "workflow-summary": frozenset({"workflow", "sync-state", "predictive-analysis", "explain"}),
    "resource-prediction-accuracy": frozenset({"historical-comparison"}),
    "bottleneck-analysis": frozenset({"explain"}),
}
SUPPORTED = frozenset[str]().union(*FLAGS.values())
SECTIONS = ("progress", "resources", "predictions", "bottlenecks")
FORMATS = ("dashboard", "json", "markdown")
SETTINGS, TRACKED = "progress", "tracked"


class Seen(NamedTuple):
    """What one reading of the store gave."""

    found: list[Progress]
    read: Figures
    settings: dict[str, Any]
    tracked: list[dict[str, Any]]
    now: float

    @property
    def weights(self) -> dict[str, float]:
        """What was chosen to be watched, with its weight; empty where nothing was."""
        return {one["workflow_id"]: progress.WEIGHTS[one["weight"]] for one in self.tracked}


def handle(invocation: Invocation, app: App) -> Reply:
    """Hand the operation to its function.

    Raises:
        BadInput: This version does not have it, or a flag does nothing there.
    """
    return operations.run(invocation, app, OPERATIONS, FLAGS)


def see(app: App) -> tuple[Log | None, Seen]:
    """Read the store, if there is one. The caller closes the log."""
    log = Log.find(app.state)
    if log is None:
        return None, Seen([], progress.figures(()), {}, [], app.clock())
    found, read = progress.all_progress(log, app.clock())
    tracked = log.chosen(TRACKED).value.get("workflows", [])
    return log, Seen(found, read, log.chosen(SETTINGS).value, tracked, app.clock())


# ── overview ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def overview(invocation: Invocation, app: App) -> Reply:
    """All workflows together; with flags, why some wait and how the resources are used."""
    log, seen = see(app)
    result: dict[str, Any] = _progress(seen, explain="explain" in invocation.flags)
    lines = lines_of(seen.found, result)
    if log is not None:
        with log:
            if "include-conflicts" in invocation.flags:
                result["conflicts"] = _conflicts(log, app)
                lines += _conflict_lines(result["conflicts"])
            if "resource-analysis" in invocation.flags:
                result["resources"] = _resources(log, app)
                lines += _resource_lines(result["resources"])
    return reply_of(invocation, lines, result, _steps(seen))


def _progress(seen: Seen, *, explain: bool = False) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for one in seen.found:
        counts[one.status] = counts.get(one.status, 0) + 1
    return {
        "total": len(seen.found),
        "active": sum(one.status in ACTIVE for one in seen.found),
        "by_status": counts,
        "overall_progress": progress.overall(seen.found, seen.weights or None),
        "weighted_by": "what was chosen to be tracked" if seen.tracked else "priority",
        "workflows": [told(one, explain=explain) for one in seen.found],
    }


def _conflicts(log: Log, app: App) -> dict[str, Any]:
    """Clashes on record that are not resolved, and why each queued workflow waits."""
    clashes = [e.data for e in log.events() if e.type == "RESOURCE_CONFLICT"]
    live = {one.id for one in log.allocations(live=True)}
    standing = [c for c in clashes if live.issuperset(map(str, c.get("conflicting_requests", ())))]
    limits = admission.capacity(log.database, default_capacity(app))
    waits = admission.look(log.glance(), limits, app.clock()).waits
    told = [{"workflow_id": one.workflow_id, "position": d.position, "reason": d.reason} for one, d in waits]
    return {"conflicts": standing, "waiting": told}


def _conflict_lines(found: Mapping[str, Any]) -> list[str]:
    lines = [f"conflict: {c.get('conflict_id')} {c.get('severity')}" for c in found["conflicts"]] or ["no conflicts"]
    return [*lines, *(f"{w['workflow_id']} waits at {w['position']}: {w['reason']}" for w in found["waiting"])]


def _resources(log: Log, app: App) -> dict[str, Any]:
    limits = admission.capacity(log.database, default_capacity(app))
    used = in_use(log.allocations(live=True))
    usage, events = measure(log.events(), limits["agents"], float("-inf"), app.clock())
    return {
        "capacity": limits,
        "allocated": used,
        "free": {name: most - used.get(name, 0) for name, most in limits.items()},
        "window_seconds": max(usage.until - usage.since, 0.0),
        "utilisation": usage.allocated_share,
        "efficiency": usage.efficiency,
        "explained_by": len(events),
    }


def _resource_lines(found: Mapping[str, Any]) -> list[str]:
    amounts = [
        f"{name}: {_said(name, found['allocated'].get(name, 0))} of {_said(name, most)} allocated"
        for name, most in found["capacity"].items()
    ]
    share = f"agents allocated {percent(found['utilisation'])} of {said_seconds(found['window_seconds'])}"
    return [*amounts, f"{share}; of that, busy {percent(found['efficiency'])}"]


def _said(name: str, amount: float) -> str:
    return said_bytes(amount) if name == "memory" and amount else f"{amount:g}"


def summary(invocation: Invocation, app: App) -> Reply:
    """One workflow; with flags, whether its rows and its events agree, and how long it may still take."""
    inside = [*invocation.ids, *([invocation.flags["workflow"]] if "workflow" in invocation.flags else [])]
    if len(inside) != 1:
        raise BadInput("Which workflow? Give one id.", field="workflow_id")
    log, seen = see(app)
    name = str(inside[0])
    one = next((p for p in seen.found if p.workflow_id in (name, name.removeprefix("workflow_"))), None)
    if one is None or log is None:
        known = [p.workflow_id for p in seen.found][-8:]
        raise NotFound(f"There is no workflow {name!r}.", field="workflow_id", allowed=known)
    result: dict[str, Any] = told(one, explain="explain" in invocation.flags)
    lines = lines_of([one], None)
    with log:
        if "sync-state" in invocation.flags:
            result["sync"] = _synchronised(log, one)
            differ = result["sync"]["differences"]
            lines += differ or [f"rows and events agree at version {result['sync']['state_version']}"]
    if "predictive-analysis" in invocation.flags:
        result["prediction"] = {**one.left._asdict(), "progress": one.share}
        lines.append(f"left: {said_seconds(one.left.likely)} ({one.left.basis})")
    steps = (f"stretto workflow-status {one.workflow_id} --detailed",)
    return reply_of(invocation, lines, result, steps)._replace(workflow_id=one.workflow_id)


def _synchronised(log: Log, one: Progress) -> dict[str, Any]:
    """The row is a cache of the events: what differs is named, and never quietly chosen between."""
    row, events = log.workflow(one.workflow_id), list(log.events(one.workflow_id))
    if row is None:
        raise NotFound(f"There is no workflow {one.workflow_id!r}.", field="workflow_id")
    differ = recovery.differences(row, events)
    versions = {"state_version": row.state_version, "view_version": recovery.columns(events)["state_version"]}
    return {**versions, "seq": events[-1].seq, "in_sync": not differ, "differences": differ}


# ── choices ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def configure(invocation: Invocation, app: App) -> Reply:
    """`'{"scope": …, "aggregation_level": …, "visualization": …, "prediction": …, "bottleneck_detection": …}'`."""
    fields = body(invocation)
    value = {
        "scope": fields.choice("scope", ("system_wide", "tracked"), "system_wide"),
        "aggregation_level": fields.choice("aggregation_level", ("summary", "detailed"), "detailed"),
        "visualization": fields.choice("visualization", ("real_time_dashboard", "none"), "real_time_dashboard"),
        "prediction": fields.choice("prediction", ("enabled", "disabled"), "enabled"),
        "bottleneck_detection": fields.choice("bottleneck_detection", ("automatic", "manual"), "automatic"),
    }
    fields.close()
    with writing(app) as desk:
        new = choose(desk.tx, SETTINGS, value)
    lines = [*(f"{name}: {word}" for name, word in value.items()), f"{SETTINGS}: version {new.version}"]
    reply = reply_of(invocation, lines, {"name": SETTINGS, "version": new.version, "value": value})
    return reply._replace(events=tuple(desk.tx.ids), next_steps=("stretto progress-aggregator system-report",))


def track(invocation: Invocation, app: App) -> Reply:
    """`'[{"workflow_id": "a_001", "weight": "high", "critical_path": true}]'`: watched from now on, there or not."""
    items = invocation.json[0] if invocation.json else None
    if not isinstance(items, list) or not items:
        raise BadInput("Which workflows?", field="json", allowed=("""[{"workflow_id": …, "weight": …}]""",))
    chosen = [_tracked(item, f"[{i}]") for i, item in enumerate(cast("list[object]", items))]
    names = [one["workflow_id"] for one in chosen]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadInput(f"{twice!r} is there twice.", field="workflow_id")
    with writing(app) as desk:
        new = choose(desk.tx, TRACKED, {"workflows": chosen})
    log, seen = see(app)
    if log:
        log.close()
    known = {one.workflow_id: one for one in seen.found}
    status = {name: known[name].status if name in known else "unknown" for name in names}
    found = [{**one, "status": status[one["workflow_id"]]} for one in chosen]
    lines = [f"{one['workflow_id']}: {one['status']}, weight {one['weight']}" for one in found]
    reply = reply_of(invocation, lines, {"tracked": found, "version": new.version})
    return reply._replace(events=tuple(desk.tx.ids), next_steps=("stretto progress-aggregator system-report",))


def _tracked(item: object, field: str) -> dict[str, Any]:
    fields = Fields(item, field)
    name = fields.text("workflow_id", longest=100)
    weight = fields.choice("weight", tuple(progress.WEIGHTS), "medium")
    critical = fields.flag("critical_path")
    fields.close()
    return {"workflow_id": checked_id(name, field=f"{field}.workflow_id"), "weight": weight, "critical_path": critical}


# ── reports ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def report(invocation: Invocation, app: App) -> Reply:
    """`'{"include": […], "format": …, "update_frequency": …}'`: the parts asked for, and no others."""
    fields = body(invocation)
    asked = fields.texts("include", SECTIONS) or SECTIONS
    form = fields.choice("format", FORMATS)
    frequency = fields.choice("update_frequency", ("once", "realtime"), "once")
    fields.close()
    log, seen = see(app)
    seen = _scoped(seen)
    form = form or ("markdown" if seen.settings.get("visualization") == "none" else "dashboard")
    result: dict[str, Any] = {"format": form, "update_frequency": frequency}
    if "progress" in asked:
        rows = [] if log is None else log.workflows()
        chain = chain_of(seen.found, rows)
        result["progress"] = {**_progress(seen), "tracked": _watched(seen, chain), "critical_path": chain._asdict()}
        if seen.settings.get("aggregation_level") == "summary":
            result["progress"]["workflows"] = []
    if "predictions" in asked:
        result["predictions"] = _predictions(seen)
    if log is not None:
        with log:
            if "resources" in asked:
                result["resources"] = _resources(log, app)
            if "bottlenecks" in asked:
                result["bottlenecks"] = [b._asdict() for b in _bottlenecks(log, app, seen)]
    text = json.dumps(result) if form == "json" else markdown(result) if form == "markdown" else dashboard(result)
    steps = ["stretto progress-aggregator system-report"] if frequency == "once" else [_AGAIN]
    return reply_of(invocation, [text], result, tuple(steps))


def _scoped(seen: Seen) -> Seen:
    """Only what is tracked, if that was chosen."""
    if seen.settings.get("scope") != "tracked":
        return seen
    return seen._replace(found=[one for one in seen.found if one.workflow_id in seen.weights])


_AGAIN = "watch -n 1 stretto progress-aggregator system-report   (a terminal shows it as it changes)"


def _watched(seen: Seen, chain: Chain) -> list[dict[str, Any]]:
    """What was chosen to be watched: how far it has come, and whether it is on the critical path as was said."""
    known = {one.workflow_id: one for one in seen.found}
    return [
        {
            **one,
            "progress": known[name].share if (name := one["workflow_id"]) in known else None,
            "on_critical_path": name in chain.workflows if name in known else None,
        }
        for one in seen.tracked
    ]


def _predictions(seen: Seen) -> list[dict[str, Any]] | str:
    if seen.settings.get("prediction") == "disabled":
        return "disabled by configure"
    going = [one for one in seen.found if one.status in ACTIVE]
    return [{"workflow_id": one.workflow_id, **one.left._asdict()} for one in going]


def _bottlenecks(log: Log, app: App, seen: Seen) -> list[Bottleneck]:
    if seen.settings.get("bottleneck_detection") == "manual":
        return []
    return bottlenecks.bottlenecks(log.events(), late(seen), seen.now, enough(log, app))


def enough(log: Log, app: App) -> dict[str, float]:
    """How much of everything there would have to be for all who wait now; without what nobody waits for."""
    live, limits = log.allocations(live=True), admission.capacity(log.database, default_capacity(app))
    waiting = [amounts(one.wanted) for one in live if one.state == "queued"]
    wanted = {name: sum(one.get(name, 0) for one in waiting) for name in limits}
    used = in_use([one for one in live if one.state == "active"])
    sums = {name: used.get(name, 0) + more for name, more in wanted.items() if more}
    return {name: most for name, most in sums.items() if most > limits[name]}


def late(seen: Seen) -> list[Late]:
    """Phases in progress that are beyond what was said or, nine times in ten, beyond what such phases take."""
    found: list[Late] = []
    for one in seen.found:
        view = seen.read.views[one.workflow_id]
        for name, phase in view.phases.items():
            ran = phase.seconds(seen.now) if phase.state == "in_progress" else None
            high = seen.read.forecaster.forecast(Phase(name)).high
            if ran is not None and high is not None and ran > high:
                behind = sum(p.state == "pending" for p in view.phases.values())
                found.append(Late(one.workflow_id, name, ran - high, behind, one.events[-1]))
    return found


def priority_analysis(invocation: Invocation, app: App) -> Reply:
    """By priority: how many, how far, how long they wait."""
    body(invocation).close()
    log, seen = see(app)
    if log:
        log.close()
    groups = {name: [p for p in seen.found if p.priority == name] for name in progress.WEIGHTS}
    found = {
        name: {
            "workflows": len(group),
            "active": sum(p.status in ACTIVE for p in group),
            "queued": sum(p.status == "QUEUED" for p in group),
            "progress": progress.overall(group),
        }
        for name, group in groups.items()
    }
    lines = [
        f"{n}: {f['workflows']} workflows, {f['queued']} queued, {percent(f['progress'])}" for n, f in found.items()
    ]
    return reply_of(invocation, lines, {"priorities": found})


# ── shared ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def body(invocation: Invocation) -> Fields:
    """The JSON of the line, to be read field by field."""
    return Fields(invocation.json[0] if invocation.json else {})


def _steps(seen: Seen) -> tuple[str, ...]:
    going = [p.workflow_id for p in seen.found if p.status in ACTIVE]
    return (f"stretto workflow-status {going[-1]} --detailed",) if going else ("stretto coordination-hub create ID",)


def reply_of(
    invocation: Invocation, lines: Sequence[str], result: Mapping[str, Any], steps: tuple[str, ...] = ()
) -> Reply:
    """The answer of this command."""
    return Reply("progress-aggregator", "\n".join(lines), result, invocation.operation, next_steps=steps)


OPERATIONS: operations.Operations = {
    "system-overview": overview,
    "workflow-summary": summary,
    "configure": configure,
    "track-workflows": track,
    "system-report": report,
    "bottleneck-analysis": "progress_foresight:bottleneck_analysis",
    "priority-analysis": priority_analysis,
    "milestone-tracking": "progress_milestones:milestone_tracking",
    "resource-prediction-accuracy": "progress_foresight:prediction_accuracy",
    "recovery-analysis": recovery_analysis,
    "test-integration": "progress_testing:test_integration",
}
