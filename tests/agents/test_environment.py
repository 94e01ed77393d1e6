import asyncio
import os
import sys
from pathlib import Path

import pytest

from stretto.agents.environment import ProjectEnvironment, find_environment
from stretto.agents.process import run as execute
from tests.agents.gitproject import write_files


def environment_in(folder: Path) -> Path:
    """What makes a folder a virtual environment for us: an executable bin/python."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    return folder


def program(folder: Path, name: str, script: str) -> None:
    write_files(folder, {name: f"#!/bin/sh\n{script}\n"})
    (folder / name).chmod(0o755)


def found(root: Path, cwd: Path | None = None, **environ: str) -> ProjectEnvironment:
    return asyncio.run(find_environment(root, cwd or root, {"PATH": os.defpath, **environ}, execute))


def kind_and_home(environment: ProjectEnvironment) -> tuple[str, Path | None]:
    return environment.kind, environment.home


def test_the_environment_of_the_project_comes_first(tmp_path: Path) -> None:
    home, other = environment_in(tmp_path / "p" / ".venv"), environment_in(tmp_path / "other")

    environment = found(tmp_path / "p", VIRTUAL_ENV=str(other))

    assert kind_and_home(environment) == (".venv", home)
    assert environment.python == home / "bin" / "python"


def test_a_folder_of_a_monorepo_has_its_own_environment_before_the_roots(tmp_path: Path) -> None:
    environment_in(tmp_path / ".venv")
    own = environment_in(tmp_path / "api" / "venv")
    (tmp_path / "web").mkdir()

    assert found(tmp_path, tmp_path / "api").home == own
    assert found(tmp_path, tmp_path / "web").home == tmp_path / ".venv"


def test_an_environment_above_the_checkout_is_somebody_elses(tmp_path: Path) -> None:
    environment_in(tmp_path / ".venv")
    (tmp_path / "p").mkdir()

    assert found(tmp_path / "p").kind == "none"


def test_uv_projects_are_named_and_may_put_their_environment_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").touch()
    chosen, usual = environment_in(tmp_path / "env"), environment_in(tmp_path / ".venv")

    assert kind_and_home(found(tmp_path)) == ("uv", usual)
    assert kind_and_home(found(tmp_path, UV_PROJECT_ENVIRONMENT="env")) == ("uv", chosen)


def test_the_active_environment_is_used_unless_it_is_strettos_own(tmp_path: Path) -> None:
    active = environment_in(tmp_path / "active")
    (tmp_path / "p").mkdir()

    assert kind_and_home(found(tmp_path / "p", VIRTUAL_ENV=str(active))) == ("VIRTUAL_ENV", active)
    assert found(tmp_path / "p", VIRTUAL_ENV=sys.prefix).kind == "none"


def test_poetry_is_asked_and_not_waited_for_in_vain(tmp_path: Path) -> None:
    home = environment_in(tmp_path / "cache" / "env-py3")
    write_files(tmp_path / "p", {"pyproject.toml": "[tool.poetry]\nname = 'p'\n"})
    program(tmp_path / "bin", "poetry", f'test "$1 $2" = "env info" && echo "{home}"')
    path = f"{tmp_path / 'bin'}:{os.defpath}"

    assert kind_and_home(found(tmp_path / "p", PATH=path)) == ("poetry", home)
    program(tmp_path / "bin", "poetry", "exit 1")
    assert found(tmp_path / "p", PATH=path).kind == "none"


def test_without_any_environment_it_is_the_python_on_path_but_not_strettos(tmp_path: Path) -> None:
    program(tmp_path / "bin", "python3", "true")
    own = Path(sys.prefix) / "bin"

    environment = found(tmp_path / "p", PATH=f"{own}:{tmp_path / 'bin'}")

    assert environment.python == tmp_path / "bin" / "python3"
    assert str(own) not in environment.base["PATH"]


def test_no_python_at_all_is_none(tmp_path: Path) -> None:
    assert found(tmp_path, PATH=str(tmp_path)).python is None


def test_commands_look_in_the_workspace_first_and_nothing_leads_elsewhere(tmp_path: Path) -> None:
    main, root = tmp_path / "main", tmp_path / "work"
    home = environment_in(main / ".venv")
    write_files(main, {"api/node_modules/.bin/tsc": ""})
    write_files(root, {"src/x.py": "", "api/src/y.py": ""})
    leaking = {
        "PYTHONPATH": str(main / "src"),
        "GIT_DIR": "/x",
        "PYTHONHOME": "/x",
        "PYTEST_PLUGINS": "evil",
        "KEPT": "1",
    }

    env = found(main, main / "api", **leaking).variables(root, root / "api")

    assert env["PYTHONPATH"].split(":") == [str(root / f) for f in ("api/src", "api", "src", ".")]
    assert env["PATH"].split(":")[:2] == [str(home / "bin"), str(main / "api" / "node_modules" / ".bin")]
    assert (env["VIRTUAL_ENV"], env["PYTHONDONTWRITEBYTECODE"], env["KEPT"]) == (str(home), "1", "1")
    assert not {"GIT_DIR", "PYTHONHOME", "PYTEST_PLUGINS"} & set(env)


def test_import_roots_of_an_editable_install_are_found_in_the_workspace_too(tmp_path: Path) -> None:
    main, root = tmp_path / "main", tmp_path / "work"
    packages = environment_in(main / ".venv") / "lib" / "python3.11" / "site-packages"
    lines = f"import os\n# {main}\n{main / 'python'}\n{tmp_path / 'elsewhere'}\n"
    write_files(packages, {"__editable__.p.pth": lines})
    write_files(main, {"python/p.py": ""})
    write_files(root, {"python/p.py": ""})

    environment = found(main)

    assert environment.roots == ("python",)
    assert str(root / "python") in environment.variables(root, root)["PYTHONPATH"].split(":")


@pytest.mark.parametrize("name", ["src", "python"])
def test_folders_that_are_not_there_are_not_on_the_import_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "work").mkdir()

    env = found(tmp_path).variables(tmp_path / "work", tmp_path / "work")

    assert env["PYTHONPATH"] == str(tmp_path / "work")
