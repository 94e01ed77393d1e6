"""The project's own environment: which Python its tests run with, and how commands find the workspace's code first."""

import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stretto.agents.execute import Execute
from stretto.agents.git import environment as without_git

Kind = Literal[".venv", "VIRTUAL_ENV", "uv", "poetry", "none"]

_POETRY_SECONDS = 20.0
_DROPPED = frozenset(
    {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTEST_PLUGINS", "PYTEST_CURRENT_TEST", "CONDA_PREFIX"}
)
"""They would bring in code or plugins of another project, the main checkout's for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectEnvironment:
    """What the project's commands run with.

    `main` is the root of the main checkout, `home` the folder of the virtual environment (None for kind `none`),
    `base` the variables that commands start from, `roots` the folders of `main` (relative) from which an editable
    install imports.
    """

    python: Path | None
    kind: Kind
    home: Path | None
    main: Path
    base: Mapping[str, str]
    roots: tuple[str, ...] = ()

    def variables(self, root: Path, cwd: Path) -> dict[str, str]:
        """The whole environment for a command in the workspace `root`, run in its folder `cwd`.

        Imports look in the workspace before anywhere else: `src` and the folder itself, of `cwd` and of `root`, and
        wherever an editable install of the main checkout would look there.
        """
        folders = [cwd / "src", cwd, root / "src", root, *(root / r for r in self.roots)]
        present = list(dict.fromkeys(str(f) for f in folders if f.is_dir()))
        own = {"PYTHONPATH": os.pathsep.join(present), "PYTHONDONTWRITEBYTECODE": "1"}
        if self.home is not None:
            own["VIRTUAL_ENV"] = str(self.home)
        return {**self.base, **own, "PATH": os.pathsep.join(self._path(root, cwd))}

    def _path(self, root: Path, cwd: Path) -> Iterator[str]:
        if self.home is not None:
            yield str(self.home / "bin")
        for folder in (self.main / cwd.relative_to(root), self.main):
            if (folder / "node_modules" / ".bin").is_dir():
                yield str(folder / "node_modules" / ".bin")
        yield self.base.get("PATH", os.defpath)


async def find_environment(
    project_root: Path, cwd: Path, environ: Mapping[str, str], execute: Execute
) -> ProjectEnvironment:
    """Find the environment of the project in the folder `cwd` of the main checkout `project_root`. Offline.

    `environ` is what commands inherit, secrets already removed; `execute` starts `poetry`, where that is asked.
    In this order: `.venv` or `venv` (or UV_PROJECT_ENVIRONMENT) in `cwd` or above it in the checkout, VIRTUAL_ENV
    unless it is Stretto's own, what poetry says, `python3` on PATH.
    """
    base = {k: v for k, v in without_git(environ).items() if k not in _DROPPED and not k.startswith("GIT_")}
    base["PATH"] = _without_own(base.get("PATH", os.defpath), project_root)
    kind, home = _in_project(project_root, cwd, environ) or _active(project_root, environ) or ("none", None)
    if home is None and (found := await _poetry(cwd, base, execute)):
        kind, home = "poetry", found
    python = home / "bin" / "python" if home else _on_path(base["PATH"])
    roots = tuple(editable_roots(home, project_root)) if home else ()
    return ProjectEnvironment(python=python, kind=kind, home=home, main=project_root, base=base, roots=roots)


def _folders(project_root: Path, cwd: Path) -> list[Path]:
    return [f for f in (cwd, *cwd.parents) if f.is_relative_to(project_root)]


def _in_project(project_root: Path, cwd: Path, environ: Mapping[str, str]) -> tuple[Kind, Path] | None:
    chosen = environ.get("UV_PROJECT_ENVIRONMENT", "")
    for folder in _folders(project_root, cwd):
        if chosen and (folder / "uv.lock").is_file() and _is_environment(folder / chosen):
            return "uv", folder / chosen
        for name in (".venv", "venv"):
            if _is_environment(folder / name):
                return ("uv" if (folder / "uv.lock").is_file() else ".venv"), folder / name
    return None


def _is_environment(folder: Path) -> bool:
    return os.access(folder / "bin" / "python", os.X_OK)


def _active(project_root: Path, environ: Mapping[str, str]) -> tuple[Kind, Path] | None:
    home = Path(environ.get("VIRTUAL_ENV", "") or os.devnull)
    own = home.resolve() == Path(sys.prefix).resolve() and not home.resolve().is_relative_to(project_root)
    return None if own or not _is_environment(home) else ("VIRTUAL_ENV", home)


async def _poetry(cwd: Path, base: Mapping[str, str], execute: Execute) -> Path | None:
    project = cwd / "pyproject.toml"
    uses = (cwd / "poetry.lock").is_file() or (
        project.is_file() and "[tool.poetry" in project.read_text("utf-8", "replace")
    )
    program = shutil.which("poetry", path=base["PATH"])
    if not uses or program is None:
        return None
    said = await execute([program, "env", "info", "--path"], cwd=cwd, env=base, timeout=_POETRY_SECONDS)
    home = Path(said.stdout.decode(errors="replace").strip() or os.devnull)
    return home if said.exit_code == 0 and _is_environment(home) else None


def _without_own(path: str, project_root: Path) -> str:
    """PATH without the environment that Stretto itself is installed in, where that is not the project's."""
    own = Path(sys.prefix) / "bin"
    if sys.prefix == sys.base_prefix or own.is_relative_to(project_root):
        return path
    return os.pathsep.join(p for p in path.split(os.pathsep) if p and Path(p).resolve() != own.resolve())


def _on_path(path: str) -> Path | None:
    found = shutil.which("python3", path=path) or shutil.which("python", path=path)
    return Path(found) if found else None


def editable_roots(home: Path, main: Path) -> list[str]:
    """The folders of `main`, relative, that a `.pth` file of the environment puts on its import path."""
    lines = (
        line.strip()
        for file in sorted(home.glob("lib*/python*/site-packages/*.pth"))
        for line in file.read_text("utf-8", "replace").splitlines()
    )
    places = (Path(line) for line in lines if line and not re.match(r"#|import[ \t]", line))
    inside = (p.resolve() for p in places if p.is_absolute() and p.resolve().is_relative_to(main.resolve()))
    return list(dict.fromkeys(p.relative_to(main.resolve()).as_posix() for p in inside))
