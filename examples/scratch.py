"""Make a scratch copy of an example project, with its git history and an environment that has pytest.

    python examples/scratch.py jwt-api /tmp/notes

The commits of `<name>/history.toml` are made with fixed dates and identities and without the user's git settings, so a
commit's id says which project it is. No .git folder needs to live inside this repository for that.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from stretto.state.errors import BadInput, StrettoError

EXAMPLES = Path(__file__).resolve().parent
# Whatever the user has set would change the commits (a signature, line ends, hooks), so none of it is read.
_SETTINGS = ("core.autocrlf=false", "core.fileMode=false", "core.hooksPath=/dev/null", "commit.gpgSign=false")


class Commit(NamedTuple):
    """One commit: the files that it adds, as they are at the end."""

    date: str
    message: str
    files: tuple[str, ...]


class History(NamedTuple):
    """What `history.toml` says. `author` is `Name <address>`."""

    author: str
    branch: str
    commits: tuple[Commit, ...]


def names() -> list[str]:
    """The example projects."""
    return sorted(path.parent.name for path in EXAMPLES.glob("*/history.toml"))


def history(name: str) -> History:
    """The history of an example project.

    Raises:
        BadInput: There is no such project.
    """
    if name not in names():
        raise BadInput(f"There is no example project {name!r}.", field="name", allowed=names())
    data = tomllib.loads((EXAMPLES / name / "history.toml").read_text(encoding="utf-8"))
    commits = (Commit(c["date"], c["message"], tuple(c["files"])) for c in data["commits"])
    return History(data["author"], data["branch"], tuple(commits))


def make_project(name: str, target: Path) -> Path:
    """Copy an example project to `target` with its git history, and return the target.

    Raises:
        BadInput: There is no such project, or the target is there and not an empty folder.
    """
    told = history(name)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BadInput(f"The target {str(target)!r} is there already, and nothing of it was changed.", field="target")
    target.mkdir(parents=True, exist_ok=True)
    _git(target, ["init", "--quiet", "--template=", f"--initial-branch={told.branch}"])
    for commit in told.commits:
        for file in commit.files:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(EXAMPLES / name / "project" / file, target / file)
        _git(target, ["add", "--force", "--", *commit.files])
        _git(target, ["commit", "--quiet", f"--message={commit.message}"], _identity(told.author, commit.date))
    return target


def make_environment(project: Path) -> Path:
    """Give a copy its `.venv`, with pytest and nothing else, and return it. Offline: the packages are links to ours.

    Raises:
        BadInput: pytest is not installed here.
    """
    folder = project / ".venv"
    venv.EnvBuilder(symlinks=True).create(folder)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    for package in _with_what_it_needs("pytest"):
        for top in {file.parts[0] for file in package.files or ()} - {"..", "__pycache__"}:
            (site / top).symlink_to(Path(str(package.locate_file(top))).resolve())
    return folder


def _with_what_it_needs(name: str) -> Iterator[Distribution]:
    found: dict[str, Distribution] = {}
    waiting = [name]
    while waiting:
        name = waiting.pop()
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            if not found:
                raise BadInput(
                    f"The tests of the examples need {name}, and it is not installed here.",
                    field="environment",
                    next_steps=(f"{sys.executable} -m pip install {name}",),
                ) from None
            continue  # needed on other systems only
        named = [re.split(r"[^A-Za-z0-9_.-]", need)[0] for need in found[name].requires or () if "extra ==" not in need]
        waiting += [need for need in named if need not in found]
    yield from found.values()


def _identity(author: str, date: str) -> dict[str, str]:
    who, _, address = author.removesuffix(">").partition(" <")
    facts = {"NAME": who, "EMAIL": address, "DATE": date}
    return {f"GIT_{part}_{key}": value for part in ("AUTHOR", "COMMITTER") for key, value in facts.items()}


def _git(folder: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    isolated = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_DEFAULT_HASH": "sha1"}
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    subprocess.run(
        ["git", *settings, *arguments], cwd=folder, env={**inherited, **isolated, **(environment or {})}, check=True
    )


def refused(error: StrettoError) -> int:
    """Say on stderr what was wrong and what is possible, and return the exit code."""
    allowed = error.details.get("allowed", ())
    print("\n".join([error.message, *(f"  {name}" for name in allowed), *error.next_steps]), file=sys.stderr)
    return error.exit_code


def main(argv: Sequence[str]) -> int:
    """Make the project that the command line names. Returns the exit code."""
    if len(argv) != 2:
        print(f"usage: python examples/scratch.py {'|'.join(names())} DIRECTORY", file=sys.stderr)
        return 2
    try:
        project = make_project(argv[0], Path(argv[1]))
        make_environment(project)
        print(project)
    except StrettoError as error:
        return refused(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
