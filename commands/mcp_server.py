"""The MCP server: tools and prompts over stdio, through the official SDK, which is an extra."""

import asyncio
import os
import signal
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from stretto.commands.mcp_calls import Calls, environment
from stretto.commands.mcp_reply import Said, refused
from stretto.commands.mcp_tools import ARGUMENT, TOOLS, line_of, prompt_text, prompts
from stretto.state.errors import BadInput, StrettoError

_Context = ServerRequestContext[dict[str, Any]]
_Page = types.PaginatedRequestParams | None
_ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def serve(project: Path, *, store: str, runner: str) -> None:
    """Serve until the client leaves, or a signal ends us: then by that signal, once every call has ended.

    Args:
        project: The folder that calls are about.
        store: The state directory for all calls; empty for the default.
        runner: The runner for all calls; empty for the default.
    """
    asyncio.run(_serve(Calls(project, environment(store, runner))))


async def _serve(calls: Calls) -> None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()
    for number in _ENDING:
        loop.add_signal_handler(number, _first, ended, number)
    serving = asyncio.ensure_future(_speak(_Service(calls).server()))
    serving.add_done_callback(lambda _: _first(ended, 0))
    ending = await ended
    await calls.end()
    if ending:
        _die(ending)
    await serving


def _first(ended: asyncio.Future[int], number: int) -> None:
    """What ends us first counts: a signal, or 0 for the client that left."""
    if not ended.done():
        ended.set_result(number)


def _die(number: int) -> None:
    """A thread waits for the client's next message and cannot be woken; the signal itself ends that, too."""
    asyncio.get_running_loop().remove_signal_handler(number)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


async def _speak(server: Server[dict[str, Any]]) -> None:
    async with stdio_server() as (read, write):  # which also turns whatever else is printed to stderr
        await server.run(read, write, server.create_initialization_options())


class _Service:
    """The handlers of the server. Lists never change, and no list is long enough for a second page."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def server(self) -> Server[dict[str, Any]]:
        return Server(
            "stretto",
            version=version("stretto"),
            on_list_tools=self._tools,
            on_call_tool=self._call,
            on_list_prompts=self._prompts,
            on_get_prompt=self._prompt,
        )

    async def _tools(self, context: _Context, page: _Page) -> types.ListToolsResult:
        del context, page
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=name,
                    description=tool.about,
                    input_schema=tool.schema(),
                    annotations=types.ToolAnnotations(read_only_hint=tool.reads_only),
                )
                for name, tool in TOOLS.items()
            ]
        )

    async def _call(self, context: _Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        numbers = count(1)

        async def listener(words: str) -> None:
            await context.session.report_progress(next(numbers), message=words)

        try:
            return _result(await self._calls.ask(line_of(params.name, params.arguments or {}), listener))
        except StrettoError as error:
            return _result(refused(error))

    async def _prompts(self, context: _Context, page: _Page) -> types.ListPromptsResult:
        del context, page
        wanted = [types.PromptArgument(name=ARGUMENT, required=False)]
        return types.ListPromptsResult(
            prompts=[types.Prompt(name=n, description=about, arguments=wanted) for n, about in prompts().items()]
        )

    async def _prompt(self, context: _Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
        del context
        try:
            text = prompt_text(params.name, params.arguments or {})
        except BadInput as error:
            raise MCPError(types.INVALID_PARAMS, refused(error).text, error.details) from error
        said = types.TextContent(type="text", text=text)
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=said)])


def _result(said: Said) -> types.CallToolResult:
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=said.text)],
        structured_content=said.data,
        is_error=not said.ok,
    )
