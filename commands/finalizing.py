"""/orchestrate finalize-workflow: a workflow is completed when four criteria hold, each shown with its evidence."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from stretto.agents.git import environment as for_git
from stretto.agents.process import run as execute
from stretto.agents.proof import summary
from stretto.commands.app import App, require_supported
from stretto.commands.coordinating import reading, writing
from stretto.commands.invocation import Invocation
from stretto.commands.reply import Reply
from stretto.commands.test import DEFAULT_SECONDS, examine
from stretto.graph import coordination, staying_open
from stretto.graph.doc_links import targets
from stretto.graph.spec import Spec
from stretto.graph.tracks import tracks_of
from stretto.state.errors import BadInput, InvalidTransition
from stretto.state.log import Log
from stretto.state.rows import WorkflowRow

SUPPORTED = frozenset({"validation"})
CRITERIA = ("phases", "tests", "documentation", "links")
LEVELS: Mapping[str, tuple[str, ...]] = {
    "basic": CRITERIA[:1],
    "standard": CRITERIA[:2],
    "comprehensive": CRITERIA,
    "complete": CRITERIA,
}
"""The criteria that each level asks for. The others are looked at too, and shown."""
_SHOWN = 5
_SECONDS = 60.0


class Criterion(NamedTuple):
    """Whether one criterion holds, and by what."""

    name: str
    holds: bool
    evidence: str
    needed: bool


def finalize(invocation: Invocation, app: App) -> Reply:
    """Complete a workflow that stays open if what the level asks for holds; else name what does not, change nothing.

    Raises:
        InvalidTransition: Its driver has not completed it, or it cannot be completed as it stands.
    """
    require_supported(invocation, SUPPORTED)
    if invocation.json:
        raise BadInput("finalize-workflow takes an id and --validation, no JSON.", field="json", allowed=())
    level = str(invocation.flags.get("validation", "standard"))
    with reading(app) as log:
        row = coordination.row_of(log.glance(), invocation.ids[0])
        if row.status in ("COMPLETED", "ARCHIVED"):
            text, look = f"{row.id} is completed already; nothing was changed.", f"stretto workflow-status {row.id}"
            told = {"status": row.status, "validation": level, "criteria": list[Any]()}
            return Reply("orchestrate", text, told, invocation.operation, row.id, next_steps=(look,))
        stands = staying_open.delivered(log.database, row.id) is not None
        if row.runner != coordination.RUNNER and not stands:
            raise InvalidTransition(
                f"{row.id!r} is {row.status}; the runner {row.runner!r} drives it, and completes it when it is done.",
                field="status",
                next_steps=(f"stretto orchestrate --resume {row.id}",),
            )
        found = _criteria(app, log, row, LEVELS[level])
    lines = lines_of(found)
    told = {"validation": level, "criteria": [c._asdict() for c in found]}
    if missing := [c.name for c in found if c.needed and not c.holds]:
        text = f"{row.id} was NOT completed: {', '.join(missing)} not fulfilled. Nothing was changed."
        again = f"stretto orchestrate finalize-workflow {row.id} --validation={level}   (when it is)"
        told = {"status": row.status, **told, "missing": missing}
        text = "\n".join([text, *lines])
        return Reply("orchestrate", text, told, invocation.operation, row.id, next_steps=(again,), exit_code=1)
    with writing(app) as desk:
        row = coordination.row_of(desk.tx, row.id)
        end = staying_open.close if stands else coordination.complete
        end(desk.tx, row, {"validation": level, "criteria": {c.name: c.evidence for c in found}})
        desk.admit()
    text = "\n".join([f"{row.id}: completed, and what it held is free.", *lines])
    steps = (f"stretto workflow-status {row.id} --detailed",)
    told = {"status": "COMPLETED", **told}
    return Reply("orchestrate", text, told, invocation.operation, row.id, tuple(desk.tx.ids), steps)


def lines_of(found: Iterable[Criterion]) -> list[str]:
    """A line for each."""
    return [f"  {'yes' if c.holds else 'NO '} {c.name}: {c.evidence}{_unneeded(c)}" for c in found]


def _unneeded(one: Criterion) -> str:
    return "" if one.needed else " (not asked for at this level)"


def _criteria(app: App, log: Log, row: WorkflowRow, needed: Iterable[str]) -> list[Criterion]:
    said = {
        "phases": _phases(log, row),
        "tests": tests_pass(app),
        "documentation": documented(log, row),
        "links": asyncio.run(links_resolve(app)),
    }
    return [Criterion(name, *said[name], name in needed) for name in CRITERIA]


def _phases(log: Log, row: WorkflowRow) -> tuple[bool, str]:
    """The phases of a coordinated workflow; the tracks of one that was driven, and stays open."""
    view = coordination.view_of(log.glance(), row.id)
    if row.runner == coordination.RUNNER:
        names = [p.name for p in coordination.coordinated(row).phases]
        left = coordination.unfinished(row, view)
    else:
        names = [t.name for t in tracks_of(Spec.model_validate(row.spec))]
        left = tuple(n for n in names if n not in view.phases or view.phases[n].state not in coordination.DONE)
    return not left, f"not done: {', '.join(left)}" if left else f"done: {', '.join(names)}"


def tests_pass(app: App) -> tuple[bool, str]:
    """Whether the project's tests pass, and what they said."""
    try:
        report = asyncio.run(examine(app, "all", DEFAULT_SECONDS))[0]
    except BadInput as error:
        return False, error.message
    return report.passed, summary(report)


def documented(log: Log, row: WorkflowRow) -> tuple[bool, str]:
    """DOCUMENTATION_COMPLETED of this workflow, or of another one since this one was made."""
    mine = min((event.seq for event in log.events(row.id, limit=1)), default=0)
    for event in log.events(after=mine):
        if event.type == "DOCUMENTATION_COMPLETED":
            return True, f"{event.workflow_id} documented it (event {event.seq})"
    return False, "no documentation was completed since it was made (stretto document does it)"


async def links_resolve(app: App) -> tuple[bool, str]:
    """The relative links of every markdown file that git has or would take."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    said = await execute(words, cwd=app.project, env=for_git(os.environ), timeout=_SECONDS)
    if said.exit_code != 0:
        return False, "the project is not in git, so nobody says which documents are its own"
    count, broken = 0, list[str]()
    files = [f for f in said.stdout.decode(errors="replace").split("\0") if f.endswith(".md")]
    present = [f for f in files if (app.project / f).is_file()]
    for file in present:
        for written, path in targets(file, (app.project / file).read_text("utf-8", "replace")):
            count += 1
            if path.startswith("..") or not (app.project / path).exists():
                broken.append(f"{file} → {written}")
    if broken:
        more = f" and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        return False, f"lead nowhere: {', '.join(broken[:_SHOWN])}{more}"
    return True, f"{count} relative links of {len(present)} documents lead somewhere"
