"""/orchestrate: one sentence to researched, planned, implemented, tested, documented and committed work."""

from typing import cast

from stretto.commands.app import EVERYWHERE, App, require_supported
from stretto.commands.invocation import Invocation
from stretto.commands.launch import launch, new_id, relaunch, settings_of
from stretto.commands.options import LIMIT_FLAGS, TEAM, changed_limits, gates, limits, merge_policy
from stretto.commands.reply import Reply
from stretto.commands.workflows import UNDONE, find
from stretto.graph.entry import Answer
from stretto.graph.spec import Priority, Spec
from stretto.state.errors import BadInput, InvalidTransition
from stretto.state.ids import WorkflowId, workflow_id
from stretto.state.store import find_project

SUPPORTED = TEAM | {"template", "priority", "complex", "resume", "approve", "reject"}
_RESUMING = frozenset({"resume", "approve", "reject", "runner", "durability"})


def handle(invocation: Invocation, app: App) -> Reply:
    """Start a workflow, or go on with one.

    Raises:
        BadInput: No description, an operation or flag that does nothing here, or a resume that makes no sense.
    """
    require_supported(invocation, SUPPORTED)
    if invocation.operation:
        raise BadInput(
            f"/orchestrate understands {invocation.operation!r}, but this version cannot do it.",
            field="operation",
            allowed=('"a description"', "--resume ID"),
        )
    if "resume" in invocation.flags:
        return _resume(invocation, app)
    if {"approve", "reject"} & invocation.flags.keys():
        raise BadInput("--approve and --reject answer a gate: name the workflow with --resume ID.", field="--resume")
    spec = spec_for(invocation, app)
    if "dry-run" not in invocation.flags:
        return launch(spec, invocation, app)
    from stretto.commands.preview import preview

    return preview(spec, invocation, app)


def spec_for(invocation: Invocation, app: App) -> Spec:
    """The spec of a description: analysis, template, flags."""
    if len(invocation.words) != 1:
        raise BadInput(
            f"One description in quotes is needed, not {len(invocation.words)} words.",
            field="description",
            next_steps=('stretto orchestrate "Add JWT authentication"',),
        )
    from stretto.graph.analyze import analyze  # here, with YAML's parser: a resume has its spec in the store
    from stretto.graph.template import instantiate, load_template

    description = invocation.words[0].text
    analysis = analyze(description)
    settings = settings_of(app)
    template = load_template(str(invocation.flags.get("template", analysis.template)), find_project(app.project))
    return instantiate(
        template,
        description,
        analysis=analysis,
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
