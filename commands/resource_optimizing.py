"""/resource-manager optimize: settings for a target, as a difference; tried, applied, or taken back."""

from collections.abc import Mapping
from typing import Any

from stretto.commands.app import App
from stretto.commands.coordinating import Desk, default_capacity, looking, open_log, writing
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.resource_words import body, reply
from stretto.graph.admission import capacity
from stretto.graph.learning import past_workflows
from stretto.graph.optimizing import TARGETS, Found, difference, durations, find, stored
from stretto.graph.requeue import jobs_of
from stretto.graph.resource_settings import NAME, STRATEGIES, ResourceSettings, policy_of, resource_settings
from stretto.state.chosen import choose, chosen
from stretto.state.errors import BadInput, NotFound, StateConflict
from stretto.state.units import said_seconds
from stretto.state.wire import Event

_STEPS = ("stretto resource-manager optimize --undo", "stretto resource-manager status")


def optimize(invocation: Invocation, app: App) -> Reply:
    """`optimize '{"strategy": …, "learning_enabled": …, "optimization_target": …}'`, `--dry-run`, `--undo`."""
    if invocation.words:
        raise BadInput("optimize takes no scope.", field="scope")
    if "undo" in invocation.flags:
        if invocation.json or "dry-run" in invocation.flags:
            raise BadInput("--undo stands alone.", field="--undo")
        return _undo(invocation, app)
    fields = body(invocation)
    strategy = fields.choice("strategy", STRATEGIES)
    learning = fields.flag("learning_enabled") if "learning_enabled" in fields else None
    fields.raw("learning_enabled")
    target = fields.choice("optimization_target", TARGETS, "total_time_with_quality")
    dry = fields.flag("dry_run") or "dry-run" in invocation.flags
    fields.close()
    if not dry:
        open_log(app).close()
    with looking(app) as desk:  # found before the transaction: it takes longer than others should wait for the log
        plan = _plan(desk, app, strategy, learning, target)
    if dry:
        return _told(invocation, plan, (), applied=False)
    with writing(app) as desk:
        new = choose(desk.tx, NAME, plan["after"], expect=plan["version"])
        facts = {
            "optimization_type": plan["strategy"],
            "improvement_metrics": plan["expected"],
            "target": target,
            "difference": plan["difference"],
            "before": plan["before"],
            "version": new.version,
        }
        desk.tx.event("RESOURCE_OPTIMIZED", "system", "optimization", facts)
        desk.admit()
    return _told(invocation, plan, desk.tx.ids, applied=True)


def _plan(desk: Desk, app: App, strategy: str, learning: bool | None, target: str) -> dict[str, Any]:
    """The settings as they are and as they should be; nothing is written."""
    now = resource_settings(desk.tx.database)
    strategy = strategy or now.strategy
    word = now.learning if learning is None else _learning(now, learning=learning)
    jobs = jobs_of(desk.log.events()) if word != "none" else []
    limits = capacity(desk.tx.database, default_capacity(app))
    found = find(jobs, limits, now.policy, target, adaptive=strategy != "fixed")
    past = past_workflows(desk.log, word, desk.now)
    before = chosen(desk.tx.database, NAME)
    after: dict[str, Any] = {
        **before.value,
        "optimization_strategy": strategy,
        "learning_data": word,
        "scheduler": stored(found.policy),
    }
    if strategy == "predictive_adaptive":
        after |= {"prediction_mode": "enabled", "durations": durations(past)}
    return {
        "strategy": strategy,
        "target": target,
        "version": before.version,
        "before": before.value,
        "after": after,
        "difference": difference(_whole(before.value), _whole(after)),
        "expected": _expected(found),
    }


def _learning(now: ResourceSettings, *, learning: bool) -> str:
    if not learning:
        return "none"
    return "historical_workflows" if now.learning == "none" else now.learning


def _whole(value: Mapping[str, Any]) -> dict[str, Any]:
    """With the defaults of what was never chosen, so that only real differences are shown."""
    default = ResourceSettings()
    return {
        "prediction_mode": default.prediction,
        "learning_data": default.learning,
        "optimization_strategy": default.strategy,
        "conflict_prevention": default.prevention,
        "durations": {},
        **value,
        "scheduler": stored(policy_of(value.get("scheduler", {}))),
    }


def _expected(found: Found) -> dict[str, Any]:
    change = None
    if found.before and found.after is not None:
        change = found.after / found.before - 1
    return {
        "n": found.n,
        "before_seconds": found.before,
        "after_seconds": found.after,
        "relative_change": change,
        "basis": found.basis,
    }


def _told(
    invocation: Invocation, plan: Mapping[str, Any], events: tuple[str, ...] | list[str], *, applied: bool
) -> Reply:
    changes: Mapping[str, Any] = plan["difference"]
    expected = plan["expected"]
    lines = [f"{name}: {change['from']} → {change['to']}" for name, change in changes.items()]
    lines = lines or ["nothing to change"]
    change = expected["relative_change"]
    gain = "unknown" if change is None else f"{change:+.1%}"
    lines.append(
        f"expected for {plan['target']}: {said_seconds(expected['before_seconds'])} →"
        f" {said_seconds(expected['after_seconds'])} ({gain}); {expected['basis']}"
    )
    if not applied:
        lines.append("dry run: nothing was changed")
    result = {
        "applied": applied,
        "difference": dict(changes),
        "expected": expected,
        "target": plan["target"],
        "strategy": plan["strategy"],
    }
    return reply(invocation, "\n".join(lines), result, events, _STEPS if applied else ())


def _undo(invocation: Invocation, app: App) -> Reply:
    """Back to the settings before the last optimisation, if nobody has changed them since."""
    with writing(app) as desk:
        last = _last(desk)
        now = chosen(desk.tx.database, NAME)
        if now.version != last.data["version"]:
            raise StateConflict(
                f"The settings are at version {now.version}; the optimisation made version {last.data['version']}."
                " They were changed since and are left as they are.",
                next_steps=("stretto resource-manager status",),
            )
        changes = difference(_whole(now.value), _whole(last.data["before"]))
        new = choose(desk.tx, NAME, last.data["before"], expect=now.version)
        facts = {
            "optimization_type": "undo",
            "improvement_metrics": {},
            "undoes": last.event_id,
            "difference": changes,
            "before": now.value,
            "version": new.version,
        }
        desk.tx.event("RESOURCE_OPTIMIZED", "system", "optimization", facts)
        desk.admit()
    lines = [f"{name}: {change['from']} → {change['to']}" for name, change in changes.items()]
    result = {"applied": True, "difference": changes, "undoes": last.event_id}
    return reply(invocation, "\n".join(lines) or "nothing to change", result, desk.tx.ids, _STEPS[1:])


def _last(desk: Desk) -> Event:
    """The last optimisation that was not taken back."""
    found = [e for e in desk.log.events("system") if e.type == "RESOURCE_OPTIMIZED"]
    undone = {e.data.get("undoes") for e in found}
    open_ = [e for e in found if e.data.get("optimization_type") != "undo" and e.event_id not in undone]
    if not open_:
        raise NotFound("There is no optimisation to take back.", field="--undo")
    return open_[-1]
