"""Import: recordings of Claude Code's as a cassette, with a report of all that was passed over.

Session files of the main conversation and of subagents, and stream-json, in any state. Lanes are `main` (`main-2` for
a second session) and `agent/KIND-N`. A turn is one message of the model. Its calls keep what they answered if they
reach outside or were a shell's, and what they wrote.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, InvalidToolCall, ToolCall, ToolMessage

from stretto.agents.cassette import Call, Cassette, Header, Kept, Reply, ToolNote, Turn
from stretto.agents.cassette_redact import redacted
from stretto.agents.kept import kept
from stretto.agents.prints import Normal, Printer, note, tail_of
from stretto.agents.redact import Redactor
from stretto.agents.session_files import WRITING, Shelf
from stretto.agents.session_rows import Facts, facts, parsed, word
from stretto.agents.session_said import Heard
from stretto.agents.session_talk import Spoken, Talk, Talks, Used
from stretto.agents.tools import Result, shortened
from stretto.state.errors import BadInput

INSIDE = frozenset({"Read", "Glob", "Grep", "LS", "NotebookRead", "TodoWrite", *WRITING})
"""Claude Code's tools that only read the workspace, or write what a cassette keeps: their words are not needed."""
_LONGEST = 16_000
_TITLE = 200
_ODD = re.compile(r"[^A-Za-z0-9_.-]+")


class Imported(NamedTuple):
    """A cassette, and how it came about. `skipped` counts what was passed over, by what it was."""

    cassette: Cassette
    rows: int
    skipped: dict[str, int]
    versions: tuple[str, ...]
    input_tokens: int
    output_tokens: int
    uncounted: int


def import_files(paths: Sequence[Path], task: str = "") -> Imported:
    """Make a cassette of session files or streams.

    A folder stands for the files in it; beside a session file, the files of its subagents are found.

    Raises:
        BadInput: A file cannot be read, or no turn is in any of them.
    """
    heard = Heard()
    for path in _all(paths):
        try:
            heard.read(path)
        except OSError as error:
            raise BadInput(f"{str(path)!r} cannot be read: {error}.", field="file") from error
    return imported(heard, task)


def import_lines(lines: Iterable[str], task: str = "") -> Imported:
    """Make a cassette of the lines of one session or stream.

    Raises:
        BadInput: No turn is in them.
    """
    heard = Heard()
    heard.take(row for line in lines for row in parsed(line, heard.tally))
    return imported(heard, task)


def turns_of(lines: Iterable[str], lane: str, opening: Sequence[BaseMessage], normal: Normal) -> list[Turn]:
    """The turns of one agent, from what its client wrote; none if that holds none.

    `opening` is what it was told first, in place of what the client says of that. What its calls wrote is not kept.
    """
    heard = Heard()
    heard.take(row for line in lines for row in parsed(line, heard.tally))
    talks = Talks(heard)
    talk = next((talk for talk in talks.talks.values() if any(True for _ in talk.spoken)), None)
    if talk is None:
        return []
    talk.name = lane
    while isinstance(talk.told[0], str):
        del talk.told[0]
    maker = _Maker({lane: talk}, talks, Shelf("", heard.tally), normal, opening)
    tools = [tuple(note.model_copy(update={"files": ()}) for note in turn.tools) for turn in maker.all()]
    return [turn.model_copy(update={"tools": notes}) for turn, notes in zip(maker.all(), tools, strict=True)]


