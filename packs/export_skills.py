"""Agent Skills, and the clients that take commands as such: Codex, and plugins by the Agent Plugins format."""

from stretto.packs.export import SERVER, Command, Export, Shared, Source, as_json, front, joined, page

_SCHEMA = "https://agent-plugins.org/schemas/1.0.0/plugin.json"
_ARGUMENTS = "ARGUMENTS"
_TOLD = """\
{hint}What the person gave for it takes the place of the word ARGUMENTS in the line below, as it was given; a
sentence of your own goes there between single quotes, with each single quote in it written as '"'"'.

"""


def skills(source: Source) -> Export:
    """`skills/NAME/SKILL.md` for each command."""
    return Export(_skills(source, "skills"))


def codex(source: Source) -> Export:
    """Skills where Codex looks for a project's, and the MCP server in the project's settings."""
    return Export(_skills(source, ".agents/skills"), Shared(".codex/config.toml", "mcp_servers", SERVER))


def agent_plugins(source: Source) -> Export:
    """A plugin: its manifest, skills and the MCP server."""
    about = {"$schema": _SCHEMA, "name": source.name, "version": source.version, "description": source.description}
    files = {
        "plugin.json": as_json({**about, "license": source.license}),
        "mcp.json": as_json({"mcpServers": {"stretto": {"type": "stdio", **SERVER}}}),
        **_skills(source, "skills"),
    }
    return Export(files)


def _skills(source: Source, folder: str) -> dict[str, str]:
    return {f"{folder}/{joined(source, command.name)}/SKILL.md": _skill(source, command) for command in source.commands}


def _skill(source: Source, command: Command) -> str:
    """A skill with none but the fields of the specification."""
    head = front(
        name=joined(source, command.name),
        description=command.description,
        license=source.license,
        compatibility="Needs the program `stretto` on PATH.",
        metadata={"version": source.version},
    )
    hint = f"It takes: `{command.hint}`.\n" if command.hint and "`" not in command.hint else ""
    return head + _TOLD.format(hint=hint) + page(f"{command.line} {_ARGUMENTS}")
