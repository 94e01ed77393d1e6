"""/implement: the open tasks of a plan, tested and committed phase by phase."""

from pathlib import Path

from stretto.commands.app import App, require_supported
from stretto.commands.development import run
from stretto.commands.implement_orchestrated import FLAGS, wanted
from stretto.commands.implement_orchestrated import phases as tracked
from stretto.commands.inputs import committed, existing, text_of
from stretto.commands.invocation import Invocation
from stretto.commands.options import TEAM
from stretto.commands.reply import Reply
from stretto.graph import recipes
from stretto.graph.find_plan import newest_unfinished
from stretto.graph.plan import Plan, incomplete
from stretto.graph.plan_file import parse
from stretto.graph.plan_tasks import PlanTasks, tasks
from stretto.graph.spec import PhaseSpec
from stretto.state.errors import BadInput

SUPPORTED = TEAM | FLAGS | {"parallel"}


def handle(invocation: Invocation, app: App) -> Reply:
    """Implement a plan from its first open phase, or from the phase that is named.

    Raises:
        BadInput: No such plan or phase, the plan is in no commit, or nothing is left to do.
    """
    require_supported(invocation, SUPPORTED)
    path, phase = chosen(app.project, [w.text for w in invocation.words])
    plan = parse(text_of(app.project, path, "plan"), source=path)
    first = _first(plan, path, phase)
    orchestrated = wanted(invocation)
    found = _left(plan, path, first)
    phases = tracked(plan, found) if orchestrated else _phases(found)
    committed(app, [path], "plan")
    return run(invocation, app, plan.title, phases, plan_file=path, first_plan_phase=first, orchestrated=orchestrated)


def chosen(project: Path, words: list[str]) -> tuple[str, int | None]:
    """The plan and the phase that the words name; the newest unfinished plan if they name none.

    Raises:
        BadInput: There is no such plan, or the words are not a plan and a number.
    """
    phase = int(words.pop()) if words and _is_number(words[-1]) else None
    if len(words) > 1:
        raise BadInput(f"phase {words[1]!r} is not the number of a phase.", field="phase", allowed=("1", "2", "…"))
    return (existing(project, words[0], "plan") if words else _newest(project)), phase


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 10


def _newest(project: Path) -> str:
    found = [(p, p.relative_to(project).as_posix()) for p in sorted(project.glob("specs/plans/*.md"))]
    newest = newest_unfinished((name, text_of(project, name, "plan"), p.stat().st_mtime) for p, name in found)
    if newest is None:
        raise BadInput(
            "There is no unfinished plan in specs/plans.",
            field="plan",
            next_steps=('stretto plan "…"', "stretto implement specs/plans/001_….md"),
        )
    return newest


def _first(plan: Plan, path: str, phase: int | None) -> int:
    """The phase to begin with: the first that is open, or the one that is named."""
    left = incomplete(plan)
    if left is None:
        raise BadInput(f"Every phase of {path!r} is completed; there is nothing to implement.", field="plan")
    return left if phase is None else phase


def _left(plan: Plan, path: str, first: int) -> PlanTasks:
    """The tasks that the workflow will take from the plan."""
    found = tasks(plan, first)
    if not found.tasks:
        raise BadInput(
            f"Nothing is left to do in {path!r} from phase {first} on.", field="phase", allowed=[str(incomplete(plan))]
        )
    return found


def _phases(found: PlanTasks) -> tuple[PhaseSpec, ...]:
    implementation, *rest = recipes.implement()
    return (implementation.model_copy(update={"tasks": found.tasks}), *rest)
