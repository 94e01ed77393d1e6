"""Kill a driver, look at what it left, and let the next one go on."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.crash.bench import Bench, Driver

GONE_WITHIN = 2.0
CODES = {"WORKFLOW_COMPLETED": 0, "WORKFLOW_FAILED": 1, "WORKFLOW_PAUSED": 3}


@dataclass
class Chaos:
    """What was seen of one workflow over all its kills.

    `finished`: for each kill the place in the journal and the tasks that were recorded as completed before. `taken_up`:
    seconds from each resume to the event that says that it works; `gone`: seconds from each kill until no process was
    left.
    """

    bench: Bench
    finished: list[tuple[int, set[str]]] = field(default_factory=list[tuple[int, set[str]]])
    taken_up: list[float] = field(default_factory=list[float])
    gone: list[float] = field(default_factory=list[float])

    def kill(self, driver: Driver) -> None:
        """SIGKILL, and nothing of the workflow is left soon after."""
        driver.kill()
        self.look()

    def look(self) -> None:
        """Look at what a driver that was killed just now has left."""
        killed = time.monotonic()
        left = self.bench.gone_within(GONE_WITHIN)
        assert not left, f"{GONE_WITHIN:g} s after the driver's death these live: {left}"
        self.gone.append(time.monotonic() - killed)
        self.finished.append((len(self.bench.journal()), set(self.bench.completed())))

    def go_on(self) -> Driver:
        """The next driver; when the last one had come as far as storing the workflow, it takes up its lease."""
        seen = len(self.bench.events())
        to_do = self.bench.begun() and self.bench.status() != "COMPLETED"
        driver = self.bench.go_on()
        if to_do:
            driver.until(lambda: len(self.bench.events()) > seen)
            self.taken_up.append(time.monotonic() - driver.began)
        return driver

    def until_it_stops(self, fuses: Iterator[int], *flags: str) -> int:
        """Drivers that die after so many steps each, until one ends by itself or has said how; its exit code.

        `flags` go to every resume, as a person would repeat what was cut off, until there is nothing left to answer.
        """
        stops = len(self.stops())
        while True:
            begun = self.bench.begun()
            driver = self.bench.resume(*flags, fuse=next(fuses)) if begun else self.bench.start(fuse=next(fuses))
            code = driver.wait()
            if code == 2 and flags:
                flags = ()
                continue
            if code != -9:
                return code
            self.look()
            if len(now := self.stops()) > stops:
                return CODES[now[-1]]

    def stops(self) -> list[str]:
        return [e.type for e in self.bench.events() if e.type in CODES]

    def check(self) -> None:
        """Finished tasks were not started again, nothing was told twice, and the log is whole."""
        bench = self.bench
        journal = bench.journal()
        for place, tasks in self.finished:
            again = [x["key"] for x in journal[place:] if x["what"] == "start" and x["task"] in tasks]
            assert not again, f"finished before a kill, started after it: {again}"
        assert not [key for key in bench.starts() if not key.endswith("#1")], "a cut-off attempt got another key"
        assert set(bench.completed().values()) == {1}, bench.completed()
        with bench.log() as log:
            events = list(log.events())
            assert log.verify() == len(events)
        assert [e.seq for e in events] == list(range(1, len(events) + 1))
        assert bench.worktrees() == [str(bench.project)]
        assert not bench.processes()
        assert not bench.driven()
