"""Where a project begins, and where its store is. Paths are texts: `pathlib` would double the time of a hook."""

import os

from stretto.state.errors import BadInput

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

EVENTS = "events.db"
WORK = "work"
HOME = ".stretto"
SETTINGS = "config.toml"


def project_around(start: str) -> str:
    """The top of the git work tree around the absolute path `start`, or `start` itself where there is none."""
    folder = start
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return start
        folder = parent
    return folder


def store_of(project: str, override: str | None, environ: "Mapping[str, str]") -> str:
    """Where the store is: `override` (`--store`), else `STRETTO_STORE`, else `.stretto/state` in the project.

    An attempt's workspace belongs to the store that it lies in, so that an agent at work there finds its order.

    Raises:
        BadInput: The name begins with `~` and a user that there is not.
    """
    named = override or environ.get("STRETTO_STORE")
    if not named:
        around = os.path.dirname(os.path.dirname(project))
        store = os.path.dirname(around)
        lies_in_one = os.path.basename(around) == WORK and os.path.isfile(os.path.join(store, EVENTS))
        return store if lies_in_one else os.path.join(project, HOME, "state")
    path = os.path.expanduser(named)
    if path.startswith("~"):
        raise BadInput(f"The store {named!r} cannot be found: there is no such user.", field="store")
    return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
