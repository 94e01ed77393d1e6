"""/implement: the open tasks of a plan, tested and committed phase by phase."""

from pathlib import Path

from stretto.commands.app import App, require_supported
from stretto.commands.development import run
from stretto.commands.invocation import Invocation
from stretto.commands.options import WORK
from stretto.commands.plan import existing
from stretto.commands.reply import Reply
from stretto.graph import recipes
from stretto.graph.find_plan import newest_unfinished
from stretto.graph.plan import incomplete
from stretto.graph.plan_file import parse
from stretto.state.errors import BadInput


def handle(invocation: Invocation, app: App) -> Reply:
    """Implement a plan from its first open phase, or from the phase that is named.

    Raises:
        BadInput: No such plan or phase, or nothing is left to do.
    """
    require_supported(invocation, WORK)
    words = [w.text for w in invocation.words]
    path, phase = chosen(app.project, words)
    plan = parse((app.project / path).read_text(encoding="utf-8"), source=path)
    first = incomplete(plan)
    if first is None:
        raise BadInput(f"Every phase of {path!r} is completed; there is nothing to implement.", field="plan")
    return run(invocation, app, plan.title, recipes.implement(), plan_file=path, first_plan_phase=phase or first)


def chosen(project: Path, words: list[str]) -> tuple[str, int | None]:
    """The plan and the phase that the words name; the newest unfinished plan if they name none."""
    phase = int(words.pop()) if words and words[-1].isdecimal() else None
    if words:
        return existing(project, words[0], "plan"), phase
    found = [(p, p.relative_to(project).as_posix()) for p in sorted(project.glob("specs/plans/*.md"))]
    newest = newest_unfinished((name, p.read_text(encoding="utf-8"), p.stat().st_mtime) for p, name in found)
    if newest is None:
        raise BadInput(
            "There is no unfinished plan in specs/plans.",
            field="plan",
            next_steps=('stretto plan "…"', "stretto implement specs/plans/001_….md"),
        )
    return newest, phase
