"""Driving a workflow from a command: Ctrl-C and its like stop it; a usage limit is waited for if that is asked."""

import asyncio
import signal
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stretto.agents.choose import parse_runner
from stretto.agents.process import run as execute
from stretto.agents.runner import Runner
from stretto.commands import stopped
from stretto.commands.app import App
from stretto.commands.progress import Watcher
from stretto.graph.control import Control
from stretto.graph.result import Result
from stretto.graph.run import resume

STOPPING = "Stopping: what runs may finish, nothing new begins. Ctrl-C again ends it now; both can be resumed."


def drive(work: Coroutine[Any, Any, Result], control: Control, watch: Watcher) -> Result:
    """Run a workflow to its end or its stop, with the signals that stop it."""

    async def driven() -> Result:
        with _signals(control, watch):
            return await work

    return asyncio.run(driven())


@contextmanager
def _signals(control: Control, watch: Watcher) -> Generator[None]:
    """Ctrl-C drains, a second one cuts; SIGTERM drains."""
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if control.draining:
            control.cut()
        watch.note(STOPPING)
        control.drain()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def waited(result: Result, durability: str, app: App, watch: Watcher) -> Result:
    """Go on whenever a usage limit is over, until it ends or stops for something else. Ctrl-C leaves it paused."""
    while (at := stopped.until(result.facts)) is not None:
        watch.note(f"{result.why}. Waiting; Ctrl-C leaves it paused.")
        try:
            app.sleep(max(at - app.clock(), 0.0))
        except KeyboardInterrupt:
            return result
        control = Control()
        work = resume(
            result.workflow_id,
            project=app.project,
            store=Path(app.store) if app.store else None,
            runner=_runner(app),
            durability=durability,
            on_event=watch.event,
            control=control,
            clock=app.clock,
        )
        result = drive(work, control, watch)
    return result


def _runner(app: App) -> Runner | None:
    """The one that was asked for; None for the workflow's own."""
    if app.agents:
        return app.agents()
    return parse_runner(app.runner, project=app.project, execute=execute) if app.runner else None
