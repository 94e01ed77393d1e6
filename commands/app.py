"""App: what every handler is given beside its invocation. Standard library only, for the quick doors."""

from __future__ import annotations

import os
import time

from stretto.commands.invocation import Invocation
from stretto.state.errors import BadInput
from stretto.state.light import NamedTuple
from stretto.state.places import project_around, store_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stretto.agents.runner import Runner

EVERYWHERE = frozenset({"json", "store", "project"})
"""Flags that every command takes."""


class App(NamedTuple):
    """The absolute folder the command is about, the store it names, how to print, and the runner asked for.

    `agents` makes runners where there are none to be asked for by name.

    `clock` gives seconds since the epoch, and `sleep` lets some of them pass. Creations within `window` seconds are
    admitted together, by their priorities;
    under a simulated clock (None) whoever moves it sees to that.
    """

    folder: str
    store: str = ""
    json: bool = False
    runner: str = ""
    clock: Callable[[], float] = time.time
    window: float | None = 0.02
    agents: Callable[[], Runner] | None = None
    sleep: Callable[[float], None] = time.sleep

    @property
    def project(self) -> Path:
        """The folder as a path."""
        from pathlib import Path  # here: the quick doors do without

        return Path(self.folder)

    @property
    def state(self) -> str:
        """The state directory as a text; it need not exist."""
        return store_of(project_around(self.folder), self.store or None, os.environ)

    @property
    def directory(self) -> Path:
        """The state directory; it need not exist."""
        from pathlib import Path

        return Path(self.state)


def require_supported(invocation: Invocation, supported: frozenset[str]) -> None:
    """Refuse what is understood but does nothing here, rather than ignore it.

    Raises:
        BadInput: A flag is outside `supported`.
    """
    for flag in invocation.flags:
        if flag not in supported | EVERYWHERE:
            raise BadInput(
                f"/{invocation.command} understands --{flag}, but this version does nothing with it, so it is refused.",
                field=f"--{flag}",
                allowed=sorted(f"--{s}" for s in supported | EVERYWHERE),
            )
