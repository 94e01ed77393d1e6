"""Grading: the hidden tests of a task, run in the project that an agent has left."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from stretto.agents.checks import run_checks
from stretto.agents.environment import find_environment
from stretto.agents.environment_scrub import scrub
from stretto.agents.process import run as execute

SECONDS: Final = 300.0
"""Time limit of the hidden tests: what loops for ever has not passed."""


class Grade(NamedTuple):
    """What the hidden tests said. `why` tells what did not pass."""

    passed: bool
    tests: int
    failed: int
    why: str = ""


async def grade(project: Path, hidden: Mapping[str, str], seconds: float = SECONDS) -> Grade:
    """Copy the hidden tests in, over whatever lies there, and run them."""
    for name, text in hidden.items():
        place = project / name
        if not _keeps_inside(project, place):
            return Grade(False, 0, 0, f"{name} leads out of the project")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.write_text(text, "utf-8")
    environment = await find_environment(project, project, scrub(os.environ), execute)
    files = " ".join(sorted(name for name in hidden if Path(name).name.startswith("test_")))
    command = f"python -m pytest -q -o addopts= -p no:cacheprovider {files}"
    report = await run_checks(
        (command,), root=project, cwd=project, environment=environment, seconds=seconds, execute=execute
    )
    (result,) = report.results
    counts = result.tests
    if counts is None:
        return Grade(False, 0, 0, result.problem or "the tests left no count")
    failed = counts.failures + counts.errors + counts.skipped
    why = result.problem or (f"{counts.skipped} hidden tests were skipped" if counts.skipped else "")
    return Grade(result.passed and not failed and counts.tests > 0, counts.tests, failed, why)


def _keeps_inside(project: Path, place: Path) -> bool:
    """Whether the folder is in the project in fact: an agent may have left a link there."""
    return place.parent.resolve().is_relative_to(project.resolve())
