"""The store: the folder in which a project's workflows survive, and what lies where in it."""

import os
from collections.abc import Mapping
from pathlib import Path

from stretto.state.errors import BadInput, StrettoError

EVENTS = "events.db"
CHECKPOINTS = "checkpoints"
CACHE = "cache"
WORK = "work"
LOGS = "logs"

_HOME = ".stretto"
_IGNORED = "/state/\n/.gitignore\n"


def find_project(start: Path) -> Path:
    """The top of the git work tree around `start`, or `start` itself where there is none. Git is not called."""
    start = start.absolute()
    return next((f for f in (start, *start.parents) if (f / ".git").exists()), start)


def store_directory(project: Path, override: str | None, environ: Mapping[str, str]) -> Path:
    """Where the store is: `override` (`--store`), else `STRETTO_STORE`, else `.stretto/state` in the project.

    An attempt's workspace belongs to the store that it lies in, so that an agent at work there finds its order.

    Raises:
        BadInput: The name begins with `~` and a user that there is not.
    """
    named = override or environ.get("STRETTO_STORE")
    if not named:
        around = project.parent.parent
        lies_in_one = around.name == WORK and (around.parent / EVENTS).is_file()
        return around.parent if lies_in_one else project / _HOME / "state"
    try:
        return Path(named).expanduser().absolute()
    except RuntimeError as error:
        raise BadInput(f"The store {named!r} cannot be found: {error}", field="store") from error


def create(directory: Path) -> None:
    """Make the store's folder, readable for its owner alone; one that is there stays as it is.

    In its default place it is kept out of git by a `.gitignore` of its own beside it, which ignores itself too: the
    project's own one is never edited, and `git status` stays clean.

    Raises:
        StrettoError: The folder cannot be made or written, or the default place is a link that leads elsewhere: a
            cloned repository must not choose where we write.
    """
    default = directory.parent.name == _HOME and directory.name == "state"
    if default and directory.resolve() != directory.parent.parent.resolve() / _HOME / "state":
        raise StrettoError(
            f"The store {str(directory)!r} is a link to {str(directory.resolve())!r}; nothing was written.",
            next_steps=("Remove the link, or name the place with --store DIR or STRETTO_STORE.",),
        )
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
        if default:
            _ignore(directory.parent / ".gitignore")
    except OSError as error:
        raise _unusable(directory, error.strerror or str(error)) from error
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(directory, "it is not writable")


def _ignore(path: Path) -> None:
    """Write the file unless there is one: then it is the user's."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(_IGNORED)
    except FileExistsError:
        return


def _unusable(directory: Path, why: str) -> StrettoError:
    return StrettoError(
        f"The store {str(directory)!r} cannot be used: {why}. Nothing was written.",
        next_steps=("Make the folder writable, or name another with --store DIR or STRETTO_STORE.",),
    )
