"""Watching workflows from outside: what `stretto events --follow` prints, as it comes."""

import json
import queue
import subprocess
import threading
from pathlib import Path
from typing import Self

from outcome import STRETTO, Event, environment


class Follower:
    """The events of a project's workflows as another process sees them; `events` are those that were waited for."""

    def __init__(self, project: Path) -> None:
        self.events: list[Event] = []
        self._project = project
        self._new: queue.Queue[Event] = queue.Queue()
        self._stopped = threading.Event()
        self._watcher: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._watcher:
            self._watcher.kill()
        self._thread.join()

    def wait(self, seconds: float) -> list[Event]:
        """The events that came since the last time; waits for one for so long."""
        found: list[Event] = []
        try:
            found.append(self._new.get(timeout=seconds))
            while True:
                found.append(self._new.get_nowait())
        except queue.Empty:
            self.events += found
            return found

    def _read(self) -> None:
        argv = [*STRETTO, "events", "--follow", "--json"]
        while not self._stopped.wait(0.1):  # where no workflow has run yet, the command ends at once
            with subprocess.Popen(
                argv, cwd=self._project, env=environment(), stdout=subprocess.PIPE, text=True
            ) as self._watcher:
                if self._stopped.is_set():
                    self._watcher.kill()
                for event in map(json.loads, self._watcher.stdout or ()):
                    if "event_type" in event:
                        self._new.put(event)
