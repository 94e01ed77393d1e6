"""Recovery put to the test: faults injected and judged by number, and workflows that are tests."""

from collections.abc import Mapping
from typing import Any, TypeGuard, cast

from stretto.commands.app import App
from stretto.commands.coordinating import looking, workflow_named, writing
from stretto.commands.fault_figures import Injected
from stretto.commands.fault_judging import Limits, headline, how_sure, judged, whole
from stretto.commands.fault_late import Late
from stretto.commands.fields import Fields
from stretto.commands.invocation import Invocation
from stretto.commands.recovery_injection import ERRORS, GROUND, IMPACTS, MOST, Fault, inject
from stretto.commands.recovery_words import body, reply
from stretto.commands.reply import Reply
from stretto.graph import coordination, recovery
from stretto.graph.coordinated import Coordinated, Needs, Stage
from stretto.state.errors import BadInput
from stretto.state.ids import workflow_id as checked_id
from stretto.state.units import seconds, share

KIND = "fault_trial"
_NO_TIME = "; no time for a higher load"
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
    if one.recovery_seconds is None or one.made_good_seconds is None or one.degradation is None:
        return f"{one.error_type} ({one.impact}): NOT recovered, {state}"
    return (
        f"{one.error_type} ({one.impact}): recovered: at work again after {one.recovery_seconds:.2f} s, made good after"
        f" {one.made_good_seconds:.2f} s; {state}; {_longer(one, one.degradation)}"
    )


def _longer(one: Injected, more: float) -> str:
    higher = one.higher
    beside = f"; {higher['degradation']:.1%} at load {higher['load']:.2f}" if _known(higher) else _NO_TIME
    late = f"; {_late(one.late)}" if one.error_type == "network_partition" else ""
    return f"{more:.1%} longer at load {one.load:.2f}{how_sure(one.told())}{beside}{late}"


def _known(higher: Mapping[str, Any] | None) -> TypeGuard[Mapping[str, Any]]:
    return higher is not None and higher["degradation"] is not None


def _late(late: Late | None) -> str:
    if late is None:
        return "no time for a report after the cut"
    held = "nothing of it counted" if late.held_off else "IT COUNTED"
    return f"{late.refused} of {late.sent} reports after the cut refused ({late.code}), {held}"


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
    told = [judged(e.data["metrics"], Limits(limit, most, strict)) | {"event_id": e.event_id} for e in newest]
    result = {
        "passed": whole(told),
        "not_measured": [one["error_type"] for one in told if one["passed"] is None],
        "limits": {"recovery_seconds": limit, "data_consistency": "strict" if strict else "chain", "degradation": most},
        "scenarios": told,
        "ground": GROUND,
    }
    lines = [f"{row.id}: {headline(told)}"]
    lines += [f"  {one['error_type']}: {one['verdict']}" for one in told]
    lines.append(GROUND)
    return reply(invocation, lines, result, row.id)._replace(exit_code=1 if result["passed"] is False else 0)


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
