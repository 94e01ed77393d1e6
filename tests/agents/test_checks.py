import asyncio
import os
import sys
import sysconfig
from pathlib import Path

import pytest

from stretto.agents.checks import CheckReport, run_checks
from stretto.agents.environment import ProjectEnvironment, find_environment
from stretto.agents.process import run as execute
from tests.agents.gitproject import write_files

pytestmark = pytest.mark.slow  # each starts a pytest of its own

GOOD = "def test_one(): pass\ndef test_two(): pass\n"
USES = "import lib\ndef test_where(): assert lib.WHERE == 'workspace'\n"


class Bench:
    """A main checkout with a virtual environment that has pytest, and a workspace beside it."""

    def __init__(self, folder: Path) -> None:
        self.main, self.root = folder / "main", folder / "main" / ".stretto" / "state" / "work" / "w_1" / "T1"
        self.packages = self._environment(self.main / ".venv")
        self.root.mkdir(parents=True)

    def _environment(self, home: Path) -> Path:
        """As `python -m venv` makes it, with the packages of this test run behind a .pth file."""
        python = home / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.symlink_to(os.path.realpath(sys.executable))
        (home / "pyvenv.cfg").write_text(f"home = {Path(os.path.realpath(sys.executable)).parent}\n")
        packages = home / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        packages.mkdir(parents=True)
        (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        return packages

    def environment(self) -> ProjectEnvironment:
        environ = {"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the borrowed ones are slow
        return asyncio.run(find_environment(self.main, self.main, environ, execute))

    def run(self, *commands: str, seconds: float = 60, cwd: str = "") -> CheckReport:
        environment = self.environment()

        async def main() -> CheckReport:
            return await run_checks(
                commands,
                root=self.root,
                cwd=self.root / cwd,
                environment=environment,
                seconds=seconds,
                execute=execute,
            )

        return asyncio.run(main())


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_pytest_is_counted_from_its_own_result(bench: Bench) -> None:
    bad = "import pytest\ndef test_bad(): assert 1 == 2\n@pytest.mark.skip\ndef test_off(): pass\n"
    write_files(bench.root, {"test_a.py": GOOD + bad})

    report = bench.run("pytest -q")

    counts = report.results[0].tests
    assert counts is not None
    assert (counts.tests, counts.failures, counts.errors, counts.skipped) == (4, 1, 0, 1)
    assert not report.passed
    assert "1 of 4 tests failed" in report.text
    assert "assert 1 == 2" in report.text


def test_passing_tests_pass_under_any_of_the_names_of_pytest(bench: Bench) -> None:
    write_files(bench.root, {"test_a.py": GOOD})

    report = bench.run("pytest", "python -m pytest -q", "uv run pytest test_a.py", "python3 -m pytest -- test_a.py")

    assert report.passed, report.text
    assert {r.tests.tests if r.tests else 0 for r in report.results} == {2}


def test_no_test_found_is_not_success(bench: Bench) -> None:
    write_files(bench.root, {"test_a.py": "x = 1\n"})

    report = bench.run("pytest", "pytest --collect-only test_a.py")

    assert [r.problem for r in report.results] == ["no test was found", "no test was found"]


def test_a_run_that_skips_everything_proves_nothing(bench: Bench) -> None:
    write_files(bench.root, {"test_a.py": "import pytest\npytestmark = pytest.mark.skip\ndef test_a(): pass\n"})

    assert bench.run("pytest").results[0].problem == "every test was skipped"


def test_a_file_that_cannot_be_imported_fails_with_its_reason(bench: Bench) -> None:
    write_files(bench.root, {"test_a.py": "import missing_module\n"})

    report = bench.run("pytest")

    assert not report.passed
    assert "missing_module" in report.text


def test_a_pytest_that_never_ran_leaves_no_result_and_does_not_pass(bench: Bench) -> None:
    write_files(bench.root, {"conftest.py": "import os\nos._exit(0)\n"})

    report = bench.run("pytest")

    assert "left no result" in report.results[0].problem


@pytest.mark.parametrize("layout", ["", "src/"])
def test_code_installed_in_editable_form_from_the_main_checkout_is_tested_in_the_workspace(
    bench: Bench, layout: str
) -> None:
    write_files(bench.main, {f"{layout}lib.py": "WHERE = 'main'\n"})
    write_files(bench.packages, {"__editable__.lib.pth": f"{bench.main / layout}\n"})
    write_files(bench.root, {f"{layout}lib.py": "WHERE = 'workspace'\n", "tests/test_a.py": USES})

    report = bench.run("pytest")

    assert report.passed, report.text


FINDER = """
import sys
from importlib.util import spec_from_file_location
MAPPING = {mapping!r}
NAMESPACES = {{}}
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in MAPPING:
            return spec_from_file_location(name, MAPPING[name] + "/__init__.py")
def install():
    sys.meta_path.append(Finder)
"""


def test_a_finder_of_an_editable_install_is_led_to_the_workspace(bench: Bench) -> None:
    """A mapped package, which no import path of the workspace would find."""
    write_files(bench.main, {"odd/place/__init__.py": "WHERE = 'main'\n"})
    mapping = {"lib": str(bench.main / "odd" / "place")}
    write_files(bench.packages, {"__editable___lib_finder.py": FINDER.format(mapping=mapping)})
    write_files(bench.packages, {"lib.pth": "import __editable___lib_finder; __editable___lib_finder.install()\n"})
    write_files(bench.root, {"odd/place/__init__.py": "WHERE = 'workspace'\n", "tests/test_a.py": USES})

    report = bench.run("pytest")

    assert report.passed, report.text


def test_running_the_main_checkouts_code_fails_the_check_and_names_the_file(bench: Bench) -> None:
    write_files(bench.main, {"odd/lib.py": "WHERE = 'workspace'\n"})
    write_files(bench.root, {"conftest.py": f"import sys\nsys.path.insert(0, {str(bench.main / 'odd')!r})\n"})
    write_files(bench.root, {"tests/test_a.py": USES})

    report = bench.run("pytest")

    assert report.results[0].exit_code == 0
    assert report.results[0].problem == f"the tests ran the main checkout's code: {bench.main / 'odd' / 'lib.py'}"


def test_code_of_another_workspace_fails_the_check_too(bench: Bench) -> None:
    other = bench.root.parent / "T2"
    write_files(other, {"lib.py": "WHERE = 'workspace'\n"})
    write_files(bench.root, {"conftest.py": f"import sys\nsys.path.insert(0, {str(other)!r})\n", "test_a.py": USES})

    assert "main checkout's code" in bench.run("pytest").results[0].problem


def test_unittest_is_counted_and_proven_like_pytest(bench: Bench) -> None:
    text = "import unittest, lib\nclass T(unittest.TestCase):\n    def test_a(self): assert lib.WHERE == 'workspace'\n"
    bad = "    def test_b(self): self.assertEqual(1, 2)\n"
    write_files(bench.main, {"lib.py": "WHERE = 'main'\n"})
    write_files(bench.packages, {"lib.pth": f"{bench.main}\n"})
    write_files(bench.root, {"lib.py": "WHERE = 'workspace'\n", "good/test_a.py": text, "bad/test_a.py": text + bad})

    report = bench.run("python -m unittest discover -s good", "python -m unittest discover -s bad")
    good, wrong = report.results

    assert good.passed, good
    assert good.tests is not None
    assert good.tests.tests == 1
    assert wrong.problem == "1 of 2 tests failed"
    assert "1 != 2" in report.text


def test_unittest_without_tests_is_not_success(bench: Bench) -> None:
    assert bench.run("python -m unittest discover").results[0].problem == "no test was found"


def test_another_program_is_judged_by_its_exit_code_and_its_counts_are_unknown(bench: Bench) -> None:
    write_files(bench.root, {"ok.sh": "#!/bin/sh\necho fine\n", "bad.sh": "#!/bin/sh\necho why >&2\nexit 3\n"})
    for name in ("ok.sh", "bad.sh"):
        (bench.root / name).chmod(0o755)

    good, bad = bench.run("./ok.sh", "./bad.sh").results

    assert (good.passed, good.exit_code, good.tests, good.output_tail) == (True, 0, None, "fine")
    assert (bad.problem, bad.output_tail) == ("it ended with code 3", "why")


@pytest.mark.parametrize(
    ("name", "output", "problem"),
    [
        ("go", "?   x/y [no test files]", "no test was found"),
        ("go", "?   x/y [no test files]\nok  \tx/z\t0.01s", ""),
        ("cargo", "running 0 tests", "no test was found"),
        ("cargo", "running 0 tests\nrunning 3 tests", ""),
    ],
)
def test_go_and_cargo_without_tests_are_not_success(bench: Bench, name: str, output: str, problem: str) -> None:
    write_files(bench.main / ".venv" / "bin", {name: f"#!/bin/sh\nprintf '{output}'\n"})
    (bench.main / ".venv" / "bin" / name).chmod(0o755)

    assert bench.run(f"{name} test").results[0].problem == problem


def test_python_is_the_projects_own(bench: Bench) -> None:
    write_files(bench.root, {"where.py": "import sys; print(sys.prefix)\n"})

    assert bench.run("python where.py").results[0].output_tail == str(bench.main / ".venv")


def test_a_shell_is_never_started(bench: Bench) -> None:
    report = bench.run("touch made && true", "no-such-program -x")

    assert "without a shell" in report.results[0].problem
    assert report.results[1].problem == "the program 'no-such-program' was not found"
    assert not (bench.root / "made").exists()


def test_a_command_that_does_not_end_is_ended(bench: Bench) -> None:
    report = bench.run("sleep 30", seconds=0.2)

    assert (report.results[0].exit_code, report.results[0].problem) == (None, "it was ended after 0 seconds")


def test_every_command_runs_even_after_a_failure(bench: Bench) -> None:
    assert [r.passed for r in bench.run("false", "true").results] == [False, True]


def test_checks_run_in_the_folder_of_a_monorepo(bench: Bench) -> None:
    write_files(bench.root, {"api/lib.py": "WHERE = 'workspace'\n", "api/tests/test_a.py": USES})

    report = bench.run("pytest", cwd="api")

    assert report.passed, report.text


def test_a_check_leaves_nothing_behind_in_the_workspace(bench: Bench) -> None:
    write_files(bench.root, {"test_a.py": GOOD})
    bench.run("pytest -p no:cacheprovider")

    assert [p.name for p in bench.root.iterdir()] == ["test_a.py"]
