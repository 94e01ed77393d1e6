"""The distribution: complete, nothing more, and working where only the wheel is installed."""

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("testing", "commands", "packs", "graph", "agents", "state")
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", "__pycache__", "build", "dist", "*.egg-info", ".*_cache", ".hypothesis", ".stretto", ".demo"
)
LOADS_EVERYTHING = """
import importlib, sys
from importlib.metadata import entry_points
from pathlib import Path
import stretto.agents
from stretto.agents.roles import ROLES, load_role
from stretto.commands.cli import VERBS
from stretto.commands.handlers import HANDLERS
from stretto.commands.help import command_help
from stretto.graph.template import list_templates

assert Path(stretto.agents.__file__).is_relative_to(sys.argv[1]), stretto.agents.__file__
for role in ROLES:
    load_role(role)
for name in (*HANDLERS, *VERBS):
    command_help(name, HANDLERS)
for module in HANDLERS.values():
    assert importlib.import_module(f"stretto.commands.{module}").handle
print(*(t.name for t in list_templates(None) if not t.error))
(script,) = (e for e in entry_points(group="console_scripts") if e.name == "stretto")
sys.exit(script.load()(["--version"]))
"""


def project() -> dict[str, Any]:
    data: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return data


def in_rooms() -> set[str]:
    """Every file of the folders, by the name that it has in a wheel."""
    files = (path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file())
    return {f"stretto/{p.relative_to(ROOT).as_posix()}" for p in files if "__pycache__" not in p.parts}


class Built(NamedTuple):
    """What a clean copy of the repository builds to."""

    wheel: Path
    sdist: Path
    wheel_of_sdist: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("packaging")
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=LEFT_OUT)
    build(folder / "source", folder / "direct", "--wheel")
    build(folder / "source", folder / "dist")  # a source distribution, and a wheel of that
    (direct,), (sdist,), (indirect,) = (
        list((folder / where).glob(what))
        for where, what in (("direct", "*.whl"), ("dist", "*.tar.gz"), ("dist", "*.whl"))
    )
    return Built(direct, sdist, indirect)


def build(source: Path, target: Path, *options: str) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), *options, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    warned = [line for line in (done.stdout + done.stderr).splitlines() if "Warning" in line]
    assert warned == []


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(built: Built) -> None:
    files = contents(built.wheel)

    metadata = {name for name in files if name.startswith(f"stretto-{project()['project']['version']}.dist-info/")}
    assert set(files) - metadata == in_rooms()
    assert {name.rpartition("/")[2] for name in metadata} == {
        "LICENSE",
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "top_level.txt",
    }


@pytest.mark.slow
def test_the_source_distribution_makes_the_same_wheel(built: Built) -> None:
    assert contents(built.wheel_of_sdist) == contents(built.wheel)

    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml"} <= names


@pytest.mark.slow
def test_what_is_installed_from_the_wheel_works_without_the_checkout(built: Built, tmp_path: Path) -> None:
    """A wheel of pure Python is installed by unpacking it; -S keeps this checkout's editable install out."""
    with zipfile.ZipFile(built.wheel) as archive:
        archive.extractall(tmp_path / "site")
    environment = {"PYTHONPATH": f"{tmp_path / 'site'}:{sysconfig.get_paths()['purelib']}", "PATH": ""}

    def python(*arguments: str) -> str:
        command = [sys.executable, "-S", "-W", "error", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    version = project()["project"]["version"]
    templates = {p.stem for p in (ROOT / "graph" / "templates").glob("*.yaml")}
    told = python("-c", LOADS_EVERYTHING, str(tmp_path / "site")).splitlines()
    assert set(told[0].split()) == templates
    assert told[1] == f"stretto {version}"
    assert python("-m", "stretto.commands", "--version") == f"stretto {version}\n"
    assert "stretto orchestrate" in python("-m", "stretto.commands", "orchestrate", "--help")
    assert python("-m", "stretto.commands", "workflow-status").startswith("No workflow has run here yet.")


def test_the_packages_are_mapped_from_the_root_folders() -> None:
    setuptools = project()["tool"]["setuptools"]

    assert setuptools["packages"] == [f"stretto.{room}" for room in ROOMS]
    assert setuptools["package-dir"] == {f"stretto.{room}": room for room in ROOMS}
    assert not any((ROOT / room / "py.typed").read_bytes() for room in ROOMS)


def test_every_supported_python_has_its_classifier() -> None:
    told = project()["project"]

    versions = [
        c.rpartition(" ")[2] for c in told["classifiers"] if c.startswith("Programming Language :: Python :: 3.")
    ]
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
    assert told["requires-python"] == f">={versions[0]}"
    assert project()["tool"]["ruff"]["target-version"] == "py311"


def test_every_dependency_and_every_tool_has_a_version_in_the_constraints() -> None:
    told = project()["project"]
    listed = [*told["dependencies"], *(d for extra in told["optional-dependencies"].values() for d in extra)]
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {line.partition("==")[0].lower() for line in lines if line and not line.startswith("#")}

    names = {name_of(requirement) for requirement in listed}

    assert sorted(names - pinned - {told["name"]}) == []


def name_of(requirement: str) -> str:
    end = next((i for i, c in enumerate(requirement) if not (c.isalnum() or c in "-_.")), len(requirement))
    return requirement[:end].lower()
