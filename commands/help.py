"""Help: what `--help` prints, read from the same markdown that defines the slash command."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from stretto.state.errors import BadInput
from stretto.state.light import NamedTuple

ORDER_REPORT = "order-report"
VERB_HELP = {
    "events": ("events [WORKFLOW] [--follow] [--pattern P] …", "the event log in the wire form, or as JSON lines"),
    "logs": ("logs WORKFLOW TASK [--attempt N]", "what an agent did in a task"),
    "diff": ("diff WORKFLOW", "what it changed, as a patch"),
    "cancel": ("cancel WORKFLOW", "end it for good; its branch is kept"),
    "undo": ("undo WORKFLOW", "take it back, byte for byte"),
    "brief": ("brief ORDER", "take a work order and show its brief"),
    "check": ("check ORDER", "run the checks of a work order in its workspace"),
    ORDER_REPORT: ("report ORDER [--failed WHY]", "say how a work order ended; the outcome is read from stdin"),
    "steer": ('steer ORDER "NOTE"', "say something to the agent that works on an order"),
    "mcp": ("mcp", "serve the Model Context Protocol on stdin and stdout"),
    "setup": ("setup [--client CLIENT] [--remove]", "Stretto's commands in this project, for the assistant you use"),
    "verify": ("verify FILE.md [--exact] [--only NAME] …", "run an integration document, and say what of it holds"),
    "eval": (
        "eval SUITE --runner R [--against solo] …",
        "how often agents do small tasks with hidden tests, and at what cost",
    ),
    "store": (
        "store check|repair|backup|prune|stats|migrate",
        "care of the store: what is damaged, what takes room, a copy",
    ),
    "doctor": ("doctor", "what this machine has, what is missing, and what to do about it"),
    "cassette": (
        "cassette record|replay|import|lint|diff|redact",
        "recorded runs: make them, replay them, look into them",
    ),
    "pack": (
        "pack new|test|build|sign|add|update|list|export …",
        "what a team shares: commands, agents, templates",
    ),
    "line": ("line '/COMMAND …' | -", "run one raw slash line, given or from stdin"),
}
"""What is no slash command: its form, and what it does."""
_DETAILS = {
    "events": """\
  --follow          go on as events are written, until Ctrl-C
  --after SEQ       only what comes after the event of this number
  --pattern P       only these types: PHASE_*, '*.failed', workflow.*, workflow.ID.phase_completed; several with commas
  --class CLASS     only state_change, checkpoint or error; several with commas
  --severity LEAST  only these and worse: info, warning, error, critical
  --hash            of WORKFLOW: one hash of its log, equal for two runs in which the same happened; docs/cassettes.md
  --json            one JSON object a line, and nothing else""",
    "logs": """\
  --attempt N       another attempt than the newest""",
    "mcp": """\
  --runner KIND:ARG what executes agents, in every call""",
    "setup": """\
  --client CLIENT   opencode, codex, gemini, qwen, cursor, agent-plugins or skills: writes every command in the form
                    that it reads, and Stretto's MCP server to its settings; docs/clients.md. Without it, or with
                    claude: makes /plan and /debug Stretto's in Claude Code; all others have their bare names anyway
  --remove          take them away again

Examples:
  stretto setup
  stretto setup --client gemini
  stretto setup --client gemini --remove""",
    "verify": """\
  --exact           measurements and estimates must be as the document has them, too
  --total-order     the order of events counts across workflows, too
  --only NAME       only the example of this name, or the one whose name holds it
  --keep            keep the projects and stores, and say where
  Each example runs in a scratch project, under a simulated clock; nothing of yours is touched. docs/verify.md""",
    "eval": """\
  --runner KIND:ARG who is evaluated; {task}, {mode} and {repeat} in it are filled in for each run
  --against solo    each task also by one agent alone, by the same runner and with the same budget
  --tasks A,B       only these
  --repeat N        each run N times (default 1)
  --out FILE        where each run is written down when it is over (default eval-NAME.jsonl); what it has is not run
                    again
  --record FILE     keep a cassette of each run; put {task} and {mode} in its name
  Each run has a scratch project of its own; its hidden tests come in afterwards. docs/evaluation.md

