"""The linter of the plugin: what the client's own validator lets pass. `python -m stretto.commands.lint [FOLDER]`.

The client takes a command with broken front matter, an unknown key, a missing handler or a tool that there is not, and
simply does without. It also loads every word of a body, each time.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from stretto.commands.handlers import HANDLERS
from stretto.graph.strict_yaml import read_yaml
from stretto.state.errors import StrettoError

COMMAND_KEYS = frozenset({"name", "description", "argument-hint", "allowed-tools", "command-type", "metadata"})
AGENT_KEYS = frozenset({"name", "description", "tools", "disallowedTools", "model", "effort", "maxTurns", "color"})
"""Without `permissionMode`, `mcpServers` and `hooks`: the client ignores those in the agents of a plugin."""
TOOLS = frozenset(
    {
        "Read",
        "Write",
        "Edit",
        "NotebookEdit",
        "Grep",
        "Glob",
        "Bash",
        "WebFetch",
        "WebSearch",
        "Skill",
        "Agent",
    }
)
MODELS = frozenset({"inherit", "sonnet", "opus", "haiku", "fable"})
EVENTS = frozenset(
    {
        "SessionStart",
        "SessionEnd",
        "UserPromptSubmit",
        "UserPromptExpansion",
        "PreToolUse",
        "PostToolUse",
        "SubagentStart",
        "SubagentStop",
        "Stop",
    }
)
DESCRIPTION, BODY, TIMEOUT = 150, 600, 60
"""Longest description and longest body of a command, in characters; longest time for a hook, in seconds."""
CONSTANT = '"${{CLAUDE_PLUGIN_ROOT}}/bin/stretto" typed {name}'
"""How every page calls us. Nothing that a person typed is a part of it."""
Head = Mapping[str, Any]


def faults(root: Path) -> list[str]:
    """Everything that is wrong with the plugin in a folder, a line each."""
    pages = sorted((root / "commands").rglob("*.md"))
    agents = sorted((root / "agents").rglob("*.md"))
    return [
        *(f"commands/{name}.md: is missing; cli.py has a handler for it" for name in _without(pages)),
        *(f"{p.relative_to(root)}: {what}" for p in pages for what in _page(p)),
        *(f"{p.relative_to(root)}: {what}" for p in agents for what in _agent(p)),
        *(f"hooks/hooks.json: {what}" for what in _hooks(root / "hooks" / "hooks.json")),
    ]


def _without(pages: list[Path]) -> list[str]:
    return sorted(set(HANDLERS) - {page.stem for page in pages})


def _parts(path: Path) -> tuple[Head, str]:
    """Front matter and body.

    Raises:
        ValueError: There is no front matter, or it is no YAML mapping.
    """
    parts = path.read_text(encoding="utf-8").split("---\n", 2)
    if len(parts) != 3 or parts[0]:
        raise ValueError("has no front matter between two lines ---")
    try:
        head: object = read_yaml(parts[1], path.name)
    except StrettoError as error:
        raise ValueError(f"has front matter that is no YAML: {error.message}") from error
    if not isinstance(head, dict):
        raise ValueError("has front matter that is no mapping")  # noqa: TRY004 - a fault of the file
    return cast("Head", head), parts[2]


def _page(path: Path) -> Iterator[str]:
    try:
        head, body = _parts(path)
    except ValueError as error:
        yield str(error)
        return
    yield from _head(path.stem, head, COMMAND_KEYS, ("name", "description", "argument-hint", "allowed-tools"))
    yield from _handler(path)
    yield from _shell(path.stem, head, body)
    if len(body) > BODY:
        yield f"has a body of {len(body)} characters, all of which the model is sent each time; {BODY} at most"


def _head(name: str, head: Head, keys: frozenset[str], needed: tuple[str, ...]) -> Iterator[str]:
    for key in sorted(head.keys() - keys):
        yield f"has the key {key!r}, which the client does not know or ignores"
    for key in needed:
        if not isinstance(head.get(key), str):
            yield f"needs {key!r}, a text"
    if head.get("name") != name:
        yield f"is named {head.get('name')!r}; without its own name {name!r} a bare /{name} is not answered"
    said = str(head.get("description", ""))
    if not 0 < len(said) <= DESCRIPTION or "\n" in said:
        yield f"has a description of {len(said)} characters; one line of at most {DESCRIPTION}: it costs every session"


def _handler(path: Path) -> Iterator[str]:
    module = HANDLERS.get(path.stem)
    if module is None:
        yield "has no handler in cli.py"
        return
    source = path.with_name(f"{module}.py")
    if not source.is_file() or "\ndef handle(" not in source.read_text(encoding="utf-8"):
        yield f"has no handler: {source.name} defines no handle()"


def _shell(name: str, head: Head, body: str) -> Iterator[str]:
    """The one constant line, the permission for just that, and no other way to a shell."""
    call = CONSTANT.format(name=name)
    line = f'!`{call} "${{CLAUDE_PLUGIN_DATA}}"`\n'
    if head.get("allowed-tools") != f"Bash({call} *)":
        yield f"must allow Bash({call} *) and nothing else"
    if line not in body:
        yield f"does not call its handler: {line.strip()}"
    rest = body.replace(line, "")
    if "!`" in rest or "```!" in rest or "$" in rest:
        yield "has a second command for a shell, or a placeholder: arguments come through hooks alone"


def _agent(path: Path) -> Iterator[str]:
    try:
        head, body = _parts(path)
    except ValueError as error:
        yield str(error)
        return
    yield from _head(path.stem, head, AGENT_KEYS, ("name", "description", "tools"))
    for key in ("tools", "disallowedTools"):
        for tool in filter(None, (word.strip() for word in str(head.get(key, "")).split(","))):
            if tool not in TOOLS:
                yield f"names a tool that there is not: {tool!r}"
    if head.get("model", "inherit") not in MODELS:
        yield f"has the model {head['model']!r}; one of {', '.join(sorted(MODELS))}"
    if not body.strip():
        yield "has no prompt"


def _hooks(path: Path) -> Iterator[str]:
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["hooks"]
        entries = [(event, handler) for event, list_ in told.items() for e in list_ for handler in e["hooks"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        yield f"cannot be read: {type(error).__name__}: {error}"
        return
    for event, handler in entries:
        if event not in EVENTS:
            yield f"names the event {event!r}, which is none or is not ours"
        if handler.get("type") != "command" or not isinstance(handler.get("args"), list):
            yield f"{event}: is not in exec form, so a shell would read it"
        if not 0 < handler.get("timeout", 0) <= TIMEOUT:
            yield f"{event}: needs a timeout of at most {TIMEOUT} s"


def main() -> int:
    """Print every fault of the plugin in a folder, by default the one around this file."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    found = faults(root)
    sys.stdout.write("".join(f"{line}\n" for line in found) or "The plugin has no faults.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
