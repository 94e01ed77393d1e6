"""Help: what `--help` prints, read from the same markdown that defines the slash command."""

from collections.abc import Mapping
from pathlib import Path

from stretto.commands.grammar import usage
from stretto.commands.tables import COMMANDS
from stretto.state.errors import BadInput

VERB_HELP = {
    "events": "stretto events [WORKFLOW] [--follow] [--after SEQ]   the event log in the wire form",
    "logs": "stretto logs WORKFLOW TASK [--attempt N]             what an agent did in a task",
    "diff": "stretto diff WORKFLOW                                what the workflow changed",
    "cancel": "stretto cancel WORKFLOW                              end it for good; its branch is kept",
    "undo": "stretto undo WORKFLOW                                take it back, byte for byte",
    "line": "stretto line '/COMMAND …' | -                        run one raw slash line",
}
GLOBAL = """Everywhere:
  --json            one reply as JSON on stdout; progress as JSON lines on stderr
  --store DIR       the state directory (default .stretto/state at the project's root, or STRETTO_STORE)
  --project DIR     the project to work on (default: here)
  --runner KIND:ARG model:PROVIDER/NAME, command:PROGRAM, or replay:CASSETTE (or STRETTO_RUNNER)

Exit codes: 0 done, 1 failed, 2 bad input, 3 stopped and resumable, 4 store damaged."""


def definition(name: str) -> tuple[dict[str, str], str]:
    """The front matter and the body of a command's markdown."""
    text = Path(__file__).with_name(f"{name}.md").read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    pairs = (line.partition(":") for line in head.splitlines() if ":" in line)
    return {k.strip(): v.strip().strip("'\"") for k, _, v in pairs}, body


def overview(handlers: Mapping[str, str]) -> str:
    """`stretto --help`."""
    rows = [f"  {name:<16} {definition(name)[0]['description']}" for name in handlers]
    verbs = [f"  {line}" for line in VERB_HELP.values()]
    return "\n".join(
        [
            "stretto: one sentence to researched, planned, implemented, tested, documented and committed work.",
            "",
            "Commands (`stretto COMMAND --help` tells more; each is the slash command of the same name):",
            *rows,
            "",
            "On a workflow:",
            *verbs,
            "",
            GLOBAL,
        ]
    )


def command_help(name: str, handlers: Mapping[str, str]) -> str:
    """`stretto COMMAND --help`: description, usage, options and examples.

    Raises:
        BadInput: There is no such command.
    """
    name = name.removeprefix("/")
    if name in VERB_HELP:
        return VERB_HELP[name] + "\n\n" + GLOBAL
    if name not in handlers:
        raise BadInput(f"There is no command {name!r}.", field="command", allowed=[*handlers, *VERB_HELP])
    head, body = definition(name)
    parts = [head["description"], "", f"Usage: stretto {usage(COMMANDS[name]).removeprefix('/')}"]
    parts += [f"       /{name} {head['argument-hint']}"] if head.get("argument-hint") else []
    for title in ("Options", "Examples"):
        if text := _section(body, title):
            parts += ["", f"{title}:", text]
    return "\n".join([*parts, "", GLOBAL])


def _section(body: str, title: str) -> str:
    _, found, rest = body.partition(f"## {title}\n")
    lines = rest.partition("\n## ")[0].strip("\n").splitlines() if found else []
    return "\n".join(f"  {line}" for line in lines if not line.startswith("```"))
