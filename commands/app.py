"""App: what every handler is given beside its invocation. Standard library only, for the quick doors."""

import os
from pathlib import Path
from typing import NamedTuple

from stretto.commands.invocation import Invocation
from stretto.state.errors import BadInput
from stretto.state.store import find_project, store_directory

EVERYWHERE = frozenset({"json", "store", "project"})
"""Flags that every command takes."""


class App(NamedTuple):
    """The folder the command is about, the store it names, how to print, and the runner asked for."""

    project: Path
    store: str = ""
    json: bool = False
    runner: str = ""

    @property
    def directory(self) -> Path:
        """The state directory; it need not exist."""
        return store_directory(find_project(self.project), self.store or None, os.environ)


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
