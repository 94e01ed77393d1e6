"""The dry run: what a spec would do, shown and nothing else."""

import asyncio
from collections.abc import Mapping, Sequence

from stretto.agents.reading import sizes
from stretto.agents.repository import open_repository
from stretto.commands.app import App
from stretto.commands.canonical import render as render_line
from stretto.commands.estimating import estimated, too_low
from stretto.commands.invocation import Invocation
from stretto.commands.launch import chosen_runner
from stretto.commands.reply import Reply
from stretto.graph.advice import Advice
from stretto.graph.advising import foreseen
from stretto.graph.analyze import analyze
from stretto.graph.report import dry_run, render
from stretto.graph.spec import PhaseSpec, Spec
from stretto.graph.spec import conflicts as found_conflicts
from stretto.state.log import Log


def preview(spec: Spec, invocation: Invocation, app: App) -> Reply:
    """Phases, parallelism, conflicts, estimates and a graph. Touches no store, no file, no git."""
    warnings, known = asyncio.run(_looked(app, read=bool(spec.parallel)))
    expected = estimated(spec, app)
    warnings = (*warnings, *too_low(expected, spec.limits.caps))
    conflicts = [c for p in spec.phases for c in found_conflicts(p.tasks)]
    body = dry_run(spec, analyze(spec.description), expected, conflicts, warnings, _advice(spec, known, app))
    return Reply(
        command=invocation.command,
        text=render(body),
        result=dict(body),
        workflow_id=spec.workflow_id,
        next_steps=(f"{again(invocation)}   (the same without --dry-run)",),
    )


def _advice(spec: Spec, known: Mapping[str, int], app: App) -> list[tuple[PhaseSpec, Advice, bool]]:
    if not spec.parallel:
        return []
    log = Log.find(app.directory)
    try:
        return foreseen(spec, known, log, chosen_runner(app))
    finally:
        if log:
            log.close()


async def _looked(app: App, *, read: bool) -> tuple[Sequence[str], Mapping[str, int]]:
    """What is to be said of the checkout, and how large its files are."""
    repository = await open_repository(app.project, app.directory)
    known = await sizes(repository, repository.head) if read and repository.head else {}
    return repository.warnings, known


def again(invocation: Invocation) -> str:
    """The command that does what was shown, quoted for a shell."""
    flags = {k: v for k, v in invocation.flags.items() if k not in {"dry-run", "json"}}
    return f"stretto {render_line(invocation._replace(flags=flags)).removeprefix('/')}"
