"""Gemini CLI, and Qwen Code, which came of it: `/PACK:NAME` from `commands/PACK/NAME`.

`{{args}}` is put in as it was typed when the page has no `!{…}`, and what was put in is not looked through again.
"""

import json

from stretto.packs.export import SERVER, Export, Shared, Source, front, page


def gemini(source: Source) -> Export:
    """Commands in TOML, and the MCP server in the project's settings."""
    files = {
        f".gemini/commands/{source.name}/{command.name}.toml": (
            f"description = {_text(command.description)}\nprompt = '''\n{page(f'{command.line} {{{{args}}}}')}'''\n"
        )
        for command in source.commands
    }
    return Export(files, Shared(".gemini/settings.json", "mcpServers", SERVER))


def qwen(source: Source) -> Export:
    """Commands in markdown, and the MCP server in the project's settings."""
    files = {
        f".qwen/commands/{source.name}/{command.name}.md": (
            front(description=command.description) + page(f"{command.line} {{{{args}}}}")
        )
        for command in source.commands
    }
    return Export(files, Shared(".qwen/settings.json", "mcpServers", SERVER))


def _text(text: str) -> str:
    """A string of TOML: what JSON writes, but for the one control character that it leaves alone."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
