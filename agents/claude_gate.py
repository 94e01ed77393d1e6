"""The gate of a client under a cap: before its tools, and so before its next call, it waits until there is room.

Claude Code asks before it uses a tool, if it is told to at its start, by the protocol that its SDK speaks: a line on
its standard output, and one on its standard input that answers. What it may do with the tool is not decided here.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from stretto.agents.claude_stream import Stream
from stretto.agents.execute import Stdin
from stretto.agents.meter import UNKNOWN, Account

FLAGS: Final = ("--input-format", "stream-json")
_HOOK: Final = {"matcher": None, "hookCallbackIds": ["room"], "timeout": 86_400}
_ASKS = '"control_request"'


class Gate:
    """Answers one client. `failed` is told why it must not go on: a cap is reached, or something broke."""

    def __init__(self, stream: Stream, account: Account, prompt: str, failed: Callable[[Exception], None]) -> None:
        self._stream = stream
        self._account = account
        self._prompt = prompt
        self._failed = failed
        self._stdin: Stdin | None = None
        self._rooms: dict[int, asyncio.Future[None]] = {}
        self._answers: set[asyncio.Future[None]] = set()
        self._complete = asyncio.Event()

    def opened(self, stdin: Stdin) -> None:
        """The client has been started: it is told what to ask, and the prompt."""
        self._stdin = stdin
        asked = {"subtype": "initialize", "hooks": {"PreToolUse": [_HOOK]}}
        self._write({"type": "control_request", "request_id": "begin", "request": asked})
        message = {"role": "user", "content": self._prompt}
        self._write({"type": "user", "session_id": "", "parent_tool_use_id": None, "message": message})

    def heard(self, line: str) -> None:
        """The client said something, which the stream has taken."""
        self._complete.set()
        if self._stream.result is not None and self._stdin:
            self._stdin.finish()
        if _ASKS in line:
            self._asked(_facts(json.loads(line)))

    async def close(self) -> None:
        """Let go of whoever waits."""
        waiting = {*self._answers, *self._rooms.values()}
        for one in waiting:
            one.cancel()
        if waiting:
            await asyncio.wait(waiting)

    def _asked(self, event: Mapping[str, Any]) -> None:
        request, name = _facts(event.get("request")), str(event.get("request_id"))
        if event.get("type") != "control_request":
            return
        if request.get("subtype") != "hook_callback":
            self._respond(name, {"subtype": "error", "error": "nobody answers that"})
            return
        answer = asyncio.ensure_future(self._answer(name, self._stream.turn))
        self._answers.add(answer)
        answer.add_done_callback(self._answers.discard)

    async def _answer(self, name: str, turn: int) -> None:
        """Let a tool be used as soon as there is room for all of its message, and the call after them."""
        if turn not in self._rooms:
            self._rooms[turn] = asyncio.ensure_future(self._room(turn))
        try:
            await asyncio.shield(self._rooms[turn])
        except Exception as error:  # noqa: BLE001 - told to the one who can end the client
            self._failed(error)
        else:
            self._respond(name, {"subtype": "success", "response": {"continue": True}})

    async def _room(self, turn: int) -> None:
        """Once for each message, when it is complete and has been settled."""
        while self._stream.completed < turn:
            self._complete.clear()
            await self._complete.wait()
        for _ in range(self._stream.uses):
            await self._account.tool()
        if not self._stream.returned:
            await self._account.reserve(UNKNOWN)

    def _respond(self, name: str, response: Mapping[str, Any]) -> None:
        self._write({"type": "control_response", "response": {**response, "request_id": name}})

    def _write(self, value: Mapping[str, Any]) -> None:
        if self._stdin:
            self._stdin.write(json.dumps(value).encode() + b"\n")


def _facts(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
