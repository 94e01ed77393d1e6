"""/test: the project's own tests for one target, run in the checkout as it is."""

import asyncio
import os
import shlex

from stretto.agents.checks import CheckReport, run_checks
from stretto.agents.detect import detect_test_command
from stretto.agents.environment import find_environment
from stretto.agents.process import run as execute
from stretto.agents.proof import as_data, summary
from stretto.commands.app import App, require_supported
from stretto.commands.development import one_text
from stretto.commands.invocation import Invocation
from stretto.commands.launch import settings_of
from stretto.commands.reply import Reply
from stretto.state.errors import BadInput
from stretto.state.store import find_project
from stretto.state.units import seconds

SUPPORTED = frozenset({"timeout"})
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
    return run_tests(invocation, app, target)


def run_tests(invocation: Invocation, app: App, target: str) -> Reply:
    """Run the tests of a target in the checkout, or all of them, and count."""
    limit = seconds(str(invocation.flags["timeout"]), "--timeout") if "timeout" in invocation.flags else DEFAULT_SECONDS
    report = asyncio.run(_report(app, target, limit))
    command = report.results[0].command
    text = summary(report) if report.passed else f"{summary(report)}\n\n{report.text}"
    return Reply(
        command=invocation.command,
        text=text,
        result=as_data(report),
        next_steps=() if report.passed or not report.results[0].ran else (f'stretto debug "{command} fails"',),
        exit_code=0 if report.passed else 1,
    )


async def _report(app: App, target: str, limit: float) -> CheckReport:
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
    return await run_checks(
        (command,), root=root, cwd=app.project, environment=environment, seconds=limit, execute=execute
    )


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
