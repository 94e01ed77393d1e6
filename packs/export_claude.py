"""Claude Code: a plugin folder, which is a marketplace of itself.

Where arguments are put into a page, the client writes !`…` in them otherwise, so that it does not run it. As they were
typed they stand in <command-args>, which comes before every page.
"""

from stretto.packs.export import SERVER, Command, Export, Source, as_json, front, page

_SCHEMAS = "https://json.schemastore.org/claude-code"
_TYPED = """\
What <command-args> in this message holds stands for the word ARGUMENTS in the line between the two marks below,
unchanged; elsewhere the client has put backslashes and blanks into it.

"""
_NAMES = {
    "read_file": "Read",
    "write_file": "Write",
    "edit_file": "Edit",
    "search": "Grep",
    "list_files": "Glob",
    "run": "Bash",
}


def claude(source: Source) -> Export:
    """The plugin. Its MCP server is the `stretto` on the user's PATH."""
    about = {"name": source.name, "version": source.version, "description": source.description}
    plugin = {"$schema": f"{_SCHEMAS}-plugin-manifest.json", **about, "license": source.license}
    market = {
        "$schema": f"{_SCHEMAS}-marketplace.json",
        "name": source.name,
        "description": source.description,
        "owner": {"name": source.name},
        "plugins": [{"name": source.name, "source": "./", "description": source.description}],
    }
    files = {
        ".claude-plugin/plugin.json": as_json({**plugin, "author": {"name": source.name}}),
        ".claude-plugin/marketplace.json": as_json(market),
        ".mcp.json": as_json({"mcpServers": {"stretto": SERVER}}),
        **{f"commands/{command.name}.md": _command(source, command) for command in source.commands},
    }
    for name, role in source.agents.items():
        tools = ", ".join(_NAMES[tool] for tool in role.tools)
        files[f"agents/{name}.md"] = f"{front(name=name, description=role.description, tools=tools)}{role.prompt}\n"
    return Export(files)


def _command(source: Source, command: Command) -> str:
    head = front(
        description=command.description,
        argument_hint=command.hint,
        allowed_tools=f"mcp__plugin_{source.name}_stretto__run",
    )
    return head + _TYPED + page(f"{command.line} ARGUMENTS")
