"""Commands under a simulated clock: each is parsed and handled as `stretto` does it, at a time that the test sets."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from stretto.commands.app import App
from stretto.commands.coordinating import writing
from stretto.commands.handlers import HANDLERS
from stretto.commands.parse import parse_argv
from stretto.commands.reply import Reply
from stretto.state.allocation import Allocation
from stretto.state.log import Log
from stretto.state.pool import Agent
from stretto.state.transaction import Transaction
from stretto.state.wire import Event

BEGIN = 1_800_000_000.0


@dataclass
class Clocked:
    """A project folder and a clock that stands until it is moved."""

    root: Path
    now: float = BEGIN
    app: App = field(init=False)

    def __post_init__(self) -> None:
        settings = self.root / ".stretto"
        settings.mkdir(parents=True, exist_ok=True)
        (settings / "config.toml").write_text('durability = "process"\n')
        self.app = App(folder=str(self.root), store=str(self.root / "store"), clock=lambda: self.now, window=None)

    def run(self, command: str, *args: str, **body: Any) -> Reply:
        """Call a command with a JSON body, if there is one. Raises what it raises."""
        invocation = parse_argv([command, *args, *([json.dumps(body)] if body else [])], project=str(self.root))
        reply: Reply = import_module(f"stretto.commands.{HANDLERS[command]}").handle(invocation, self.app)
        return reply

    def manager(self, *args: str, **body: Any) -> Reply:
        return self.run("resource-manager", *args, **body)

    def hub(self, *args: str, **body: Any) -> Reply:
        """A command of the hub, and the admission at the end of its moment."""
        reply = self.run("coordination-hub", *args, **body)
        with writing(self.app) as desk:
            desk.admit()
        return reply

    def workflow(self, name: str, seconds: float | None = None, **body: Any) -> None:
        """A workflow of one phase that is started if it can be; with `seconds`, it also takes so long and ends."""
        self.hub("create", name, **{"phases": ["work"], **body})
        if seconds is not None:
            self.hub("start", name)
            self.now += seconds
            self.hub("complete-phase", name, "work")
            self.hub("complete", name)

    @contextmanager
    def writing(self) -> Generator[Transaction]:
        """A transaction of the test's own, for what another part of the program would write."""
        with writing(self.app) as desk:
            yield desk.tx

    def log(self) -> Log:
        log = Log.find(self.app.state)
        assert log
        return log

    def events(self, workflow: str | None = None) -> list[Event]:
        with self.log() as log:
            return list(log.events(workflow))

    def types(self, workflow: str | None = None) -> list[str]:
        return [e.type for e in self.events(workflow)]

    def told(self, kind: str) -> Mapping[str, Any]:
        """The data of the newest event of a type."""
        return next(e.data for e in reversed(self.events()) if e.type == kind)

    def live(self, workflow: str | None = None) -> list[Allocation]:
        with self.log() as log:
            return log.allocations(workflow, live=True)

    def agents(self) -> dict[str, Agent]:
        with self.log() as log:
            return {one.agent_id: one for one in log.agents()}
