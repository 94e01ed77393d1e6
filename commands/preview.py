"""The dry run: what a spec would do, shown and nothing else."""

import asyncio

from stretto.agents.repository import open_repository
from stretto.commands.app import App
from stretto.commands.canonical import render as render_line
from stretto.commands.estimating import estimated, too_low
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.graph.analyze import analyze
from stretto.graph.report import dry_run, render
from stretto.graph.spec import Spec
from stretto.graph.spec import conflicts as found_conflicts


def preview(spec: Spec, invocation: Invocation, app: App) -> Reply:
    """Phases, parallelism, conflicts, estimates and a graph. Touches no store, no file, no git."""
    warnings = asyncio.run(open_repository(app.project, app.directory)).warnings
    expected = estimated(spec, app)
    warnings = (*warnings, *too_low(expected, spec.limits.caps))
    conflicts = [c for p in spec.phases for c in found_conflicts(p.tasks)]
    body = dry_run(spec, analyze(spec.description), expected, conflicts, warnings)
    return Reply(
        command=invocation.command,
        text=render(body),
        result=dict(body),
        workflow_id=spec.workflow_id,
        next_steps=(f"{again(invocation)}   (the same without --dry-run)",),
    )


def again(invocation: Invocation) -> str:
    """The command that does what was shown, quoted for a shell."""
    flags = {k: v for k, v in invocation.flags.items() if k not in {"dry-run", "json"}}
    return f"stretto {render_line(invocation._replace(flags=flags)).removeprefix('/')}"
