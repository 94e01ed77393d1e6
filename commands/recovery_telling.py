"""How a recovery went, for /progress-aggregator, /performance-monitor and /workflow-status."""

from typing import Any

from stretto.commands.app import App
from stretto.commands.coordinating import looking, writing
from stretto.commands.invocation import Invocation
from stretto.commands.recovery_words import body, cause_lines, found, rate, reply
from stretto.commands.reply import Reply
from stretto.graph import coordination, recovering, recovery, recovery_report
from stretto.graph.recovery_report import Report
from stretto.state.moments import stamp
from stretto.state.units import said_seconds

_SHOWN = 40


def recovery_analysis(invocation: Invocation, app: App) -> Reply:
    """`ID '{"track_recovery_time": …, "impact_on_other_workflows": …, "learning_for_prevention": …}'`."""
    fields = body(invocation)
    timed = fields.flag("track_recovery_time", default=True)
    others = fields.flag("impact_on_other_workflows", default=True)
    learns = fields.flag("learning_for_prevention")
    fields.close()
    row, _ = found(invocation, app)
    with writing(app) as desk:
        one = recovery_report.report(desk.tx, row, desk.tx.now)
        since = recovering.seconds_between(one.analysis.since, desk.tx.now)
        kept = recovery_report.learn(desk.tx) if learns else None
    result: dict[str, Any] = {"analysis_id": one.analysis.id, "state": _state(one), "strategy": one.strategy}
    lines = [f"{row.id}: {_state(one)}"]
    if timed:
        result |= {"since_failure": since, "recovery_seconds": one.seconds, "failed_at": one.analysis.since}
        lines.append(f"  failed {said_seconds(since)} ago; recovered after {said_seconds(one.seconds)}")
    if others:
        result["delay"] = {"seconds": sum(one.delayed.values()), "workflows": one.delayed}
        told = ", ".join(f"{name} {said_seconds(s)}" for name, s in one.delayed.items()) or "none"
        lines.append(f"  other workflows kept waiting: {told}")
    if kept:
        mine = [p for p in kept.value["patterns"] if p["workflow_id"] == row.id]
        result["learned"] = {"name": kept.name, "version": kept.version, "patterns": mine}
        lines += [f"  recorded: {p['cause']} in {p['phase']} ({', '.join(p['evidence'])})" for p in mine]
    result["explained_by"] = list(one.analysis.events)
    steps = (f"stretto workflow-recovery recovery-plan {row.id}",)
    return reply(invocation, lines, result, row.id, desk.tx.ids, steps)


def _state(one: Report) -> str:
    if one.recovered is None:
        return "recovering" if one.strategy else "failed, and nothing was begun"
    return "recovered" if one.recovered else "given up"


def recovery_success(invocation: Invocation, app: App) -> Reply:
    """`ID`: recovered or not, in what time, what was lost, how much longer it took; and how strategies did before."""
    body(invocation).close()
    row, _ = found(invocation, app)
    with looking(app) as desk:
        one = recovery_report.report(desk.tx, row, stamp(desk.now))
        rates = recovery.rates(desk.tx)
    known = rates.get(one.strategy or "")
    ends = [m.event_id for m in one.timeline if m.what.startswith(("RECOVERY_COMPLETED", "RECOVERY_FAILED"))]
    result = {
        "recovered": one.recovered,
        "state": _state(one),
        "strategy": one.strategy,
        "recovery_seconds": one.seconds,
        "lost_work_seconds": one.lost.seconds,
        "degradation": one.degradation,
        "degradation_basis": one.basis,
        "continued_by": one.continued_by,
        "success": {"n": known.n if known else 0, "share": known.share if known else None},
        "explained_by": [*one.analysis.cause.evidence, *one.lost.events, *ends],
    }
    slower = "unknown" if one.degradation is None else f"{one.degradation * 100:.1f} %"
    lines = [
        f"{row.id}: {_state(one)}{f', by {one.continued_by}' if one.continued_by else ''}",
        f"  recovered after: {said_seconds(one.seconds)}",
        f"  work lost: {said_seconds(one.lost.seconds)}",
        f"  longer by: {slower} ({one.basis})",
        f"  {one.strategy or 'no strategy'}: {rate(known)}",
    ]
    steps = (f"stretto workflow-status {row.id} --recovery-report --lessons-learned",)
    return reply(invocation, lines, result, row.id, (), steps)


def recovery_report_of(app: App, name: str, *, report: bool, lessons: bool) -> Reply:
    """`/workflow-status ID --recovery-report --lessons-learned`."""
    with looking(app) as desk:
        row = coordination.row_of(desk.tx, name)
        one = recovery_report.report(desk.tx, row, stamp(desk.now))
    lines: list[str] = []
    result: dict[str, Any] = {"workflow_id": row.id, "status": row.status}
    if report:
        result["recovery"] = {
            **{k: v for k, v in one._asdict().items() if k not in ("analysis", "timeline", "lessons", "lost")},
            "state": _state(one),
            "analysis": one.analysis.told(),
            "lost": one.lost._asdict(),
            "timeline": [m._asdict() for m in one.timeline],
        }
        chain = " → ".join([one.strategy or "none chosen", *one.fallbacks])
        lines += [
            *cause_lines(one.analysis),
            f"  {_state(one)}; strategy: {chain}; recovered after {said_seconds(one.seconds)}; work lost:"
            f" {said_seconds(one.lost.seconds)}",
            *(f"  {m.at}  +{said_seconds(m.after)}  {m.what}  [{m.event_id}]" for m in one.timeline[-_SHOWN:]),
        ]
    if lessons:
        result["lessons"] = [lesson._asdict() for lesson in one.lessons]
        lines += ["lessons:", *(f"  {lesson.text}  [{', '.join(lesson.events)}]" for lesson in one.lessons)]
    return Reply("workflow-status", "\n".join(lines), result, workflow_id=row.id)
