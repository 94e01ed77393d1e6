"""What stands in an MCP client's list: three tools, and a prompt for each slash command. Each becomes a line.

Schemas are kept short on purpose: clients show them to their model in every session.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from stretto.commands.handlers import HANDLERS
from stretto.commands.help import definition
from stretto.commands.source import nearest
from stretto.state.errors import BadInput

_KINDS: dict[str, type] = {"string": str, "boolean": bool}


class Argument(NamedTuple):
    """One argument of a tool: `kind` is a type of JSON Schema."""

    kind: str
    about: str = ""


class Tool(NamedTuple):
    """One tool; of its arguments those in `required` must be there."""

    about: str
    arguments: Mapping[str, Argument]
    required: tuple[str, ...] = ()
    reads_only: bool = False

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its arguments."""
        kinds = {name: {"type": a.kind} | ({"description": a.about} if a.about else {}) for name, a in self._each()}
        needed = {"required": list(self.required)} if self.required else {}
        return {"type": "object", "properties": kinds, **needed, "additionalProperties": False}

    def _each(self) -> list[tuple[str, Argument]]:
        return [*self.arguments.items()]


TOOLS: Mapping[str, Tool] = {
    "run": Tool(
        'Run one Stretto line: "/COMMAND ARGS" with POSIX quoting, or a next step as a reply gave it ("stretto …").'
        " `stretto help` lists all; --json returns data.",
        {"line": Argument("string")},
        ("line",),
    ),
    "orchestrate": Tool(
        "Take one sentence to researched, planned, implemented, tested and committed work; or resume a workflow.",
        {
            "description": Argument("string"),
            "resume": Argument("string", "workflow id"),
            "approve": Argument("boolean", "pass its gate"),
            "reject": Argument("string", "why its gate is not passed"),
        },
    ),
    "workflow_status": Tool(
        "What workflows have done and are doing.",
        {"workflow_id": Argument("string"), "detailed": Argument("boolean")},
        reads_only=True,
    ),
}


def line_of(name: str, arguments: Mapping[str, Any]) -> str:
    """The line that a call of a tool means: a value is quoted, so that it arrives as it was given, whatever it holds.

    Raises:
        BadInput: There is no such tool or argument, one is missing, or one is of another type.
    """
    tool = TOOLS.get(name)
    if tool is None:
        raise BadInput(f"There is no tool {name!r}.", field="name", allowed=list(TOOLS))
    given = {key: value for key, value in arguments.items() if value is not None}
    _check(name, tool, given)
    if name == "run":
        return cast("str", given["line"])
    return _orchestrate(given) if name == "orchestrate" else _status(given)


def _check(name: str, tool: Tool, given: Mapping[str, Any]) -> None:
    for key, value in given.items():
        if key not in tool.arguments:
            guess = nearest(key, [*tool.arguments])
            hint = f" Did you mean {guess!r}?" if guess else ""
            raise BadInput(f"{name} has no argument {key!r}.{hint}", field=key, allowed=[*tool.arguments])
        kind = tool.arguments[key].kind
        if not isinstance(value, _KINDS[kind]):
            raise BadInput(f"{key} of {name} must be a {kind}, not {type(value).__name__}.", field=key, allowed=(kind,))
    for key in tool.required:
        if key not in given:
            raise BadInput(f"{name} needs {key!r}.", field=key)


def _orchestrate(given: Mapping[str, Any]) -> str:
    words = ["/orchestrate"]
    words += [_quoted(given["description"])] if "description" in given else []
    words += [f"--{flag}={_quoted(given[flag])}" for flag in ("resume", "reject") if flag in given]
    return " ".join(words + ["--approve"] * given.get("approve", False))


def _status(given: Mapping[str, Any]) -> str:
    words = ["/workflow-status", *([_quoted(given["workflow_id"])] if "workflow_id" in given else [])]
    return " ".join(words + ["--detailed"] * given.get("detailed", False))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


ARGUMENT = "arguments"
"""The one argument of every prompt."""


def prompts() -> dict[str, str]:
    """Each slash command, and what it does."""
    return {name: definition(name)[0]["description"] for name in HANDLERS}


def prompt_text(name: str, arguments: Mapping[str, str]) -> str:
    """What a prompt asks of the model. Some clients pass on the first word only, and the others in <command-args>.

    Raises:
        BadInput: There is no such prompt or argument.
    """
    if name not in HANDLERS:
        raise BadInput(f"There is no prompt {name!r}.", field="name", allowed=[*HANDLERS])
    if wrong := [key for key in arguments if key != ARGUMENT]:
        raise BadInput(f"The prompt {name!r} has no argument {wrong[0]!r}.", field=wrong[0], allowed=(ARGUMENT,))
    line = f"/{name} {arguments.get(ARGUMENT, '')}".rstrip()
    return (
        f"Call Stretto's tool `run` once and show its reply as it is. Its `line` is `/{name} ` and all that"
        f" <command-args> in this message hold, unchanged; if there are none, exactly this:\n\n{line}\n"
    )
