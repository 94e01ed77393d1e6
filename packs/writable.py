"""The places of a project that a pack's handler may write to, as its `capabilities.paths` name them.

A folder is opened whole, with what is created in it. Any other pattern opens the files that it matches now. What leads
out of the project, into `.git` or into `.stretto`, by a link too, is opened by nothing.
"""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from stretto.agents.paths import covers

_OURS = (".git", ".stretto")
_GLOB = re.compile(r"[*?\[]")


@contextmanager
def opened(project: Path, paths: Sequence[str]) -> Generator[list[str]]:
    """The real paths to be opened; those that are not there yet are made, and taken away again if they stay empty."""
    found: dict[str, None] = {}
    made: list[Path] = []
    try:
        for path in paths:
            for place in _places(project, path, made):
                real = place.resolve()
                if real.exists() and _inside(project, real):
                    found[str(real)] = None
        yield [*found]
    finally:
        for place in reversed(made):
            with suppress(OSError):  # a folder that is not empty stays
                if place.is_dir():
                    place.rmdir()
                elif place.stat().st_size == 0:
                    place.unlink()


def _places(project: Path, path: str, made: list[Path]) -> list[Path]:
    folder = path.removesuffix("**").rstrip("/") if path.endswith(("/", "/**")) or path == "**" else path
    if path == "**" or not folder:
        return [entry for entry in project.iterdir() if entry.name not in _OURS]
    if _GLOB.search(folder):
        return [
            entry
            for entry in project.glob(f"{folder}/**/*" if folder != path else path)
            if entry.is_file() and covers(path, entry.relative_to(project).as_posix())
        ]
    place = project / folder
    if _inside(project, place.resolve()) and not place.exists():
        _make(project, place, folder=folder != path or not place.suffix, made=made)
    return [place]


def _make(project: Path, place: Path, *, folder: bool, made: list[Path]) -> None:
    missing = [above for above in place.parents if above != project and not above.exists() and project in above.parents]
    for above in reversed(missing):
        above.mkdir()
        made.append(above)
    place.mkdir() if folder else place.touch(exist_ok=False)
    made.append(place)


def _inside(project: Path, real: Path) -> bool:
    if real == project or not real.is_relative_to(project):
        return False
    return real.relative_to(project).parts[0] not in _OURS and ".git" not in real.relative_to(project).parts
