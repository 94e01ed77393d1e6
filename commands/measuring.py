"""What the test commands measure beside passed and failed: coverage, kinds of tests, changed areas, benchmarks."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stretto.agents.checks import run_checks
from stretto.agents.coverage import Coverage
from stretto.agents.environment import ProjectEnvironment
from stretto.agents.git import environment as for_git
from stretto.agents.process import run as execute
from stretto.agents.proof import result_data

KINDS = ("unit", "integration")
NO_BENCHMARKS = "not available: no benchmarks found"
_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_BENCH = re.compile(r"^bench\s*::?(?!=)", re.MULTILINE)
_FIXTURE = re.compile(r"def test_\w*\([^)]*\bbenchmark\b")
_SECONDS = 30.0


class Place(NamedTuple):
    """Where commands run: the checkout, the project in it, its environment, and for how long at most."""

    root: Path
    project: Path
    environment: ProjectEnvironment
    seconds: float


async def kinds(place: Place, command: str, target: str) -> dict[str, Any]:
    """The unit and the integration tests of a target, counted by the runner, from the folders that tests keep them in.

    `target` is what was added to `command` to choose by name, or nothing.
    """
    found: dict[str, Any] = {}
    for kind in KINDS:
        folder = next((f for f in (f"tests/{kind}", f"test/{kind}") if (place.project / f).is_dir()), "")
        if why := _uncounted(kind, folder, command, target):
            found[kind] = f"not available: {why}"
            continue
        words = f"{command} {folder} {target}".strip()
        found[kind] = (await _run(place, words))["tests"] or "not available: not counted"
    return found


def _uncounted(kind: str, folder: str, command: str, target: str) -> str:
    if "pytest" not in command:
        return "only pytest can choose them"
    if target and "-k=" not in target:
        return "one file was named"
    return "" if folder else f"there is no folder tests/{kind}"


async def _run(place: Place, command: str) -> dict[str, Any]:
    report = await run_checks(
        (command,),
        root=place.root,
        cwd=place.project,
        environment=place.environment,
        seconds=place.seconds,
        execute=execute,
    )
    return result_data(report.results[0])


async def areas(place: Place, coverage: Coverage | None, base: str = "") -> dict[str, Any]:
    """The folders with changed files: what git has in no commit yet, else what the last commit changed.

    With a `base`, the commit at which a workflow began: what has changed since, too.
    """
    since = "not committed"
    files = await _git(place, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", ".")
    changed = [entry[3:] for entry in files or () if entry]
    if files is not None and base:
        since = f"since {base[:12]}, where the workflow began"
        done = ("diff", "--name-only", "--no-renames", "-z", base, "HEAD", "--", ".")
        changed = [*{*changed, *(f for f in await _git(place, *done) or () if f)}]
    elif files is not None and not changed:
        since = "last commit"
        show = ("show", "--format=", "--name-only", "--no-renames", "-z", "HEAD", "--", ".")
        changed = [f for f in await _git(place, *show) or () if f]
    if files is None:
        return {"since": "not available: the project is not in git", "areas": {}}
    inside = place.project.resolve().relative_to(place.root.resolve()).as_posix()
    prefix = "" if inside == "." else f"{inside}/"
    grouped: dict[str, dict[str, Any]] = {}
    for file in sorted(f.removeprefix(prefix) for f in changed if f.startswith(prefix)):
        if not file.startswith(".stretto/"):
            area = grouped.setdefault(file.rpartition("/")[0] or ".", {"files": []})
            area["files"].append(file)
    for area in grouped.values():
        if coverage is not None and (known := [coverage.files[f] for f in area["files"] if f in coverage.files]):
            area["least_covered"] = min(known)
    return {"since": since, "areas": grouped}


async def _git(place: Place, *words: str) -> Sequence[str] | None:
    said = await execute(["git", *words], cwd=place.project, env=for_git(os.environ), timeout=_SECONDS)
    return said.stdout.decode(errors="replace").split("\0") if said.exit_code == 0 else None


async def benchmarks(place: Place) -> dict[str, Any] | str:
    """The project's benchmarks: `make bench`, else what pytest finds in `benchmarks/`, else pytest-benchmark's."""
    command = _benchmark_command(place.project)
    if not command:
        return NO_BENCHMARKS
    found = await _run(place, command)
    keep = ("command", "exit_code", "seconds", "problem", "tests", "output")
    return {k: found[k] for k in keep}


def _benchmark_command(project: Path) -> str:
    for name in _MAKEFILES:
        if (project / name).is_file() and _BENCH.search((project / name).read_text("utf-8", "replace")):
            return "make bench"
    names = ("test_*.py", "*_test.py", "bench_*.py", "*_bench.py")
    if any(f for glob in names for f in (project / "benchmarks").rglob(glob)):
        return f"pytest benchmarks -o 'python_files={' '.join(names)}'"
    tests = (project / "tests").rglob("test*.py")
    if any(_FIXTURE.search(f.read_text("utf-8", "replace")) for f in tests):
        return "pytest --benchmark-only"
    return ""


def lines(measured: Mapping[str, Any]) -> list[str]:
    """The figures, a line for each."""
    found: list[str] = []
    if (cover := measured.get("coverage")) is not None:
        found.append(f"Coverage: {cover}" + ("" if isinstance(cover, str) else " % of the lines of what was loaded"))
    for kind, counts in measured.get("kinds", {}).items():
        told = counts if isinstance(counts, str) else ", ".join(f"{v} {k}" for k, v in counts.items())
        found.append(f"{kind.capitalize()}: {told}")
    if changed := measured.get("affected_areas"):
        found.append(f"Changed ({changed['since']}): {', '.join(changed['areas']) or 'nothing'}")
    if bench := measured.get("performance"):
        told = bench if isinstance(bench, str) else f"`{bench['command']}`: {bench['problem'] or 'passed'}"
        found.append(f"Performance: {told}" + ("" if isinstance(bench, str) else f", {bench['seconds']:g} s"))
    return found
