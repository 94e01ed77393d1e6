"""opencode: commands and subagents in `.opencode/`, and a small plugin that hands over what was typed.

opencode runs each !`…` that it finds in a command's text once the arguments are in it, so also those that somebody
typed. The page therefore takes no argument, and the plugin adds them, as they were typed, when that is over.
"""

from stretto.packs.export import SERVER, Export, Shared, Source, as_json, front, joined, page

_NOWHERE = "$4096"
"""An argument that nobody gives: without one of these in it, opencode appends the arguments to a page by itself."""
_PLUGIN = """\
// Hands over what was typed behind a command as it is. In the page itself opencode would run what looks like a shell's.
const LINES = {lines}
const MARK = "<stretto-typed/>"

export const {name} = async () => ({{
  "command.execute.before": async (input, output) => {{
    if (!Object.hasOwn(LINES, input.command)) return
    const line = `${{LINES[input.command]}} ${{input.arguments}}`.trim()
    for (const part of output.parts) {{
      if (part.type === "text") part.text = part.text.split(MARK).join(line)
      if (part.type === "subtask") part.prompt = part.prompt.split(MARK).join(line)
    }}
  }},
}})
"""


def opencode(source: Source) -> Export:
    """Pages, subagents, the plugin, and the MCP server in the project's `opencode.json`."""
    files: dict[str, str] = {}
    lines: dict[str, str] = {}
    for command in source.commands:
        name = joined(source, command.name)
        lines[name] = command.line
        text = page(f"<stretto-typed/>{_NOWHERE}")
        files[f".opencode/command/{name}.md"] = front(description=command.description) + text
    for name, role in source.agents.items():
        may = {"write": role.writes, "edit": role.writes, "bash": "run" in role.tools}
        head = front(description=role.description, mode="subagent", tools=may)
        files[f".opencode/agent/{joined(source, name)}.md"] = f"{head}{role.prompt}\n"
    exported = "".join(part.capitalize() for part in joined(source, "commands").split("-"))
    plugin = _PLUGIN.format(lines=as_json(lines).rstrip(), name=exported)
    files[f".opencode/plugin/{joined(source, 'commands')}.js"] = plugin
    server = {"type": "local", "command": [SERVER["command"], *SERVER["args"]], "enabled": True}
    return Export(files, Shared("opencode.json", "mcp", server))
