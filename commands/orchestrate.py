"""/orchestrate: one sentence to researched, planned, implemented, tested, documented and committed work."""

from collections.abc import Mapping
from typing import cast

from stretto.commands.app import EVERYWHERE, App, require_supported
from stretto.commands.invocation import Invocation
from stretto.commands.launch import launch, new_id, relaunch, settings_of
from stretto.commands.options import (
    LIMIT_FLAGS,
    TEAM,
    changed_limits,
    gates,
    leaving,
    limits,
    merge_policy,
    sharing,
)
from stretto.commands.reply import Reply
from stretto.commands.workflows import UNDONE, find
from stretto.graph.entry import Answer
from stretto.graph.spec import Priority, Spec
from stretto.state.errors import BadInput, InvalidTransition
from stretto.state.ids import WorkflowId, workflow_id
from stretto.state.store import find_project

STARTING = TEAM | {
    "template",
    "priority",
    "complex",
    "resume",
    "approve",
    "reject",
    "continue-from",
    "strategy",
    "recovery-mode",
    "leave",
    "parallel",
}
SUPPORTED = STARTING | {"validation", "test-mode"}
"""With those of finalize-workflow and of a rehearsal."""
_RESUMING = frozenset({"resume", "approve", "reject", "runner", "durability", "wait", "record"})


def handle(invocation: Invocation, app: App) -> Reply:
    """Start a workflow, or go on with one.

    Raises:
        BadInput: No description, an operation or flag that does nothing here, or a resume that makes no sense.
    """
    if invocation.operation == "finalize-workflow":
        from stretto.commands.finalizing import finalize

        return finalize(invocation, app)
    if "test-mode" in invocation.flags:
        from stretto.commands.rehearsing import rehearse

        return rehearse(invocation, app, lambda spec: _by_strategy(spec, invocation))
    require_supported(invocation, STARTING)
    if invocation.operation:
        raise BadInput(
            f"/orchestrate understands {invocation.operation!r}, but this version cannot do it.",
            field="operation",
            allowed=('"a description"', "--resume ID", "finalize-workflow ID"),
        )
    if "resume" in invocation.flags:
        return _resume(invocation, app)
    if {"approve", "reject"} & invocation.flags.keys():
        raise BadInput("--approve and --reject answer a gate: name the workflow with --resume ID.", field="--resume")
    spec = sharing(spec_for(invocation, app), invocation)
    if "leave" in invocation.flags:
        spec = leaving(spec, invocation)
    spec = _recovering(spec, invocation, app)
    if "dry-run" not in invocation.flags:
        return launch(spec, invocation, app)
    from stretto.commands.preview import preview

    return preview(spec, invocation, app)


def _recovering(spec: Spec, invocation: Invocation, app: App) -> Spec:
    """With the strategy that was chosen, and the work of the workflow that it continues."""
    if "strategy" in invocation.flags:
        spec = _by_strategy(spec, invocation)
    if "continue-from" in invocation.flags:
        return _goes_on(spec, invocation, app)
    if "recovery-mode" in invocation.flags:
        raise BadInput("Recovery of which workflow? Name it with --continue-from.", field="--continue-from")
    return spec


def _by_strategy(spec: Spec, invocation: Invocation) -> Spec:
    """Conservative: one agent, half the budget, a gate before the merge. Manual: a gate after the plan, too.

    What a flag says of itself stands. Aggressive: no gate, and a try and a debug round more.
    """
    from stretto.graph.continuing import conservative

    chosen = str(invocation.flags["strategy"])
    plain = spec.limits
    asked: tuple[str, ...] = ()
    if chosen == "aggressive":
        more = {"attempts": min(plain.attempts + 1, 10), "debug_rounds": min(plain.debug_rounds + 1, 10)}
        limits = plain.model_copy(update=more)
    else:
        limits = conservative(plain) if chosen == "conservative" else plain
        asked = ("merge",) if chosen == "conservative" else ("plan", "merge")
    asked = tuple(g for g in asked if g != "plan" or any(p.kind == "plan" for p in spec.phases))
    kept = spec.gates if "gate" in invocation.flags else asked
    return spec.model_copy(update={"limits": changed_limits(invocation, limits), "gates": kept})


