"""Line coverage: the project's own coverage.py around its own test command, or the reason why there is none."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from stretto.agents.checks import CheckReport, run_checks
from stretto.agents.environment import ProjectEnvironment
from stretto.agents.execute import Execute

ABSENT = "coverage is not installed in the project's environment"
_SECONDS = 120.0


class Coverage(NamedTuple):
    """What coverage.py said, in percent: of all that it measured, and of each file. None where `why` there is none."""

    percent: float | None = None
    files: Mapping[str, float] = {}
    why: str = ""

    def told(self) -> float | str:
        """The figure, or that there is none and why."""
        return f"not available: {self.why}" if self.percent is None else self.percent


async def cover(
    command: str,
    folder: Path,
    *,
    root: Path,
    cwd: Path,
    environment: ProjectEnvironment,
    seconds: float | None,
    execute: Execute,
) -> tuple[CheckReport, Coverage]:
    """Run a test command once, under coverage.py if the project has it; `folder` is a temporary one for its data."""
    variables = environment.variables(root, cwd)
    python = str(environment.python)
    there = False
    if environment.python is not None:
        looked = await execute([python, "-c", "import coverage"], cwd=cwd, env=variables, timeout=_SECONDS)
        there = looked.exit_code == 0
    data, found = folder / "coverage.data", folder / "coverage.json"
    report = await run_checks(
        (command,),
        root=root,
        cwd=cwd,
        environment=environment,
        seconds=seconds,
        execute=execute,
        under=("-m", "coverage", "run", f"--data-file={data}") if there else (),
    )
    if not there:
        return report, Coverage(why=ABSENT)
    parts = [str(part) for part in sorted(folder.glob("coverage.data.*"))]
    asked = [["combine", "-q", *parts]] if parts and not data.exists() else []
    told = ""
    for words in [*asked, ["json", "-q", "-i", "-o", str(found)]]:
        argv = [python, "-m", "coverage", words[0], f"--data-file={data}", *words[1:]]
        said = await execute(argv, cwd=cwd, env=variables, timeout=_SECONDS)
        told = (said.stdout + said.stderr).decode(errors="replace")
    try:
        return report, _read(json.loads(found.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        why = told.strip().partition("\n")[0]
        return report, Coverage(why=f"coverage.py measured nothing in `{command}`" + (f" ({why})" if why else ""))


def _read(found: Any) -> Coverage:
    files = {str(name): _percent(one["summary"]) for name, one in found["files"].items()}
    return Coverage(_percent(found["totals"]), files)


def _percent(summary: Any) -> float:
    return round(float(summary["percent_covered"]), 1)
