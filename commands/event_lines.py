"""The event log, line by line. Standard library only, for the quick doors."""

import json
import time
from collections.abc import Iterator

from stretto.commands.app import App
from stretto.commands.workflows import find
from stretto.state.log import Log
from stretto.state.wire import Event

POLL_SECONDS = 0.25


def events(app: App, workflow: str | None, *, follow: bool, after: int) -> Iterator[str]:
    """The log line by line: in the wire form, or as JSON objects; with `follow`, on and on until Ctrl-C.

    Raises:
        NotFound: There is no such workflow.
    """
    if workflow:
        find(app, workflow)[0].close()
    return _lines(app, workflow, follow, after)


def _lines(app: App, workflow: str | None, follow: bool, seen: int) -> Iterator[str]:
    log = Log.find(app.directory)
    try:
        while True:
            log = log or Log.find(app.directory)
            for event in log.events(workflow, after=seen) if log else ():
                seen = event.seq
                yield _line(event, app.json)
            if not follow:
                return
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        return
    finally:
        if log:
            log.close()


def _line(event: Event, as_json: bool) -> str:
    return json.dumps(event.envelope(), ensure_ascii=False) if as_json else event.line()
