"""Recovery put to the test: faults injected and judged by number, and workflows that are tests."""

from collections.abc import Mapping
from typing import Any, cast

from stretto.commands.app import App
from stretto.commands.coordinating import looking, workflow_named, writing
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.recovery_injection import ERRORS, GROUND, IMPACTS, MOST, Fault, Injected, inject
from stretto.commands.recovery_words import body, reply
from stretto.commands.reply import Reply
from stretto.graph import coordination, recovery
from stretto.graph.coordinated import Coordinated, Needs, Stage
from stretto.state.errors import BadInput
from stretto.state.ids import workflow_id as checked_id
from stretto.state.units import seconds, share

KIND = "fault_trial"
CRITERIA = ("coordination", "performance", "error_handling", "resources", "events")


def test_scenarios(invocation: Invocation, app: App) -> Reply:
    """`'[{"error_type": "agent_failure", "impact": "medium"}]'`: each injected, recovered from and measured."""
    if invocation.ids:
        raise BadInput("Scenarios run in a store of their own; leave the id out.", field="workflow_id")
    wanted = _wanted(invocation.json[0] if invocation.json else None)
    found = inject(wanted)
    with writing(app) as desk:
        for one in found:
            data = {"kind": KIND, "run": desk.tx.now, "metrics": one.told()}
            desk.tx.event("METRICS_RECORDED", "system", "recovery", data)
    lines = [*(_line(one) for one in found), GROUND]
    told = [one.told() for one in found]
    result = {"test": True, "scenarios": told, "passed": sum(one.recovered for one in found), "ground": GROUND}
    steps = ('stretto coordination-hub validate-recovery ID \'{"recovery_time_limit": "60s"}\'',)
    answer = reply(invocation, lines, result, "", desk.tx.ids, steps)
    return answer._replace(exit_code=0 if all(one.recovered for one in found) else 1)


def _wanted(items: object) -> list[Fault]:
    if not isinstance(items, list) or not 0 < len(cast("list[object]", items)) <= MOST:
        raise BadInput(
            f"Which faults? A list of 1 to {MOST}.",
            field="json",
            allowed=("""[{"error_type": "agent_failure", "impact": "medium"}]""",),
        )
    found: list[Fault] = []
    for i, item in enumerate(cast("list[object]", items)):
        fields = Fields(item, f"[{i}]")
        error = fields.choice("error_type", ERRORS)
        impact = fields.choice("impact", tuple(IMPACTS), "medium")
        fields.close()
        if not error:
            raise BadInput(f"[{i}] names no fault.", field=f"[{i}].error_type", allowed=ERRORS)
        found.append(Fault(error, impact))
    return found


def _line(one: Injected) -> str:
    state = "state equals replay" if one.consistent else "STATE DIFFERS FROM REPLAY"
    if one.recovery_seconds is None or one.made_good_seconds is None:
        return f"{one.error_type} ({one.impact}): NOT recovered, {state}"
    return (
        f"{one.error_type} ({one.impact}): recovered: at work again after {one.recovery_seconds:.2f} s, made good after"
        f" {one.made_good_seconds:.2f} s; {state}; {_longer(one)}"
    )


def _longer(one: Injected) -> str:
    higher = one.higher
    beside = f"; {higher['degradation']:.1%} at load {higher['load']:.2f}" if higher else "; no time for a higher load"
    return f"{one.degradation:.1%} longer at load {one.load:.2f}{beside}"


def validate_recovery(invocation: Invocation, app: App) -> Reply:
    """`ID '{"recovery_time_limit": "60s", "data_consistency": "strict", "performance_degradation_limit": …}'`."""
    fields = body(invocation)
    limit = fields.read("recovery_time_limit", seconds, 60.0)
    strict = fields.choice("data_consistency", ("strict", "chain"), "strict") == "strict"
    most = fields.read("performance_degradation_limit", share, 0.2)
    fields.close()
    with looking(app) as desk:
        row = coordination.row_of(desk.tx, workflow_named(invocation))
        runs = [e for e in recovery.events_of(desk.tx, "system") if e.data.get("kind") == KIND]
    if not runs:
        raise BadInput(
            "No fault has been injected here, so there is nothing to judge.",
            field="runs",
            next_steps=("""stretto workflow-recovery test-scenarios '[{"error_type": "agent_failure"}]'""",),
        )
    newest = [e for e in runs if e.data["run"] == runs[-1].data["run"]]
    told = [_judged(e.data["metrics"], limit, most, strict=strict) | {"event_id": e.event_id} for e in newest]
    passed = all(one["passed"] for one in told)
    result = {
        "passed": passed,
        "limits": {"recovery_seconds": limit, "data_consistency": "strict" if strict else "chain", "degradation": most},
        "scenarios": told,
        "ground": GROUND,
    }
    lines = [f"{row.id}: {'passed' if passed else 'FAILED'}: {sum(bool(t['passed']) for t in told)} of {len(told)}"]
    lines += [f"  {t['error_type']}: {_verdict(t, limit, most)}: {'pass' if t['passed'] else 'FAIL'}" for t in told]
    lines.append(GROUND)
    return reply(invocation, lines, result, row.id)._replace(exit_code=0 if passed else 1)


def _verdict(told: Mapping[str, Any], limit: float, most: float) -> str:
    state = "consistent" if told["consistent"] else "NOT consistent"
    after = f"{told['recovery_seconds']:.2f} s of {limit:g} s" if told["recovered"] else "NOT recovered"
    return f"{after}, {state}, {told['degradation']:.1%} longer of {most:.0%} at load {told['load']:.2f}"


def _judged(metrics: dict[str, Any], limit: float, most: float, *, strict: bool) -> dict[str, Any]:
    consistent = bool(metrics["consistent"] if strict else metrics["chain_sound"])
    passed = metrics["recovered"] and consistent
    passed = passed and metrics["recovery_seconds"] <= limit and metrics["degradation"] <= most
    names = ("error_type", "recovered", "recovery_seconds", "load", "degradation", "higher")
    told = {name: metrics[name] for name in names}
    return {**told, "consistent": consistent, "passed": bool(passed)}


def create_test_workflow(invocation: Invocation, app: App) -> Reply:
    """`ID '{"test_type": "integration", "scope": …, "validation_criteria": […]}'`: one phase a criterion, no agents."""
    name = checked_id(workflow_named(invocation))
    fields = body(invocation)
    kind = fields.choice("test_type", ("integration", "performance", "recovery"), "integration")
    scope = fields.choice("scope", ("full_ecosystem", "workflow", "component"), "full_ecosystem")
    criteria = fields.texts("validation_criteria", CRITERIA) or CRITERIA[:1]
    fields.close()
    if len(set(criteria)) < len(criteria):
        raise BadInput("A criterion is named twice.", field="validation_criteria")
    asked = Coordinated(
        name=f"{kind} test of {scope}",
        kind=f"{kind}_test",
        phases=tuple(Stage(name=one) for one in criteria),
        resources=Needs(agents=0),
        test=True,
    )
    with writing(app) as desk:
        made = coordination.create(desk.tx, name, asked, desk.capacity)
    result = {"created": made, "test": True, "test_type": kind, "scope": scope, "validation_criteria": list(criteria)}
    lines = [
        f"{name}: {'created' if made else 'is there already, unchanged'}; a test: it holds no agents, and no history or"
        " figure counts it"
    ]
    return reply(invocation, lines, result, name, desk.tx.ids, (f"stretto coordination-hub start {name}",))
