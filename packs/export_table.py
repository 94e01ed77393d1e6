"""The clients that a pack can be written for."""

from collections.abc import Callable, Mapping

from stretto.packs.export import Export, Source
from stretto.packs.export_claude import claude
from stretto.packs.export_cursor import cursor
from stretto.packs.export_gemini import gemini, qwen
from stretto.packs.export_opencode import opencode
from stretto.packs.export_skills import agent_plugins, codex, skills
from stretto.state.errors import BadInput

CLIENTS: Mapping[str, Callable[[Source], Export]] = {
    "claude": claude,
    "opencode": opencode,
    "codex": codex,
    "gemini": gemini,
    "qwen": qwen,
    "cursor": cursor,
    "agent-plugins": agent_plugins,
    "skills": skills,
}


def exported(source: Source, client: str) -> Export:
    """What is written for a client.

    Raises:
        BadInput: There is no such client, or the source has no command for it.
    """
    if client not in CLIENTS:
        what = f"There is no client {client!r} that Stretto writes for." if client else "For which client?"
        raise BadInput(f"{what} Nothing was written.", field="--client", allowed=list(CLIENTS))
    if not source.commands:
        raise BadInput(f"{source.name!r} has no commands, so there is nothing to write.", field="pack")
    return CLIENTS[client](source)