def _all(paths: Sequence[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found |= dict.fromkeys(sorted(p for p in path.rglob("*.jsonl") if p.is_file()))
        else:
            found[path] = None
            found |= dict.fromkeys(sorted((path.with_suffix("") / "subagents").glob("agent-*.jsonl")))
    return list(found)


def imported(heard: Heard, task: str = "") -> Imported:
    """The cassette of what was heard.

    Raises:
        BadInput: No turn is in it.
    """
    talks = Talks(heard)
    talks.link()
    lanes = _named(talks)
    if not lanes:
        raise BadInput("There is no turn of a model in what was given, so there is nothing to import.", field="file")
    redactor = Redactor(everybody=True)
    folder = next(iter(heard.folders), "")
    shelf = Shelf(folder, heard.tally)
    maker = _Maker(lanes, talks, shelf, Normal(folder, redactor.text))
    turns = maker.all()
    header = Header(
        origin="imported",
        task=_title(task or _first_words(lanes)),
        model=next((spoken.model for talk in lanes.values() for spoken in talk.spoken if spoken.model), ""),
        recorded_at=heard.began if re.fullmatch(r"[\dT:.Z+-]{10,40}", heard.began) else "",
    )
    cassette = redacted(Cassette(header, tuple(sorted(turns, key=lambda turn: turn.address))), redactor)
    counted = [turn.reply.usage for turn in cassette.turns if turn.reply.usage]
    return Imported(
        cassette,
        heard.rows,
        dict(sorted(heard.tally.items())),
        tuple(sorted(heard.versions)),
        sum(used.input_tokens for used in counted),
        sum(used.output_tokens for used in counted),
        len(cassette.turns) - len(counted),
    )


def _named(talks: Talks) -> dict[str, Talk]:
    """The conversations that have a turn, by lane."""
    lanes: dict[str, Talk] = {}
    numbers: dict[str, int] = {}
    redactor = Redactor({}, everybody=True)
    for talk in talks.talks.values():
        if not any(True for _ in talk.spoken):
            continue
        main = talk.key[0] == "main"
        kind = "main" if main else _ODD.sub("-", redactor.text(talks.kind_of(talk)))[:40].strip("-.") or "subagent"
        numbers[kind] = numbers.get(kind, 0) + 1
        talk.name = (
            f"agent/{kind}-{numbers[kind]}" if not main else kind if numbers[kind] == 1 else f"main-{numbers[kind]}"
        )
        lanes[talk.name] = talk
    return lanes


def _first_words(lanes: dict[str, Talk]) -> str:
    for talk in lanes.values():
        for told in talk.told:
            if isinstance(told, str) and told.strip():
                return told
    return ""


def _title(text: str) -> str:
    return " ".join(text.split())[:_TITLE] or "an imported session"


class _Maker:
    """Makes turns, in the order in which a replay holds them: a subagent's at the call that began it."""

    def __init__(
        self,
        lanes: dict[str, Talk],
        talks: Talks,
        shelf: Shelf,
        normal: Normal,
        opening: Sequence[BaseMessage] = (),
    ) -> None:
        self._opening = opening
        self._lanes = lanes
        self._shelf = shelf
        self._normal = normal
        self._begun = {talk.call: talk for talk in lanes.values() if talk.call and talk.call in talks.calls}
        self._held: set[str] = set()
        self._made: list[Turn] = []

    def all(self) -> list[Turn]:
        """Of all conversations, in the order in which a replay holds them: what a file was before depends on it."""
        later = {talk.name for talk in self._begun.values()}
        lanes = [talk for _, talk in sorted(self._lanes.items())]
        for talk in [*(talk for talk in lanes if talk.name not in later), *lanes]:
            self._hold(talk, 0)
        return self._made

    def _hold(self, talk: Talk, depth: int) -> None:
        if talk.name in self._held:
            return
        self._held.add(talk.name)
        printer = Printer(self._normal)
        messages: list[BaseMessage] = [*self._opening]
        number = 0
        for told in talk.told:
            if isinstance(told, str):
                messages.append(HumanMessage(told))
                continue
            number += 1
            messages = messages or [HumanMessage("")]
            prints, tail = printer.prints(messages), tail_of(messages, self._normal)
            notes = tuple(self._note(used, talk, depth) for used in told.calls)
            reply = self._reply(told)
            self._made.append(Turn(lane=talk.name, turn=number, fp=prints, request_tail=tail, reply=reply, tools=notes))
            messages += _messages(told, number)

    def _reply(self, spoken: Spoken) -> Reply:
        calls = tuple(
            Call(n=n, name=self._normal.portable(used.name), args=self._normal.portable_json(_args(used)))
            for n, used in enumerate(spoken.calls)
        )
        text = self._normal.portable("\n\n".join(spoken.texts))
        return Reply(text=text, tool_calls=calls, usage=spoken.tokens(), model=spoken.model, stop=spoken.stop)

    def _note(self, used: Used, talk: Talk, depth: int) -> ToolNote:
        begun = self._begun.get(used.id)
        lane = ""
        if begun and begun.name not in self._held and begun is not talk and depth < _DEEPEST:
            lane = begun.name
            self._hold(begun, depth + 1)
        result = Result(used.text, ok=bool(used.ok))
        made = note(self._normal.portable(used.name), result, self._normal, keep=used.name not in INSIDE)
        text = None if made.text is None else shortened(made.text, _LONGEST)
        return made.model_copy(update={"text": text, "files": self._files(used), "lane": lane})

    def _files(self, used: Used) -> tuple[Kept, ...]:
        wrote = self._shelf.take(used)
        if wrote is None:
            return ()
        before = None if wrote.before is None else wrote.before.encode()
        return (kept(self._normal.portable(wrote.path), wrote.after.encode(), before, self._normal),)


_DEEPEST = 40
"""How deep agents may have begun agents: as many as nobody has seen."""


def _args(used: Used) -> Facts | str:
    given: object = used.args
    return facts(cast("object", given)) if isinstance(given, dict) else word(given)


def _messages(spoken: Spoken, turn: int) -> list[BaseMessage]:
    """A turn as the messages that the next request holds."""
    good: list[ToolCall] = []
    broken: list[InvalidToolCall] = []
    answers: list[BaseMessage] = []
    for n, used in enumerate(spoken.calls):
        name, args = f"call-{turn}-{n}", _args(used)
        if isinstance(args, str):
            broken.append(InvalidToolCall(type="invalid_tool_call", name=used.name, args=args, id=name, error=None))
        else:
            good.append(ToolCall(name=used.name, args=args, id=name))
        status: Any = "success" if used.ok else "error"
        answers.append(ToolMessage(used.text, tool_call_id=name, name=used.name, status=status))
    return [AIMessage("\n\n".join(spoken.texts), tool_calls=good, invalid_tool_calls=broken), *answers]
