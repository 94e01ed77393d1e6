"""Cursor: commands and subagents in `.cursor/`. It puts what was typed behind a command beneath the command's text."""

from stretto.packs.export import SERVER, Export, Shared, Source, front, joined, page

_TYPED = (
    "What the person typed behind the command stands for the word ARGUMENTS in the line below, as it was typed.\n\n"
)


def cursor(source: Source) -> Export:
    """Pages without front matter, which Cursor would show to the model; subagents; the MCP server."""
    files = {
        f".cursor/commands/{joined(source, command.name)}.md": _TYPED + page(f"{command.line} ARGUMENTS")
        for command in source.commands
    }
    for name, role in source.agents.items():
        head = front(name=joined(source, name), description=role.description, readonly=not role.writes)
        files[f".cursor/agents/{joined(source, name)}.md"] = f"{head}{role.prompt}\n"
    return Export(files, Shared(".cursor/mcp.json", "mcpServers", SERVER))
