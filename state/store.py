"""The store: the folder in which a project's workflows survive, and what lies where in it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from stretto.state import folders, places
from stretto.state.errors import StrettoError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

EVENTS = places.EVENTS
CHECKPOINTS = "checkpoints"
CACHE = "cache"
WORK = places.WORK
LOGS = "logs"

_IGNORED = "/state/\n/.gitignore\n"


def find_project(start: Path) -> Path:
    """The top of the git work tree around `start`, or `start` itself where there is none. Git is not called."""
    from pathlib import Path  # here: the quick doors import this module

    return Path(places.project_around(str(start.absolute())))


def store_directory(project: Path, override: str | None, environ: Mapping[str, str]) -> Path:
    """Where the store of a project is: see `places.store_of`.

    Raises:
        BadInput: The name begins with `~` and a user that there is not.
    """
    from pathlib import Path

    return Path(places.store_of(str(project), override, environ))


def is_strict(directory: Path | str) -> bool:
    """Whether the project around a store in its default place wants a strict log; elsewhere, the caller has to say.

    Raises:
        BadInput: Its settings say something about it, and are wrong.
    """
    home, name = os.path.split(os.path.abspath(directory))
    if (os.path.basename(home), name) != (places.HOME, "state"):
        return False
    try:
        with open(os.path.join(home, places.SETTINGS), "rb") as file:
            if b"strict" not in file.read():
                return False
    except OSError:
        return False
    from pathlib import Path

    from stretto.state.settings import load  # here: the quick doors import this module

    return load(Path(home).parent).strict


def create(directory: Path | str) -> None:
    """Make the store's folder, readable for its owner alone; one that is there stays as it is.

    In its default place it is kept out of git by a `.gitignore` of its own beside it, which ignores itself too: the
    project's own one is never edited, and `git status` stays clean.

    Raises:
        StrettoError: The folder cannot be made or written, or the default place is a link that leads elsewhere: a
            cloned repository must not choose where we write.
    """
    path = os.path.abspath(directory)
    around, name = os.path.split(path)
    default = os.path.basename(around) == places.HOME and name == "state"
    project = os.path.realpath(os.path.dirname(around))
    if default and os.path.realpath(path) != os.path.join(project, places.HOME, "state"):
        raise StrettoError(
            f"The store {path!r} is a link to {os.path.realpath(path)!r}; nothing was written.",
            next_steps=("Remove the link, or name the place with --store DIR or STRETTO_STORE.",),
        )
    try:
        os.makedirs(around, exist_ok=True)
        os.makedirs(path, 0o700, exist_ok=True)
        if default:
            _ignore(path)
    except OSError as error:
        raise _unusable(path, error) from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(path, OSError("it is not writable"))


def _ignore(directory: str) -> None:
    """Write the `.gitignore` unless there is one: then it is the user's."""
    path = os.path.join(os.path.dirname(directory), ".gitignore")
    if not os.path.lexists(path):
        folders.write(path, _IGNORED, os.path.join(directory, "gitignore"))


def _unusable(directory: str, why: OSError) -> StrettoError:
    step = "Make the folder writable, or name another with --store DIR or STRETTO_STORE."
    return folders.refusal(why, f"The store {directory!r} cannot be used", step)
