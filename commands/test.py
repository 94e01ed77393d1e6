"""/test: the project's own tests for one target, run in the checkout as it is."""

import asyncio
import os
import shlex
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from stretto.agents.checks import CheckReport, run_checks
from stretto.agents.coverage import cover
from stretto.agents.detect import detect_test_command
from stretto.agents.environment import find_environment
from stretto.agents.process import run as execute
from stretto.agents.proof import as_data, summary
from stretto.commands.app import App, require_supported
from stretto.commands.attaching import Attached, attach, began_at, record
from stretto.commands.development import one_text
from stretto.commands.invocation import Invocation
from stretto.commands.launch import settings_of
from stretto.commands.measuring import Place, areas, benchmarks, kinds, lines
from stretto.commands.reply import Reply
from stretto.state.errors import BadInput
from stretto.state.store import find_project
from stretto.state.units import seconds

SUPPORTED = frozenset({"timeout", "comprehensive", "workflow-context"})
WHOLE = ("all", "suite")
DEFAULT_SECONDS = 1800.0


def handle(invocation: Invocation, app: App) -> Reply:
    """Test a file, or what matches a name; counts come from the runner. No tests found is a failure.

    Raises:
        BadInput: No way to test the project was found, or its runner cannot choose tests by name.
    """
    require_supported(invocation, SUPPORTED)
    target = one_text(invocation, "target", "stretto test tests/test_login.py")
    if extra := invocation.words[1:]:
        raise BadInput(
            f"/test understands the level {extra[0].text!r}, but this version does nothing with it, so it is refused.",
            field="level",
            next_steps=(f"stretto test {shlex.quote(target)}",),
        )
    wanted = {"coverage", "kinds"} if "comprehensive" in invocation.flags else set[str]()
    return run_tests(invocation, app, target, wanted)


def run_tests(invocation: Invocation, app: App, target: str, wanted: AbstractSet[str] = frozenset()) -> Reply:
    """Run the tests of a target in the checkout, or all of them, and count; `wanted` names what else to measure.

    What is measured belongs to a workflow: the one of `--workflow-context`, or the one that is open.
    """
    to = attach(invocation, app) if wanted or "workflow-context" in invocation.flags else Attached()
    limit = seconds(str(invocation.flags["timeout"]), "--timeout") if "timeout" in invocation.flags else DEFAULT_SECONDS
    base = began_at(app, to) if "areas" in wanted else ""
    report, measured = asyncio.run(examine(app, target, limit, wanted, base))
    command = report.results[0].command
    bench: Any = measured.get("performance")
    slow = isinstance(bench, dict) and bool(cast("dict[str, Any]", bench)["problem"])
    passed = report.passed and not slow
    text = summary(report) if report.passed else f"{summary(report)}\n\n{report.text}"
    counts = report.results[0].tests
    tests = {"tests": {k: getattr(counts, k) for k in ("tests", "failures", "errors", "skipped")}} if counts else {}
    events = record(app, to, {"tests_passing": report.passed, **tests, **_brief(measured)})
    return Reply(
        command=invocation.command,
        text="\n".join([text, *lines(measured), *([to.notice] if to.notice else [])]),
        result={**as_data(report), **measured},
        workflow_id=to.workflow_id,
        events=events,
        next_steps=() if passed or not report.results[0].ran else (f'stretto debug "{command} fails"',),
        exit_code=0 if passed else 1,
    )


def _brief(measured: Mapping[str, Any]) -> dict[str, Any]:
    """The figures as an event holds them: what a benchmark printed stays in the reply."""
    bench: Any = measured.get("performance")
    if not isinstance(bench, dict):
        return dict(measured)
    kept = cast("dict[str, Any]", bench)
    return {**measured, "performance": {k: v for k, v in kept.items() if k != "output"}}


async def examine(
    app: App, target: str, limit: float, wanted: AbstractSet[str] = frozenset(), base: str = ""
) -> tuple[CheckReport, dict[str, Any]]:
    """Run the tests of a target, and measure what is wanted; `base` as for `areas`.

    Raises:
        BadInput: There is no way to test it.
    """
    root = find_project(app.project)
    environment = await find_environment(root, app.project, os.environ, execute)
    found = await detect_test_command(app.project, environment, execute, settings_of(app).test)
    if found is None:
        raise BadInput(
            "No way to test this project was found.",
            field="test",
            next_steps=('Put test = "python -m pytest" (or the like) in .stretto/config.toml.',),
        )
    command = command_for(app, found.command, target)
    place = Place(root, app.project, environment, limit)
    measured: dict[str, Any] = {}
    if "coverage" not in wanted:
        coverage = None
        report = await run_checks(
            (command,), root=root, cwd=app.project, environment=environment, seconds=limit, execute=execute
        )
    else:
        with TemporaryDirectory(prefix="stretto-coverage-") as folder:
            report, coverage = await cover(
                command,
                Path(folder),
                root=root,
                cwd=app.project,
                environment=environment,
                seconds=limit,
                execute=execute,
            )
        measured["coverage"] = coverage.told()
    if "kinds" in wanted:
        measured["kinds"] = await kinds(place, found.command, command.removeprefix(found.command).strip())
    if "areas" in wanted:
        measured["affected_areas"] = await areas(place, coverage, base)
    if "performance" in wanted:
        measured["performance"] = await benchmarks(place)
    return report, measured


def command_for(app: App, command: str, target: str) -> str:
    """The command that runs the tests of a target: a path, else a name for pytest's -k.

    Raises:
        BadInput: The project's runner is not pytest.
    """
    if target in WHOLE:
        return command
    if "pytest" not in command:
        raise BadInput(
            f"Tests can be chosen by name with pytest only, and this project is tested by `{command}`.",
            field="target",
            next_steps=("stretto test-all",),
        )
    path = (app.project / target.partition("::")[0]).resolve()
    if path.exists() and path.is_relative_to(app.project.resolve()):
        return f"{command} {shlex.quote(target if not target.startswith('-') else f'./{target}')}"
    return f"{command} {shlex.quote(f'-k={target}')}"
