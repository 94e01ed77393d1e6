"""Roles: the markdown files beside this module, checked and read.

A role file is also a subagent of Claude Code, so its front matter names tools by Claude Code's words; here they become
the names of our own tools.
"""

from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, cast, get_args

from stretto.agents.task import RoleName
from stretto.state.errors import BadInput

ROLES: tuple[str, ...] = get_args(RoleName)
TOOLS = {
    "Read": "read_file",
    "Write": "write_file",
    "Edit": "edit_file",
    "Grep": "search",
    "Glob": "list_files",
    "Bash": "run",
}
"""The name in a role's front matter, and our tool of the same use."""
WRITING = frozenset({"write_file", "edit_file"})


class Role(NamedTuple):
    """Who an agent is. `tools` are names of our tools; `prompt` is the system prompt."""

    name: str
    description: str
    tools: tuple[str, ...]
    prompt: str

    @property
    def writes(self) -> bool:
        """Whether it may change files."""
        return bool(WRITING.intersection(self.tools))


@cache
def load_role(name: str) -> Role:
    """The role of this name.

    Raises:
        BadInput: There is no such role, or its file is not a valid one.
    """
    if name not in ROLES:
        raise BadInput(f"There is no role {name!r}.", field="role", allowed=ROLES)
    return parse_role(name, files("stretto.agents").joinpath(f"{name}.md").read_text(encoding="utf-8"))


def parse_role(name: str, text: str) -> Role:
    """A role from the text of its file: front matter between two lines of dashes, then the system prompt.

    Raises:
        BadInput: The front matter is missing or wrong, or there is no prompt.
    """
    front, prompt = _split(name, text)
    if front.get("name") != name:
        raise _wrong(name, "name", f"is {front.get('name')!r}, and the file is {name}.md")
    description = front.get("description")
    if not isinstance(description, str) or not description.strip():
        raise _wrong(name, "description", "must be a sentence")
    if not prompt.strip():
        raise _wrong(name, "prompt", "is empty: the text below the front matter is the system prompt")
    return Role(name, description.strip(), _tools(name, front.get("tools")), prompt.strip())


def _split(name: str, text: str) -> tuple[dict[str, Any], str]:
    parts = text.split("---\n", 2)
    if len(parts) != 3 or parts[0]:
        raise _wrong(name, "front matter", "is missing: the file must begin with a block between two lines '---'")
    import yaml  # here: a resume needs it when its first agent starts, and not before

    try:
        front: object = yaml.safe_load(parts[1])
    except yaml.YAMLError as error:
        raise _wrong(name, "front matter", f"is not YAML: {error}") from error
    if not isinstance(front, dict):
        raise _wrong(name, "front matter", "must be a mapping")
    return cast("dict[str, Any]", front), parts[2]


def _tools(name: str, listed: object) -> tuple[str, ...]:
    if not isinstance(listed, str):
        raise _wrong(name, "tools", "must be names divided by commas")
    names = [tool.strip() for tool in listed.split(",")]
    if unknown := [tool for tool in names if tool not in TOOLS]:
        raise _wrong(name, "tools", f"names {unknown[0]!r}", allowed=tuple(TOOLS))
    return tuple(TOOLS[tool] for tool in names)


def _wrong(name: str, field: str, what: str, allowed: tuple[str, ...] = ()) -> BadInput:
    return BadInput(f"Role file {name}.md: {field} {what}.", field=field, allowed=allowed)
