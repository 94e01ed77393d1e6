"""Check commands run in a workspace, with proof: what ran, what it counted, and that it was the workspace's code."""

import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from stretto.agents import probe
from stretto.agents.environment import ProjectEnvironment
from stretto.agents.execute import Execute, Finished
from stretto.agents.junit import Counts, Unreadable, read_junit
from stretto.agents.words import split_command
from stretto.state.errors import StrettoError

_TAIL = 4_000
_NO_PYTEST = re.compile(rb"^\S*python\S*: No module named pytest$", re.MULTILINE)
_PYTHON = re.compile(r"python(3(\.\d+)?)?")
_PYTEST = ("pytest", "py.test")
_RUNNERS = (("uv", "run"), ("poetry", "run"), ("pipenv", "run"), ("pdm", "run"), ("hatch", "run"))
"""They would choose or build an environment; the project's own is already found."""

_NOTHING_RAN = {
    "cargo": (re.compile(rb"^running [1-9]\d* tests?$", re.MULTILINE), re.compile(rb"^running 0 tests$", re.MULTILINE)),
    "go": (re.compile(rb"^ok\s.*\ds$|^ok\s.*\(cached\)$", re.MULTILINE), re.compile(rb"\[no test files\]")),
}
"""Per program: what shows that a test ran, and what shows that it looked and found none."""


class CheckResult(NamedTuple):
    """One command. `exit_code` is None if it never ended by itself; `problem` says why it does not count.

    `tests` is None where the runner's counts are not known: then the exit code is all there is. `ran` is False where
    the program is not there to be run, which no change of the code can cure.
    """

    command: str
    exit_code: int | None
    seconds: float
    output_tail: str
    tests: Counts | None
    problem: str = ""
    ran: bool = True

    @property
    def passed(self) -> bool:
        """Whether it counts as proof."""
        return not self.problem


class _Absent(StrettoError):
    """A program that the machine does not have."""


class CheckReport(NamedTuple):
    """The results of all commands, in order. All are run, whether or not an earlier one failed."""

    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether every command passed. True of none: then nothing is proven."""
        return all(result.passed for result in self.results)

    @property
    def text(self) -> str:
        """What an agent is told about the commands that did not pass."""
        return "\n\n".join(_told(result) for result in self.results if not result.passed)


def _told(result: CheckResult) -> str:
    said = result.tests.first_failures if result.tests else ()
    output = "\n".join(said) or result.output_tail
    return f"The check {result.command!r} did not pass: {result.problem}.\n{output}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """Where and with what one report's commands run; `folder` is a temporary one for the probe and its findings."""

    root: Path
    cwd: Path
    environment: ProjectEnvironment
    seconds: float | None
    execute: Execute
    folder: Path
    under: tuple[str, ...] = ()

    @property
    def variables(self) -> dict[str, str]:
        env = self.environment.variables(self.root, self.cwd)
        return {**env, "PYTHONPATH": f"{env['PYTHONPATH']}:{self.folder}".strip(":")}

    def probing(self) -> dict[str, str]:
        return {
            **self.variables,
            probe.MAIN: str(self.environment.main),
            probe.ROOT: str(self.root),
            probe.OUT: str(self.folder),
        }


async def run_checks(
    commands: Sequence[str],
    *,
    root: Path,
    cwd: Path,
    environment: ProjectEnvironment,
    seconds: float | None,
    execute: Execute,
    under: Sequence[str] = (),
) -> CheckReport:
    """Run `commands`, one after the other, in the folder `cwd` of the workspace `root`; each for `seconds` at most.

    Commands are split as POSIX words, never run by a shell. pytest and unittest run under the probe: their counts are
    read from their results, finding no test is a failure, and so is running the main checkout's code. Of any other
    program the exit code decides. `under` are words for Python before the `-m` of pytest or unittest.
    """
    results: list[CheckResult] = []
    for command in commands:
        with tempfile.TemporaryDirectory(prefix="stretto-check-") as folder:
            shutil.copyfile(probe.__file__, Path(folder) / "stretto_probe.py")
            bench = _Bench(
                root=root,
                cwd=cwd,
                environment=environment,
                seconds=seconds,
                execute=execute,
                folder=Path(folder),
                under=tuple(under),
            )
            results.append(await _check(bench, command))
    return CheckReport(tuple(results))


async def _check(bench: _Bench, command: str) -> CheckResult:
    words = split_command(command)
    if words.problem:
        return _refused(command, words.problem)
    argv = _resolved(words.argv)
    if _PYTHON.fullmatch(argv[0]):
        if bench.environment.python is None:
            return _refused(command, "no Python was found for this project")
        if tuple(argv[1:3]) == ("-m", "pytest"):
            return await _pytest(bench, command, argv[3:])
        if tuple(argv[1:3]) == ("-m", "unittest"):
            return await _unittest(bench, command, argv[3:])
        argv = (str(bench.environment.python), *argv[1:])
    return await _other(bench, command, argv)


def _refused(command: str, problem: str, *, ran: bool = True) -> CheckResult:
    return CheckResult(command, None, 0.0, "", None, problem, ran)


