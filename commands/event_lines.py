"""The event log, line by line. Standard library only, for the quick doors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from stretto.commands.app import App
from stretto.commands.workflows import find
from stretto.state.filter import Filter
from stretto.state.log import Log
from stretto.state.quick_json import dumps
from stretto.state.wire import Event

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stretto.state.wake import Bell


def events(app: App, wanted: Filter, *, follow: bool, after: int) -> Iterator[str]:
    """The log line by line: in the wire form, or as JSON objects; with `follow`, on and on until Ctrl-C.

    Raises:
        BadInput: What is wanted is no pattern, class or severity.
        NotFound: There is no such workflow.
    """
    wants = wanted.test()
    if wanted.workflow:
        find(app, wanted.workflow)[0].close()
    return _lines(app, wanted.workflow or None, wants, follow, after)


def _lines(app: App, workflow: str | None, wants: Callable[[Event], bool], follow: bool, seen: int) -> Iterator[str]:
    with ExitStack() as held:
        log: Log | None = None
        bell: Bell | None = None
        try:
            while True:
                if log is None and (log := Log.find(app.state)):
                    held.callback(log.close)
                    bell = _hung(app, held) if follow else None
                for event in log.events(workflow, after=seen) if log else ():
                    seen = event.seq
                    if wants(event):
                        yield _line(event, app.json)
                if not follow:
                    return
                _wait(bell)
        except KeyboardInterrupt:
            return


def _hung(app: App, held: ExitStack) -> Bell:
    """Before the log is read: what is written meanwhile rings."""
    from stretto.state.wake import Bell  # here: who does not follow does without

    bell = Bell.hang(app.directory)
    held.callback(bell.close)
    return bell


def _wait(bell: Bell | None) -> None:
    """Until something may have come: a ring where there is a store, and in any case a while."""
    from stretto.state.wake import LOOK_SECONDS

    bell.wait(LOOK_SECONDS) if bell else time.sleep(LOOK_SECONDS)


def _line(event: Event, as_json: bool) -> str:
    return dumps(event.envelope(), ensure_ascii=False) if as_json else event.line()
