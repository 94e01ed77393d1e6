"""The tests of tracks: when the tasks of one are done, commands prove it, without an agent."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from stretto.agents.task import Outcome, Task
from stretto.graph.context import Step
from stretto.graph.spec import Spec, TaskSpec, Track
from stretto.graph.stages import as_task

PREFIX = "tests."
"""How the name of the task begins that runs the tests of a track. No task of a plan may be called so."""


class Bad(NamedTuple):
    """Why tracks do not pass, what their tests printed, and whether an agent can cure it."""

    why: str
    output: str
    curable: bool


def with_tests(step: Step, tasks: Sequence[Task]) -> list[Task]:
    """The tasks of a step, and behind them the tests of each track that has not passed any yet."""
    return [*tasks, *(_tests(step, track, tasks) for track in step.phase.tracks if not _passed(step, track))]


def _tests(step: Step, track: Track, tasks: Sequence[Task]) -> Task:
    """After the track's own tasks; after a debug round, behind all that cures."""
    spec = TaskSpec(id=PREFIX + track.name, title=f"Test {track.name}", role="tester", prompt="", checks=track.checks)
    mine = [t.task_id for t in tasks if name_of(t.task_id) in track.tasks]
    after = mine if mine and step.number == 1 else [t.task_id for t in tasks]
    return as_task(step, spec).model_copy(update={"after": tuple(after)})


def _passed(step: Step, track: Track) -> bool:
    earlier = (step.outcome(replace(step, number=n).task_id(PREFIX + track.name)) for n in range(1, step.number))
    return any(o is not None and o.status == "completed" and passing(o) is not False for o in earlier)


def passing(outcome: Outcome) -> bool | None:
    """Whether the tests of a track passed; None if there were none, or none were found."""
    ran: list[dict[str, Any]] = outcome.data.get("results", [])
    results = [r for r in ran if not (r["tests"] and r["tests"]["tests"] == 0)]
    return all(not r["problem"] for r in results) if results else None


def failing(step: Step) -> Bad | None:
    """The tracks of a step whose tests fail."""
    ran = {name_of(t.task_id): step.finished[t.task_id] for t in step.tasks if not t.prompt}
    bad = {name.removeprefix(PREFIX): o.data["results"] for name, o in ran.items() if passing(o) is False}
    results = [r for found in bad.values() for r in found if r["problem"]]
    if not results:
        return None
    output = "\n\n".join(text for r in results for text in (r["failures"] or [r["output"]]))
    return Bad(f"The tests of {', '.join(bad)} failed.", output, any(r["ran"] for r in results))


def name_of(task_id: str) -> str:
    """`implementation/T1~2` → `T1`."""
    return task_id.partition("/")[2].partition("~")[0]


def track_of(spec: Spec, task: Task) -> Track | None:
    """The track that a task belongs to; a cure belongs to none."""
    name = name_of(task.task_id)
    tracks = (t for p in spec.phases if p.name == task.phase for t in p.tracks)
    return next((t for t in tracks if name in t.tasks or name == PREFIX + t.name), None)