def _goes_on(spec: Spec, invocation: Invocation, app: App) -> Spec:
    """With the work of another workflow; `--recovery-mode` takes that one into recovery, if it is in none."""
    from stretto.commands.coordinating import looking, writing
    from stretto.commands.recovery_words import not_driven
    from stretto.graph import coordination, recovering, recovery
    from stretto.graph.continuing import continuation
    from stretto.graph.spec import validate

    with looking(app) as desk:
        row = coordination.row_of(desk.tx, str(invocation.flags["continue-from"]))
        not_driven(desk, row)
        spec = validate(continuation(desk.tx, row, spec))
        going = recovering.current(desk.tx.database, row.id)
    begins = "recovery-mode" in invocation.flags and not (going and not going["ended"])
    if begins and "dry-run" not in invocation.flags:
        with writing(app) as desk:
            recovery.begin(desk.tx, coordination.row_of(desk.tx, row.id), "alternative_approach", (), keep=True)
    return spec


def spec_for(invocation: Invocation, app: App) -> Spec:
    """The spec of a description: analysis, template, flags."""
    if len(invocation.words) != 1:
        raise BadInput(
            f"One description in quotes is needed, not {len(invocation.words)} words.",
            field="description",
            next_steps=('stretto orchestrate "Add JWT authentication"',),
        )
    return spec_of_template(invocation, app, invocation.words[0].text, invocation.flags.get("template"))


def spec_of_template(
    invocation: Invocation,
    app: App,
    description: str,
    template: object = None,
    variables: Mapping[str, object] | None = None,
) -> Spec:
    """The spec of a template (by default the one that the words choose) for a description, with the flags of a line."""
    from stretto.graph.analyze import analyze  # here, with YAML's parser: a resume has its spec in the store
    from stretto.graph.template import instantiate, load_template

    analysis = analyze(description)
    settings = settings_of(app)
    found = load_template(str(template or analysis.template), find_project(app.project))
    return instantiate(
        found,
        description,
        analysis=analysis,
        variables=variables,
        workflow_id=new_id(invocation, app, description),
        limits=limits(invocation, settings),
        merge=merge_policy(invocation, settings),
        gates=gates(invocation) if "gate" in invocation.flags else (),
        priority=cast("Priority", invocation.flags.get("priority", "medium")),
        complexity="high" if "complex" in invocation.flags else analysis.complexity,
    )


def _not_undone(name: WorkflowId, app: App) -> None:
    """What failed and was taken back has no branch to go on with."""
    log, row = find(app, name, field="workflow_id")
    with log:
        undone = log.fact(name, UNDONE)
    if undone and row.status != "COMPLETED":
        raise InvalidTransition(
            f"Workflow {name!r} was taken back and cannot be resumed; its commits are kept in git.",
            field="--resume",
            next_steps=(f"{undone}   (brings it again)",),
        )


def _resume(invocation: Invocation, app: App) -> Reply:
    """`--resume ID [--approve | --reject "why"]`."""
    name = workflow_id(str(invocation.flags["resume"]), field="--resume")
    if invocation.words:
        raise BadInput(
            "--resume goes on with the workflow as it was described; leave the description out.", field="description"
        )
    changed = invocation.flags.keys() & LIMIT_FLAGS
    if beside := invocation.flags.keys() - changed - EVERYWHERE - _RESUMING:
        raise BadInput(
            f"--{min(beside)} cannot be changed by a resume.",
            field=f"--{min(beside)}",
            allowed=sorted(f"--{f}" for f in LIMIT_FLAGS | EVERYWHERE | _RESUMING),
        )
    approve, reject = "approve" in invocation.flags, invocation.flags.get("reject")
    if approve and reject is not None:
        raise BadInput("Either --approve or --reject, not both.", field="--approve")
    _not_undone(name, app)
    answer = Answer(True) if approve else Answer(False, str(reject)) if reject is not None else None
    return relaunch(
        name, invocation, app, answer=answer, limits=(lambda old: changed_limits(invocation, old)) if changed else None
    )
