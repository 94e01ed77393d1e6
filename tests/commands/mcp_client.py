"""The SDK's own client, speaking with a `stretto mcp` process over stdio."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

SERVER = (sys.executable, "-I", "-m", "stretto.commands", "mcp")


@asynccontextmanager
async def session(project: Path, *args: str) -> AsyncGenerator[ClientSession]:
    """A session with a server of its own, which says on stderr what goes wrong in it."""
    command, *rest = SERVER
    told = StdioServerParameters(command=command, args=[*rest, *args], cwd=project, env={**os.environ})
    async with stdio_client(told) as (read, write), ClientSession(read, write) as client:
        await client.initialize()
        yield client


def spoken(project: Path, *args: str, ask: Callable[[ClientSession], Awaitable[Any]]) -> Any:
    """What `ask` returns of a session."""

    async def asked() -> Any:
        async with session(project, *args) as client:
            return await ask(client)

    return asyncio.run(asked())


def text(result: types.CallToolResult) -> str:
    """The text of a result; there must be one."""
    (said,) = result.content
    assert isinstance(said, types.TextContent)
    return said.text