Examples:
  stretto eval examples/evals/small --runner claude --against solo
  stretto eval examples/evals/small --runner command:./agent --tasks slug,median --repeat 3
  stretto eval examples/evals/small --runner 'replay:kept/{task}.{mode}.jsonl' --against solo --json""",
    "store": """\
  check             read everything and name what is damaged; writes nothing. Exit 0 sound, 4 damaged
    --deep          load every checkpoint, not only the newest of each thread
  repair            put right what is damaged; the old is kept in quarantine/, and each change is printed
    --dry-run       only say what would be done
  backup TARGET     copy it while it is in use, and check the copy; a new folder, or a .tar, .tar.gz or .tgz
  prune             delete checkpoints and agents' logs of workflows that are COMPLETED, CANCELLED or ARCHIVED, and
                    caches; never of one that runs or can be resumed. Says how much room came back
    --older-than A  only what ended longer ago than 30d (default), 12h, 90m
    --keep N        not the N that ended last
    --refs          their refs/stretto/ID/ in git, too; then `diff` and `undo` have nothing to go by
    --dry-run       only say what would go
  stats             what it holds: bytes, rows, the largest workflows
  migrate           bring an older store up to this version; whoever writes to it does the same

Examples:
  stretto store check --deep
  stretto store repair --dry-run
  stretto store backup ../store.tar.gz
  stretto store prune --older-than 90d --keep 20 --dry-run""",
    "doctor": """\
  Looks at Python, SQLite, the file system and rights of the store, room, clock, git, clients, extras, the runner
  that is chosen, and whether children die with their driver. No model is called. Exit 1 if something cannot work.

Examples:
  stretto doctor
  stretto doctor --json""",
    "cassette": """\
  record FILE "TASK"       /orchestrate the task, and keep every agent's turns in FILE
    --runner KIND:ARG      whose: model:PROVIDER/NAME, claude, command:PROGRAM
    --template, --attempts, --max-agents   as for /orchestrate
  replay FILE ["TASK"]     run it again in a scratch copy of the project, without a model; tell what differs. Exit 1 if
                           the recording lacks something, or the workflow does not complete. An imported session: hold
                           its turns, and make its files again, in an empty folder
    --strict               any difference is a miss; --lenient: no difference is one, and what is ignored is said
    --hash                 print the hash of the event log (of an imported session: of what was held) alone
    --keep                 keep the scratch folder, and say where
  import FILE… -o OUT      Claude Code's session files, with their subagents', or its stream-json, as one cassette
    --task "TASK"          what to call it; default: the first words that a person said in it
  lint FILE…               secrets, paths of one machine, turns twice or never reached, lines in another form. Exit 1
                           with FILE:LINE for each
  diff A B                 lanes and turns that came, went or changed; which prints, and the words
  redact FILE              take secrets out once more: to stdout, --in-place, or -o OUT
  --force                  write over a file that is there

