import asyncio
import os
import sys
from pathlib import Path

import pytest

from stretto.agents.detect import Detected, detect_test_command
from stretto.agents.environment import ProjectEnvironment
from stretto.agents.process import run as execute
from tests.agents.gitproject import write_files

UNITTEST = "import unittest\nclass T(unittest.TestCase):\n    def test_x(self): pass\n"


def detected(cwd: Path, *, pytest_there: bool = True, configured: str = "") -> Detected | None:
    """`sys.executable` has pytest; under -I -S its packages are out of reach."""
    python = Path(sys.executable)
    if not pytest_there:
        python = cwd.parent / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
        python.chmod(0o755)
    environment = ProjectEnvironment(python=python, kind="none", home=None, main=cwd, base={"PATH": os.defpath})
    return asyncio.run(detect_test_command(cwd, environment, execute, configured))


@pytest.mark.parametrize(
    ("files", "command", "why"),
    [
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, "pytest", "pyproject.toml"),
        ({"pytest.ini": "[pytest]\n"}, "pytest", "pytest.ini"),
        ({"tox.ini": "[pytest]\n"}, "pytest", "tox.ini"),
        ({"setup.cfg": "[tool:pytest]\n"}, "pytest", "setup.cfg"),
        ({"tests/unit/test_a.py": ""}, "pytest", "tests/unit/test_a.py"),
        ({"test_a.py": "", "package.json": '{"scripts": {"test": "jest"}}'}, "pytest", "test_a.py"),
        ({"package.json": '{"scripts": {"test": "jest"}}'}, "npm test", "package.json"),
        ({"Cargo.toml": ""}, "cargo test", "Cargo.toml"),
        ({"go.mod": ""}, "go test ./...", "go.mod"),
        ({"Makefile": "build:\n\ttrue\ntest: build\n\ttrue\n"}, "make test", "Makefile"),
    ],
)
def test_what_lies_in_the_project_tells_the_command(
    tmp_path: Path, files: dict[str, str], command: str, why: str
) -> None:
    write_files(tmp_path / "p", files)

    found = detected(tmp_path / "p")

    assert found is not None
    assert found.command == command
    assert why in found.why


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"pyproject.toml": "[project]\n", "tox.ini": "[tox]\n", "setup.cfg": "broken ["},
        {"pyproject.toml": "not toml ["},
        {"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'},
        {"package.json": "[1]"},
        {"Makefile": "test-all:\n\ttrue\ntest := 1\n"},
    ],
)
def test_nothing_that_tells_is_no_command(tmp_path: Path, files: dict[str, str]) -> None:
    write_files(tmp_path / "p", {"README.md": "x", **files})

    assert detected(tmp_path / "p") is None


def test_what_is_configured_wins(tmp_path: Path) -> None:
    write_files(tmp_path / "p", {"pytest.ini": "[pytest]\n"})

    assert detected(tmp_path / "p", configured="make check") == ("make check", "it is configured")


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("test_a.py", "python -m unittest discover"),
        ("tests/test_a.py", "python -m unittest discover -s tests"),
        ("tests/__init__.py", "python -m unittest discover -s tests -t ."),
    ],
)
def test_without_pytest_unittest_runs_tests_written_for_it(tmp_path: Path, path: str, command: str) -> None:
    write_files(tmp_path / "p", {path: UNITTEST, **({"tests/test_a.py": UNITTEST} if "init" in path else {})})

    found = detected(tmp_path / "p", pytest_there=False)

    assert found is not None
    assert found.command == command
    assert "no pytest" in found.why


def test_without_pytest_tests_written_for_pytest_still_name_it(tmp_path: Path) -> None:
    write_files(tmp_path / "p", {"test_a.py": "def test_x(): pass\n"})

    found = detected(tmp_path / "p", pytest_there=False)

    assert found is not None
    assert found.command == "pytest"
