"""The pytest plugin: marker `cassette`, fixtures, `--stretto-record`. Nothing of Stretto is imported before it is used.

pytest loads it in every run of whoever has Stretto installed, so its import must cost nothing.
"""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stretto.testing.project import Files, MakeProject, ScratchProject
    from stretto.testing.running import RunWorkflow
    from stretto.testing.tape import Tape

_RECORD, _RUNNER = "--stretto-record", "--stretto-runner"
_MARKER = (
    "cassette(path=None, mode='default', runner=None): the recording that the test replays, relative to its file; mode"
    " is default, strict or lenient; runner is who speaks when it is recorded again. No model is called meanwhile."
)
_TAPE: "pytest.StashKey[Tape]" = pytest.StashKey()
_UNUSED = "stretto_unused"
_DROPPED = ("STRETTO_STORE", "STRETTO_RUNNER", "CLAUDECODE", "PYTEST_ADDOPTS", "GIT_DIR", "GIT_WORK_TREE")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--stretto-record` and `--stretto-runner`."""
    group = parser.getgroup("stretto", "cassettes of Stretto")
    group.addoption(
        _RECORD, action="store_true", help="record the cassettes of the chosen tests again, by a live runner"
    )
    group.addoption(
        _RUNNER, metavar="RUNNER", default="", help="who is recorded: model:PROVIDER/NAME, model:script/FILE"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell the marker; refuse a runner that nobody would be recorded by."""
    config.addinivalue_line("markers", _MARKER)
    if config.getoption(_RUNNER) and not config.getoption(_RECORD):
        raise pytest.UsageError(f"{_RUNNER} names who is recorded, and nothing is recorded without {_RECORD}.")
    config.pluginmanager.register(_Unused(), "stretto-unused-turns")


def pytest_itemcollected(item: pytest.Item) -> None:
    """A test that is marked has the fixture, whether or not it asks for it."""
    if not isinstance(item, pytest.Function) or item.get_closest_marker("cassette") is None:
        return
    if "cassette" not in item.fixturenames:
        item.fixturenames.insert(0, "cassette")


@pytest.fixture
def cassette(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> "Generator[Tape]":
    """The recording of this test. As long as it is replayed, no model is called and no other machine is reached."""
    from stretto.testing.guard import guarded
    from stretto.testing.naming import tape_of

    tape = tape_of(request)
    request.node.stash[_TAPE] = tape
    with guarded(tape, monkeypatch):
        yield tape


@pytest.fixture
def scratch_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> "MakeProject":
    """Makes git repositories of a folder (relative to the test's file) or of texts by path, with a home apart."""
    from stretto.testing.project import make

    for name in _DROPPED:
        monkeypatch.delenv(name, raising=False)
    if not request.config.getoption(_RECORD):  # who is recorded has its login at home
        monkeypatch.setenv("HOME", str(_folder(tmp_path / "home")))
    monkeypatch.setenv("XDG_STATE_HOME", str(_folder(tmp_path / "home" / ".local" / "state")))
    count = iter(range(1, 1_000))

    def made(files: "Files") -> "ScratchProject":
        found = request.path.parent / files if isinstance(files, str) else files
        return make(tmp_path / f"project-{next(count)}", found)

    return made


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def run_workflow(cassette: "Tape") -> "RunWorkflow":
    """Runs a command on the cassette: `run_workflow("orchestrate", "Add due dates", project=project)`."""
    from stretto.testing.running import RunWorkflow

    return RunWorkflow(cassette)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, object]:
    """After a test that passed: what was never asked for, and what is wrong with what was recorded."""
    outcome: object = yield
    tape = pyfuncitem.stash.get(_TAPE, None)
    if tape is None:
        return outcome
    if problems := tape.problems():
        pytest.fail("The recording cannot be kept as it is:\n  " + "\n  ".join(problems), pytrace=False)
    if unused := tape.unused():
        told = f"{pyfuncitem.nodeid}: {tape.path.name} has turns that nobody asked for: {'; '.join(unused)}"
        if tape.mode == "strict":
            pytest.fail(f"{told}\nTo record it again:\n  {tape.record_line()}", pytrace=False)
        pyfuncitem.user_properties.append((_UNUSED, told))
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what its cassette lacked, also where a program of its own drove the workflow."""
    report = yield
    tape = item.stash.get(_TAPE, None)
    if tape is not None and report.when == "call" and report.failed:
        missed = [miss for miss in dict.fromkeys(tape.misses) if miss not in str(report.longrepr)]
        if missed:
            told = "\n\n".join([*missed, f"To record it again:\n  {tape.record_line()}"])
            report.sections.append(("cassette", told))
    return report


class _Unused:
    """Tells at the end which turns of cassettes no test asked for, wherever the tests ran."""

    def __init__(self) -> None:
        self._told: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep what a test has told."""
        if report.when == "call":
            self._told += [str(value) for name, value in report.user_properties if name == _UNUSED]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print it."""
        if self._told:
            terminalreporter.section("cassettes")
            for line in self._told:
                terminalreporter.write_line(line)