Examples:
  stretto cassette record todo.jsonl "Add due dates" --runner model:anthropic/NAME
  stretto cassette replay todo.jsonl --strict
  stretto cassette import ~/.claude/projects/-home-me-todo/SESSION.jsonl -o session.jsonl
  stretto cassette lint todo.jsonl session.jsonl""",
    "pack": """\
  new NAME                 a folder NAME with one working command, its template and a scenario
  lint FOLDER|FILE         everything that is wrong with a pack. Exit 1 if anything is
  test FOLDER|FILE|NAME    verify its scenarios and replay its cassettes, with the pack installed in a project of their
                           own. Exit 1 if a file does not hold
    --keep                 leave the project of the cassettes there: a place to record more of them in
  build FOLDER [-o FILE]   one archive of it, the same bytes wherever it is built; --force writes over a file
  sign FOLDER              write its pack.sig, by your key, which is made at the first time (extra `packs`)
  verify FOLDER|FILE|NAME  whether it is what was signed, and by whom. Exit 1 if nobody signed it, 2 if it was changed
    --unsandboxed          agree that the programs of just this version run where there is no sandbox
  add SOURCE…              install packs in this project: shown first, and only if you agree. SOURCE is a folder, a
                           FILE.tar.gz, git+URL@TAG[#FOLDER] or python:DISTRIBUTION
    --yes                  agree without being asked
    --frozen               exactly what .stretto/packs.lock says, from the cache if it is there; takes no SOURCE
  remove NAME              take it out again
  update [NAME…] [--yes]   from where they came; shows what is new, above all what they may do, and asks
  list                     the packs of this project, with their commands
  show NAME|FOLDER|FILE    what a pack is, brings, and may do
  export NAME|FOLDER|FILE --client CLIENT -o FOLDER
                           write what a client reads: claude, opencode, codex, gemini, qwen, cursor, agent-plugins,
                           skills. Files that are not Stretto's are left alone; docs/clients.md
    --remove               take away what was written
  A pack's commands are /PACK:NAME, and /NAME where no other has it. docs/packs.md

Examples:
  stretto pack new team
  stretto pack lint team
  stretto pack test team
  stretto pack sign team
  stretto pack verify team-0.1.0.tar.gz
  stretto pack add git+https://example.org/packs.git@v1.2.0#team
  stretto pack add --frozen
  stretto pack export team --client opencode -o .
  stretto team:hello Parser""",
    "line": """\
  The line is data: nothing in it is evaluated. `stretto line -` takes it from stdin, so that no shell sees it.""",
}
GLOBAL = """Everywhere:
  --json            one reply as JSON on stdout; progress as JSON lines on stderr
  --store DIR       the state directory (default .stretto/state at the project's root, or STRETTO_STORE)
  --project DIR     the project to work on (default: here)"""
RUNNER = """Wherever agents work:
  --runner KIND:ARG host, claude[:MODEL], model:PROVIDER/NAME, command:PROGRAM, or replay:CASSETTE (default:
                    STRETTO_RUNNER, else `runner` in .stretto/config.toml, else host inside an assistant)"""
CODES = "Exit codes: 0 done, 1 failed, 2 bad input, 3 stopped and resumable, 4 store damaged."


class Definition(NamedTuple):
    """A command's markdown: the keys of its front matter, what stands below `metadata`, and the text for the model.

    Options and examples are metadata, since the client sends a model the body and nothing of the front matter.
    """

    head: dict[str, str]
    metadata: dict[str, str]
    body: str


def definition(name: str) -> Definition:
    """The definition of a command, which lies beside its handler."""
    with open(os.path.join(os.path.dirname(__file__), f"{name}.md"), encoding="utf-8") as file:
        text = file.read()
    _, head, body = text.split("---\n", 2)
    top, _, nested = head.partition("metadata:\n")
    pairs = (line.partition(":") for line in top.splitlines())
    return Definition({key: _scalar(value.strip()) for key, _, value in pairs}, dict(_blocks(nested)), body)


def _scalar(text: str) -> str:
    """A YAML value of one line: plain, or in single quotes in which two stand for one."""
    return text[1:-1].replace("''", "'") if text[:1] == text[-1:] == "'" and len(text) > 1 else text


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Literal blocks of YAML: `  options: |`, and lines that stand four blanks in."""
    key, lines = "", list[str]()
    for line in [*text.splitlines(), "  : |"]:
        if line.startswith("  ") and not line.startswith("    ") and line.endswith(": |"):
            if key:
                yield key, "\n".join(lines) + "\n"
            key, lines = line.strip().removesuffix(": |").strip(), []
        else:
            lines.append(line.removeprefix("    "))


def overview(handlers: Mapping[str, str]) -> str:
    """`stretto --help`."""
    rows = [f"  {name:<16} {definition(name).head['description']}" for name in handlers]
    verbs = [f"  stretto {form:<42} {what}" for form, what in VERB_HELP.values()]
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
            "",
            RUNNER,
            "",
            CODES,
        ]
    )


def command_help(name: str, handlers: Mapping[str, str]) -> str:
    """`stretto COMMAND --help`: description, usage, options and examples.

    Raises:
        BadInput: There is no such command.
    """
    name = name.removeprefix("/")
    if name in VERB_HELP:
        return _verb_help(name)
    if name not in handlers:
        raise BadInput(f"There is no command {name!r}.", field="command", allowed=[*handlers, *VERB_HELP])
    head, metadata, _ = definition(name)
    parts = [f"{head['description']}.", "", f"Usage: stretto {name} {head['argument-hint']}".rstrip()]
    for key, text in metadata.items():
        parts += ["", f"{key.capitalize()}:", *(f"  {line}".rstrip() for line in text.splitlines())]
    runs_agents = "--gate" in metadata.get("options", "")
    return "\n".join([*parts, "", GLOBAL, "", *([RUNNER, ""] if runs_agents else []), CODES])


def _verb_help(name: str) -> str:
    form, what = VERB_HELP[name]
    details = [_DETAILS[name], ""] if name in _DETAILS else []
    return "\n".join([f"{what[0].upper()}{what[1:]}.", "", f"Usage: stretto {form}", "", *details, GLOBAL, "", CODES])
