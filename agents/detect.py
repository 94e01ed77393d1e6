"""Which command runs the tests of a project."""

import json
import re
import tomllib
from collections.abc import Callable
from configparser import ConfigParser
from configparser import Error as ConfigError
from pathlib import Path
from typing import Any, NamedTuple

from stretto.agents.environment import ProjectEnvironment
from stretto.agents.execute import Execute

_SECONDS = 30.0


class Detected(NamedTuple):
    """A command and the reason why it is this one."""

    command: str
    why: str


async def detect_test_command(
    cwd: Path, environment: ProjectEnvironment, execute: Execute, configured: str = ""
) -> Detected | None:
    """The command that runs the tests of the project in `cwd`, or None if nothing there tells.

    What is configured comes first, then Python, npm, Cargo, Go and make, in this order. A Python project whose
    environment has no pytest, with tests written for unittest, is run by unittest.
    """
    if configured:
        return Detected(configured, "it is configured")
    if why := _pytest(cwd):
        return await _python(cwd, environment, execute, why)
    return next((Detected(command, why) for command, look in _OTHERS if (why := look(cwd))), None)


async def _python(cwd: Path, environment: ProjectEnvironment, execute: Execute, why: str) -> Detected:
    if await _has_pytest(cwd, environment, execute) or not _unittest_style(cwd):
        return Detected("pytest", why)
    start = " -s tests -t ." if (cwd / "tests" / "__init__.py").is_file() else " -s tests"
    where = start if any((cwd / "tests").glob("test*.py")) else ""
    return Detected(f"python -m unittest discover{where}", f"{why}, and the environment has no pytest")


async def _has_pytest(cwd: Path, environment: ProjectEnvironment, execute: Execute) -> bool:
    if environment.python is None:
        return False
    looked = await execute(
        [str(environment.python), "-c", "import pytest"], cwd=cwd, env=environment.base, timeout=_SECONDS
    )
    return looked.exit_code == 0


def _pytest(cwd: Path) -> str:
    project = _toml(cwd / "pyproject.toml")
    if "pytest" in project.get("tool", {}):
        return "pyproject.toml configures pytest"
    for name in ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini"):
        if (cwd / name).is_file():
            return f"there is a {name}"
    for name, section in (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        if _has_section(cwd / name, section):
            return f"{name} configures pytest"
    return next((f"there is {f.relative_to(cwd).as_posix()}" for f in _test_files(cwd)), "")


def _test_files(cwd: Path) -> list[Path]:
    places = (cwd / "tests", cwd / "test")
    nested = (f for place in places for glob in ("test_*.py", "*_test.py") for f in sorted(place.rglob(glob)))
    return [*nested, *sorted(cwd.glob("test_*.py"))]


def _unittest_style(cwd: Path) -> bool:
    return any("unittest" in f.read_text("utf-8", "replace") for f in _test_files(cwd)[:50])


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _has_section(path: Path, section: str) -> bool:
    parser = ConfigParser(interpolation=None, strict=False)
    try:
        return path.is_file() and bool(parser.read(path, "utf-8")) and parser.has_section(section)
    except (ConfigError, ValueError):
        return False


def _npm(cwd: Path) -> str:
    try:
        script = str(json.loads((cwd / "package.json").read_text("utf-8"))["scripts"]["test"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return "" if "no test specified" in script else "package.json has a test script"


def _file(name: str) -> Callable[[Path], str]:
    return lambda cwd: f"there is a {name}" if (cwd / name).is_file() else ""


def _make(cwd: Path) -> str:
    for name in ("GNUmakefile", "makefile", "Makefile"):
        if (cwd / name).is_file() and re.search(
            r"^test\s*::?(?!=)", (cwd / name).read_text("utf-8", "replace"), re.MULTILINE
        ):
            return f"{name} has a target 'test'"
    return ""


_OTHERS: tuple[tuple[str, Callable[[Path], str]], ...] = (
    ("npm test", _npm),
    ("cargo test", _file("Cargo.toml")),
    ("go test ./...", _file("go.mod")),
    ("make test", _make),
)
