"""What the development commands share: one text, a spec made of one or two phases, a launch or a preview."""

from collections.abc import Sequence
from typing import Any

from stretto.commands.app import App
from stretto.commands.invocation import Invocation
from stretto.commands.launch import launch, new_id, settings_of
from stretto.commands.options import gates, limits, merge_policy, sharing
from stretto.commands.preview import preview
from stretto.commands.reply import Reply
from stretto.graph.recipes import spec_of
from stretto.graph.spec import Orchestrated, PhaseSpec
from stretto.state.errors import BadInput
from stretto.state.ids import workflow_id

COMPLEXITIES = ("low", "medium", "high", "very_high")


def one_text(invocation: Invocation, name: str, example: str) -> str:
    """The first positional, which must be there and not blank.

    Raises:
        BadInput: It is not.
    """
    text = invocation.words[0].text.strip() if invocation.words else ""
    if not text:
        raise BadInput(f"/{invocation.command} needs a {name}.", field=name, next_steps=(example,))
    return text


def run(
    invocation: Invocation,
    app: App,
    description: str,
    phases: Sequence[PhaseSpec],
    *,
    plan_file: str = "",
    first_plan_phase: int = 1,
    orchestrated: Orchestrated | None = None,
    named: Any = None,
    complexity: Any = None,
    within: str = "",
) -> Reply:
    """Launch a workflow of these phases, or show what it would be.

    `named` is an id given otherwise than by flag; `within` the workflow that it belongs to.
    """
    settings = settings_of(app)
    if complexity not in {None, *COMPLEXITIES}:
        raise BadInput(f"There is no complexity {complexity!r}.", field="complexity", allowed=COMPLEXITIES)
    spec = spec_of(
        workflow_id(str(named)) if named is not None else new_id(invocation, app, description),
        description,
        invocation.command,
        phases,
        limits=limits(invocation, settings),
        merge=merge_policy(invocation, settings),
        gates=gates(invocation) if "gate" in invocation.flags else (),
        plan_file=plan_file,
        first_plan_phase=first_plan_phase,
        complexity=complexity,
    ).model_copy(update={"orchestrated": orchestrated, "within": within})
    spec = sharing(spec, invocation)
    return preview(spec, invocation, app) if "dry-run" in invocation.flags else launch(spec, invocation, app)
