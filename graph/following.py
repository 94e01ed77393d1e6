"""Following a workflow's events while it runs, in the process that drives it."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

from stretto.state.log import Log
from stretto.state.wire import Event

LOOK_EVERY = 0.15
"""Seconds."""


@asynccontextmanager
async def following(log: Log, workflow_id: str, after: int, on_event: Callable[[Event], None]) -> AsyncGenerator[None]:
    """Call `on_event` with every event written meanwhile, the last ones too."""
    seen = after

    def catch_up() -> None:
        nonlocal seen
        for event in log.events(workflow_id, after=seen):
            seen = event.seq
            on_event(event)

    async def follow() -> None:
        while True:
            catch_up()
            await asyncio.sleep(LOOK_EVERY)

    looking = asyncio.ensure_future(follow())
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking
        catch_up()
