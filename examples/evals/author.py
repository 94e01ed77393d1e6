"""Author the agents of the example evaluation: scripts that do the tasks by their known solutions, some of them badly.

    python examples/evals/author.py DIRECTORY

writes one script a task and mode. Recorded (docs/evaluation.md tells how), they are `authored/`. No model said what
they say, and which tasks they get wrong is written below: what comes of them shows the machinery, nobody's quality.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from stretto.commands.eval_running import MODES, Job, Mode, spec_of
from stretto.graph.spec import PhaseSpec
from stretto.graph.suite import EvalTask, load_suite

SUITE = Path(__file__).with_name("small")
TASKS = (
    *("median", "intervals", "slug", "lru", "one_price", "early_return", "usage_text", "docstrings"),
    *("rename_field", "bank"),
)
"""Two of each kind."""
WRONG: Mapping[str, frozenset[str]] = {
    "orchestrated": frozenset({"lru", "early_return", "bank"}),
    "solo": frozenset({"rename_field"}),
}
"""Where the authored agent leaves out the last file of the solution."""

Turns = list[dict[str, Any]]


def script(name: str, task: EvalTask, mode: Mode) -> dict[str, Any]:
    """What the agents of one run say, by lane."""
    spec = spec_of(Job(name, task, mode, 1, "", Path()))
    files = list(task.solution.items())
    done = dict(files[:-1] if name in WRONG[mode] else files)
    lanes = dict(lane for phase in spec.phases for lane in lanes_of(phase, done))
    return {"task": spec.description, "lanes": lanes}


def lanes_of(phase: PhaseSpec, files: Mapping[str, str]) -> Iterator[tuple[str, Turns]]:
    """The lanes of a phase. An implementation that follows a plan has the plan's one task."""
    if phase.kind == "implement" and not phase.tasks:
        yield f"{phase.name}/T1#1", writing(files)
    for task in phase.tasks:
        turns = writing(files) if task.role == "implementer" else ROLES[task.role](files)
        yield f"{phase.name}/{task.id}#1", turns


def writing(files: Mapping[str, str]) -> Turns:
    """Write the files, and say so."""
    calls = [{"write_file": {"path": path, "content": text}} for path, text in files.items()]
    return [*([{"call": calls}] if calls else []), finished("Written." if calls else "Nothing seems to be missing.")]


def finished(summary: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """The last turn of a lane."""
    return {"finish": {"status": "completed", "summary": summary, **({"data": data} if data else {})}}


def researching(files: Mapping[str, str]) -> Turns:
    """A look at what there is."""
    del files
    report = "# What there is\n\nA small project; its tests tell what holds today.\n"
    return [
        {"call": [{"list_files": {"glob": "**"}}]},
        finished("Looked.", {"title": "What there is", "report": report}),
    ]


def planning(files: Mapping[str, str]) -> Turns:
    """One phase of one task."""
    task = {"id": "T1", "title": "Do it", "writes": list(files)}
    phase = {"name": "The change", "objective": "what was asked for", "complexity": "Low", "tasks": [task]}
    return [finished("One task.", {"title": "The change", "phases": [phase]})]


def documenting(files: Mapping[str, str]) -> Turns:
    """Where documents are the work, the documenter does it; elsewhere all is written."""
    turns = writing(files)
    turns[-1] = finished("Told.", {"files": list(files)})
    return turns


def looking(files: Mapping[str, str]) -> Turns:
    """Nothing to add."""
    del files
    return [finished("Nothing to add.")]


ROLES = {
    "researcher": researching,
    "planner": planning,
    "tester": looking,
    "reviewer": looking,
    "documenter": documenting,
}


def main(argv: list[str]) -> int:
    """Write the scripts. Returns the exit code."""
    if len(argv) != 1:
        print("usage: python examples/evals/author.py DIRECTORY", file=sys.stderr)
        return 2
    folder = Path(argv[0])
    folder.mkdir(parents=True, exist_ok=True)
    suite = load_suite(SUITE)
    for name in TASKS:
        for mode in MODES:
            said = yaml.safe_dump(script(name, suite.tasks[name], mode), sort_keys=False, allow_unicode=True)
            (folder / f"{name}.{mode}.yaml").write_text(f"# Authored: no model said it.\n{said}", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