def _resolved(argv: Sequence[str]) -> Sequence[str]:
    """`pytest` and `uv run pytest` as `python -m pytest`."""
    inner = argv[2] if tuple(argv[:2]) in _RUNNERS and len(argv) > 2 else ""
    if _PYTHON.fullmatch(inner) or inner in _PYTEST:
        return _resolved(argv[2:])
    return ("python", "-m", "pytest", *argv[1:]) if argv[0] in _PYTEST else argv


async def _pytest(bench: _Bench, command: str, arguments: Sequence[str]) -> CheckResult:
    xml = bench.folder / "junit.xml"
    plugin = ("-p", "stretto_probe", f"--junitxml={xml}")
    argv = (str(bench.environment.python), *bench.under, "-m", "pytest", *_before_dashes(arguments, plugin))
    try:
        ended = await _run(bench, argv, bench.probing())
    except StrettoError as error:
        return _refused(command, error.message, ran=not isinstance(error, _Absent))
    try:
        counts = read_junit(xml)
    except Unreadable as error:
        if _NO_PYTEST.search(ended.stdout + ended.stderr):
            return _refused(command, f"pytest is not installed for {argv[0]}", ran=False)
        return _result(command, ended, None, error.message.rstrip("."))
    return _result(command, ended, counts, _first(_about_counts(counts), _about_probe(bench)))


def _before_dashes(arguments: Sequence[str], added: Sequence[str]) -> list[str]:
    """Options do not count after `--`."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return [*arguments[:place], *added, *arguments[place:]]


async def _unittest(bench: _Bench, command: str, arguments: Sequence[str]) -> CheckResult:
    argv = (str(bench.environment.python), *bench.under, "-m", "stretto_probe", *arguments)
    try:
        ended = await _run(bench, argv, bench.probing())
    except StrettoError as error:
        return _refused(command, error.message, ran=not isinstance(error, _Absent))
    facts = next((f for f in _findings(bench) if "tests" in f), None)
    if facts is None:
        return _result(command, ended, None, "unittest left no result")
    counts = Counts(
        tests=int(facts["tests"]),
        failures=int(facts["failures"]),
        errors=int(facts["errors"]),
        skipped=int(facts["skipped"]),
        seconds=ended.seconds,
        first_failures=tuple(str(text) for text in facts["first_failures"]),
    )
    return _result(command, ended, counts, _first(_about_counts(counts), _about_probe(bench)))


async def _other(bench: _Bench, command: str, argv: Sequence[str]) -> CheckResult:
    try:
        ended = await _run(bench, argv, bench.variables)
    except StrettoError as error:
        return _refused(command, error.message, ran=not isinstance(error, _Absent))
    return _result(command, ended, None, _about_output(argv[0], ended))


async def _run(bench: _Bench, argv: Sequence[str], env: Mapping[str, str]) -> Finished:
    program = shutil.which(argv[0], path=env["PATH"]) if "/" not in argv[0] else str(bench.cwd / argv[0])
    if program is None:
        raise _Absent(f"the program {argv[0]!r} was not found")
    if not Path(program).is_file():
        raise StrettoError(f"the program {argv[0]!r} was not found")
    try:
        return await bench.execute((program, *argv[1:]), cwd=bench.cwd, env=env, timeout=bench.seconds)
    except OSError as error:
        raise StrettoError(f"the program {argv[0]!r} cannot be run: {error.strerror}") from error


def _result(command: str, ended: Finished, counts: Counts | None, problem: str) -> CheckResult:
    if ended.timed_out:
        problem = f"it was ended after {ended.seconds:.0f} seconds"
    elif ended.exit_code != 0 and not (counts and counts.tests == 0):
        problem = _about_failure(ended, counts) or problem
    tail = (ended.stdout + ended.stderr).decode(errors="replace")[-_TAIL:].strip()
    return CheckResult(command, ended.exit_code, ended.seconds, tail, counts, problem)


def _about_failure(ended: Finished, counts: Counts | None) -> str:
    if counts and counts.failures + counts.errors:
        return f"{counts.failures + counts.errors} of {counts.tests} tests failed"
    return f"it ended with code {ended.exit_code}"


def _about_counts(counts: Counts) -> str:
    if counts.tests == 0:
        return "no test was found"
    return "every test was skipped" if counts.skipped >= counts.tests else ""


def _findings(bench: _Bench) -> list[dict[str, Any]]:
    return [json.loads(file.read_text("utf-8")) for file in sorted(bench.folder.glob("probe-*.json"))]


def _about_probe(bench: _Bench) -> str:
    findings = _findings(bench)
    if not findings:
        return "the probe left no word on whose code was tested"
    foreign = sorted({str(path) for facts in findings for path in facts["foreign"]})
    shown = "; ".join(foreign[:5]) + ("; …" if len(foreign) > 5 else "")
    return f"the tests ran the main checkout's code: {shown}" if foreign else ""


def _about_output(program: str, ended: Finished) -> str:
    ran, nothing = _NOTHING_RAN.get(Path(program).name, (None, None))
    output = ended.stdout + ended.stderr
    return "no test was found" if ran and nothing and nothing.search(output) and not ran.search(output) else ""


def _first(*problems: str) -> str:
    return next(filter(None, problems), "")
