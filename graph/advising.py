"""Advising a workflow: what is known of its plan, its files and its past, and the mode in which its tasks then run.

What was chosen is a fact of the workflow: it stays on a resume, whatever the store has learned meanwhile.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from stretto.agents import reading
from stretto.agents.paths import covers
from stretto.graph.advice import Advice, Mode, advise, told
from stretto.graph.committing import base
from stretto.graph.context import Fact, Run, Step
from stretto.graph.estimate import PLANNED_TASKS
from stretto.graph.mode_cost import Work
from stretto.graph.mode_history import figures_of
from stretto.graph.solo import together
from stretto.graph.spec import PhaseSpec, Spec, TaskSpec
from stretto.state.log import Log

CHOSEN = "parallel:"
"""How the fact begins that says in which mode the tasks of a phase run."""
CHARACTERS = 4
"""Characters of a token, about: nothing hangs on it but a guess."""
_LARGEST_FILE = 16_000
"""Tokens beyond which no tool of ours reads a file at once."""
_KEEPS_NOTHING = "model:anthropic/"
"""A runner whose provider takes every turn for new, since our loop asks it to keep nothing."""


async def chosen(step: Step, specs: Sequence[TaskSpec]) -> Sequence[TaskSpec]:
    """The tasks as they will run: as they are, or together as one; the choice is written once, with its reasons."""
    if not step.spec.parallel or not specs or not _ours(step):
        return specs
    known = step.run.log.fact(step.run.workflow_id, CHOSEN + step.phase.name)
    data = known or await _decided(step, specs)
    step.run.remember(CHOSEN + step.phase.name, data)
    event = {k: v for k, v in data.items() if k != "names"}
    step.run.emit(f"{CHOSEN}{step.phase.name}", Fact("PARALLELISM_CHOSEN", step.phase.name, event))
    return [together(specs, step.spec.limits.task_seconds)] if data["mode"] == "solo" else specs


def _ours(step: Step) -> bool:
    """Whether the phase does its own tasks: one that is left to other commands says nothing of theirs."""
    return step.phase.name not in step.spec.leave or step.run.given(step.phase.name) == []


async def _decided(step: Step, specs: Sequence[TaskSpec]) -> dict[str, Any]:
    row = step.run.log.workflow(step.run.workflow_id)
    sizes = await reading.sizes(step.run.repository, base(step))
    advice = advised(step.spec, step.phase, specs, sizes, step.run.log, row.runner if row else "")
    return {**told(advice), "names": [t.id for t in specs]}


def advised(
    spec: Spec, phase: PhaseSpec, specs: Sequence[TaskSpec], sizes: Mapping[str, int], log: Log | None, runner: str
) -> Advice:
    """The advice on the tasks of a phase. `sizes` are bytes of the files that there are."""
    figures, basis = figures_of(log)
    if runner.startswith(_KEEPS_NOTHING):
        figures = figures._replace(resent=1.0)
    without: dict[Mode, str] = {"solo": "each track has tests of its own"} if phase.tracks else {}
    return advise(
        works(specs, sizes),
        slots=spec.limits.agents,
        attempts=spec.limits.attempts,
        figures=figures,
        asked=spec.parallel,
        basis=basis,
        without=without,
    )


def works(specs: Sequence[TaskSpec], sizes: Mapping[str, int]) -> list[Work]:
    """The tasks as the model of costs sees them."""
    ids = {t.id for t in specs}
    return [
        Work(
            t.id,
            tuple(d for d in t.depends_on if d in ids),
            t.reads,
            t.writes,
            len(t.prompt) // CHARACTERS,
            _files((*t.reads, *t.writes), sizes),
        )
        for t in specs
    ]


def _files(entries: Collection[str], sizes: Mapping[str, int]) -> dict[str, int]:
    named = [path for e in entries for path in ([e] if e in sizes else _covered(e, sizes))]
    return {path: min(sizes[path] // CHARACTERS, _LARGEST_FILE) for path in named}


def _covered(entry: str, sizes: Mapping[str, int]) -> list[str]:
    return [path for path in sizes if covers(entry, path)][:_MOST_FILES]


_MOST_FILES = 20
"""Files of one folder or glob that an agent is taken to read."""


def foreseen(
    spec: Spec, sizes: Mapping[str, int], log: Log | None, runner: str
) -> list[tuple[PhaseSpec, Advice, bool]]:
    """For a dry run: each implement phase with the advice, and whether its tasks are assumed."""
    found: list[tuple[PhaseSpec, Advice, bool]] = []
    for phase in spec.phases:
        if phase.kind == "implement" and spec.parallel:
            specs = phase.tasks or _assumed(spec)
            found.append((phase, advised(spec, phase, specs, sizes, log, runner), not phase.tasks))
    return found


def _assumed(spec: Spec) -> list[TaskSpec]:
    """As many tasks as plans of this complexity are taken to have, each with a file of its own."""
    count = PLANNED_TASKS[spec.complexity]
    return [
        TaskSpec(id=f"T{n}", title="assumed", role="implementer", prompt=spec.description, writes=(f"assumed/{n}.py",))
        for n in range(1, count + 1)
    ]


def mode_of(run: Run, phase: str) -> Mode | None:
    """The mode that was chosen for a phase; None if nobody asked for any."""
    found = run.log.fact(run.workflow_id, CHOSEN + phase)
    return cast("Mode", found["mode"]) if found else None


def bundled(run: Run, phase: str) -> tuple[str, ...]:
    """The names of the plan's tasks that one agent does together in this phase; none otherwise."""
    found = run.log.fact(run.workflow_id, CHOSEN + phase)
    return tuple(found["names"]) if found and found["mode"] == "solo" else ()
