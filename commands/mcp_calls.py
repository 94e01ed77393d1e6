"""Calls of MCP tools, each in a process of its own.

So a call that takes hours keeps no other waiting, one that crashes takes nothing with it, and to stop one is to
interrupt its process, which then leaves its workflow as Ctrl-C does. None outlives the server, however that ends.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard, cast

from stretto.agents.execute import Finished
from stretto.agents.process import Interrupt, run
from stretto.commands.mcp_reply import Said
from stretto.commands.progress import told
from stretto.state.wire import Event

Listener = Callable[[str], Awaitable[None]]

_ARGV = (sys.executable, "-I", "-m", "stretto.commands.mcp_answer")
_MOST_BYTES = 32_000_000
_BETWEEN = 0.2
"""Seconds from the first interrupt to the second: two signals at once would be one."""
_PATIENCE = 5.0
"""Seconds that a workflow gets to write how it ended, when the server ends."""


class Calls:
    """The calls of one server. `project` is the folder they are about; `env` their whole environment."""

    def __init__(self, project: Path, env: dict[str, str]) -> None:
        self._project, self._env = project, env
        self._running: dict[asyncio.Task[Finished], list[Interrupt]] = {}

    async def ask(self, line: str, listener: Listener) -> Said:
        """The answer to one line; `listener` is told of each event meanwhile, in words.

        When this is cancelled, the call is interrupted: what an agent does at that moment it may finish, nothing new
        begins, and the workflow can be resumed.
        """
        events: asyncio.Queue[str | None] = asyncio.Queue()
        call = self._start(line, events)
        try:
            while (event := await events.get()) is not None:
                if words := _in_words(event):
                    await listener(words)
            return _read(await asyncio.shield(call))
        except BaseException:  # nobody waits for the answer any more, whatever the reason
            self._interrupt(call)
            raise

    def _start(self, line: str, events: "asyncio.Queue[str | None]") -> asyncio.Task[Finished]:
        interrupts: list[Interrupt] = []
        work = run(
            _ARGV,
            cwd=self._project,
            env=self._env,
            stdin=json.dumps({"line": line}).encode(),
            limit_bytes=_MOST_BYTES,
            on_stderr_line=events.put_nowait,
            on_start=interrupts.append,
        )
        call = asyncio.ensure_future(work)
        self._running[call] = interrupts
        call.add_done_callback(partial(self._ended, events))
        return call

    def _ended(self, events: "asyncio.Queue[str | None]", call: asyncio.Task[Finished]) -> None:
        del self._running[call]
        if not call.cancelled():
            call.exception()  # whoever awaits it gets it; if nobody does any more, it is no news
        events.put_nowait(None)

    def _interrupt(self, call: asyncio.Task[Finished]) -> None:
        for interrupt in self._running.get(call, ()):
            interrupt()

    async def end(self) -> None:
        """Interrupt all twice, which cuts off agents at work; kill what does not obey in time."""
        for _ in range(2):
            for call in [*self._running]:
                self._interrupt(call)
            if self._running:
                await asyncio.wait([*self._running], timeout=_BETWEEN)
        if self._running:
            await asyncio.wait([*self._running], timeout=_PATIENCE)
        left = [*self._running]
        for call in left:
            call.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def environment(store: str, runner: str) -> dict[str, str]:
    """Our own environment, with the store and the runner that were named for all calls."""
    named = {"STRETTO_STORE": str(Path(store).expanduser().absolute()) if store else "", "STRETTO_RUNNER": runner}
    return {**os.environ, **{key: value for key, value in named.items() if value}}


def _in_words(line: str) -> str:
    """The event that a line on stderr holds; nothing if it is none."""
    try:
        body: object = json.loads(line)
    except ValueError:
        return ""
    if not _is_object(body) or "event_type" not in body:
        return ""
    fields = {**body, "type": body["event_type"]}
    try:
        return " ".join(told(Event(**{name: fields[name] for name in Event._fields})).split())
    except (KeyError, TypeError, AttributeError):
        return ""


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _read(done: Finished) -> Said:
    """What the process said; if it is no answer, how it ended."""
    try:
        body = cast("dict[str, Any]", json.loads(done.stdout))
        return Said(body["ok"], body["text"], body["data"])
    except (ValueError, KeyError, TypeError):
        why = "Its answer is too long" if done.truncated else f"It ended with {done.exit_code} and no answer"
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        message = ". ".join([why, *last])
        return Said(False, message, {"status": "error", "error": {"code": "FAILED", "message": message}})
