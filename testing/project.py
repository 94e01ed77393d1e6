"""Scratch projects: a git repository for one test, made of a folder or of texts."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from stretto.agents.git import Git
from stretto.commands.scenario_ground import commit, give_python
from stretto.state.errors import BadInput

Files = Mapping[str, str] | str | PathLike[str]
"""Texts by their paths in the project, or a folder to copy."""
MakeProject = Callable[[Files], "ScratchProject"]
_LEFT_OUT = frozenset({".git", ".venv", "__pycache__", ".pytest_cache"})
_IGNORED = ".venv/\n__pycache__/\n.pytest_cache/\n"


class ScratchProject(NamedTuple):
    """A git repository on `main`, with one commit and a Python that is the test's own. It goes after the test."""

    path: Path

    def read(self, path: str) -> str:
        """The text of a file of it."""
        return (self.path / path).read_text("utf-8")

    def files(self) -> dict[str, str]:
        """The texts of the files that git tracks, by their paths. Those that are no text are left out."""
        found: dict[str, str] = {}
        for name in self.git("ls-files", "-z").split("\0"):
            place = self.path / name
            if name and place.is_file() and (text := _text(place)) is not None:
                found[name] = text
        return found

    def git(self, *words: str) -> str:
        """What git says in it.

        Raises:
            GitError: git refused.
        """
        return asyncio.run(Git(self.path).run(*words)).decode("utf-8", "replace")


def make(root: Path, files: Files) -> ScratchProject:
    """Make a scratch project in the empty or missing folder `root`.

    Raises:
        BadInput: `files` names no folder, or a path that leads out of the project.
        StrettoError: git refused.
    """
    texts: Mapping[str, str] = {}
    if isinstance(files, Mapping):
        texts = files
        for path in texts:
            _inside(root, path)
        root.mkdir(parents=True, exist_ok=True)
    else:
        if not Path(files).is_dir():
            raise BadInput(f"There is no folder {str(files)!r} to make a scratch project of.", field="files")
        shutil.copytree(files, root, ignore=_left_out, dirs_exist_ok=True)
    asyncio.run(commit(root, texts))
    exclude = root / ".git" / "info" / "exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text(_IGNORED, "utf-8")
    give_python(root)
    return ScratchProject(root)


def _inside(root: Path, path: str) -> None:
    if not (root / path).resolve().is_relative_to(root.resolve()) or ".git" in Path(path).parts:
        raise BadInput(f"{path!r} is no path of a file in a scratch project.", field="files")


def _left_out(folder: str, names: list[str]) -> set[str]:
    """What is not copied: what git does not keep, and the store of the project."""
    return {n for n in names if n in _LEFT_OUT or (n == "state" and Path(folder).name == ".stretto")}


def _text(place: Path) -> str | None:
    try:
        return place.read_text("utf-8")
    except UnicodeError:
        return None
