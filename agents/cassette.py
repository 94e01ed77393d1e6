"""Cassettes: a recorded run as a text file that people can read and compare.

JSON lines: a header, then one line a turn, sorted by lane and turn, keys sorted. A turn is found by its address (lane,
turn); its fingerprints tell whether the conversation is still the one that was recorded. docs/cassettes.md tells every
key.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from stretto.agents.data import bad_outcome
from stretto.agents.redact import paths_in, secrets_in, texts_in
from stretto.agents.task import Frozen, Outcome
from stretto.state.errors import BadInput

L = TypeVar("L", bound=BaseModel)

VERSION: Literal[1] = 1
Origin = Literal["recorded", "authored", "imported"]


class Grown(Frozen):
    """Keys that a later version added are written only where they say something: what is older stays as it was."""

    LATER: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        said: dict[str, Any] = handler(self)
        return {k: v for k, v in said.items() if k not in self.LATER or getattr(self, k) != fields[k].get_default()}


class Header(Grown):
    """What a cassette is of. `aliases` are other wordings of its task; `workflow` the workflow that was recorded.

    `redactions` counts the values that were taken out of the file. `command` and `options` are the command that was
    recorded, as far as a replay must give them again; `arguments` are its words and JSON, of a command that has others
    than the task.
    """

    LATER = frozenset({"command", "options", "arguments"})

    cassette: Literal[1] = VERSION
    origin: Origin = "recorded"
    task: str
    aliases: tuple[str, ...] = ()
    template: str = ""
    model: str = ""
    recorded_at: str = ""
    workflow: str = ""
    redactions: int = Field(default=0, ge=0)
    command: str = ""
    options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


class Prints(Frozen):
    """Fingerprints of a request, 12 hexadecimal digits each."""

    system: str
    shape: str
    tail: str
    full: str


class Call(Frozen):
    """One tool call of a reply. `args` is a string where the model wrote no JSON object."""

    n: int = Field(ge=0)
    name: str
    args: dict[str, Any] | str


class Tokens(Frozen):
    """What the provider counted."""

    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)


class Reply(Frozen):
    """What the model said."""

    text: str = ""
    tool_calls: tuple[Call, ...] = ()
    usage: Tokens | None = None
    model: str = ""
    stop: str = ""


class Kept(Grown):
    """A file as an agent left it, relative to its workspace: `text`, or `base64` where it is none; neither: deleted.

    `before` is the digest of what was there before, empty if nothing was. `placed` says that the workspace's path stood
    in the text, `redacted` that a secret did; then the file cannot be made again byte for byte.
    """

    LATER = frozenset({"mode", "text", "base64", "placed", "redacted"})

    path: str = Field(min_length=1)
    mode: Literal["100644", "100755", "120000"] = "100644"
    before: str = ""
    text: str | None = None
    base64: str | None = None
    placed: bool = False
    redacted: bool = False


class ToolNote(Grown):
    """How a tool answered.

    `text` is kept where a replay cannot ask the tool again; what runs live is compared by `hash`. `files` is what an
    imported session's call wrote, `lane` the lane that it began.
    """

    LATER = frozenset({"text", "files", "lane"})

    name: str
    status: Literal["success", "error"]
    hash: str
    text: str | None = None
    files: tuple[Kept, ...] = ()
    lane: str = ""


class End(Frozen):
    """How an attempt ended whose tools ran outside of our desk.

    `files` is what it left in its workspace, None where nobody could look. `lost` names what it left and is not kept,
    with the reason.
    """

    outcome: Outcome
    files: tuple[Kept, ...] | None = None
    lost: tuple[str, ...] = ()


class Turn(Grown):
    """One turn of one lane. The last turn of an agent with tools of its own has an `end`."""

    LATER = frozenset({"end"})

    lane: str = Field(min_length=1)
    turn: int = Field(ge=1)
    fp: Prints
    request_tail: str = ""
    reply: Reply
    tools: tuple[ToolNote, ...] = ()
    end: End | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it is found."""
        return self.lane, self.turn


class Cassette(NamedTuple):
    """A header and its turns, in the order of the file."""

    header: Header
    turns: tuple[Turn, ...]

    def tasks(self) -> tuple[str, ...]:
        """The tasks that this cassette can replay."""
        return (self.header.task, *self.header.aliases)

    def knows(self, description: str) -> bool:
        """Whether it is a recording of this task."""
        return same_task(description, self.tasks())


def same_task(description: str, tasks: Iterable[str]) -> bool:
    """Whether `description` is one of `tasks`. Case, white space and a final stop do not matter."""
    return _tidy(description) in map(_tidy, tasks)


def _tidy(text: str) -> str:
    return " ".join(text.split()).strip(" .\"'").casefold()


def load(path: Path) -> Cassette:
    """Read a cassette.

    Raises:
        BadInput: There is no such file, or a line of it is not what the format says; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeError) as error:
        raise BadInput(f"The cassette {str(path)!r} cannot be read: {error}.", field="cassette") from error
    cassette = Cassette(
        _line(path, 1, lines[0], Header), tuple(_line(path, n, line, Turn) for n, line in enumerate(lines[1:], 2))
    )
    if twice := duplicates(cassette.turns):
        raise BadInput(f"The cassette {str(path)!r} is damaged: {twice[0]}.", field="cassette")
    return cassette


def _line(path: Path, number: int, text: str, shape: type[L]) -> L:
    try:
        return shape.model_validate_json(text)
    except ValidationError as error:
        wrong = bad_outcome(error, "", f"Cassette {str(path)!r}, line {number}")
        raise BadInput(wrong.message, field="cassette") from error


def save(path: Path, cassette: Cassette) -> None:
    """Write a cassette, sorted, whole or not at all."""
    turns = sorted(cassette.turns, key=lambda turn: turn.address)
    text = "".join(line_of(part) + "\n" for part in (cassette.header, *turns))
    path.parent.mkdir(parents=True, exist_ok=True)
    side = path.with_name(f".{path.name}.{os.getpid()}")
    with side.open("w", encoding="utf-8", errors="replace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    side.replace(path)


def line_of(part: Frozen) -> str:
    """A header or a turn as its line, keys sorted."""
    return json.dumps(part.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)


def lint(cassette: Cassette) -> list[str]:
    """What is wrong with a cassette, a sentence each.

    Secrets, paths of the machine that it was made on, turns that are there twice or that no replay reaches.
    """
    problems = duplicates(cassette.turns)
    for part in (cassette.header, *cassette.turns):
        problems += held_in(part)
    return problems + [why for _, why in unreached(cassette.turns)]


def held_in(part: Grown) -> Iterator[str]:
    """What a header or a turn holds that it should not, a sentence each."""
    where = f"turn {part.turn} of lane {part.lane!r}" if isinstance(part, Turn) else "the header"
    texts = list(texts_in(part.model_dump(mode="json")))
    for kind in dict.fromkeys(kind for text in texts for kind in secrets_in(text)):
        yield f"{where} seems to hold a secret ({kind})"
    for path in dict.fromkeys(path for text in texts for path in paths_in(text)):
        yield f"{where} holds a path of one machine ({path})"


def duplicates(turns: Iterable[Turn]) -> list[str]:
    """Which turns are there more than once."""
    counts = Counter(turn.address for turn in turns)
    return [
        f"turn {turn} of lane {lane!r} is there {count} times" for (lane, turn), count in counts.items() if count > 1
    ]


def unreached(turns: Iterable[Turn]) -> list[tuple[tuple[str, int], str]]:
    """The turns that no replay reaches, and why."""
    there = {turn.address for turn in turns}
    return [
        ((lane, turn), f"turn {turn} of lane {lane!r} is never reached: turn {turn - 1} is missing")
        for lane, turn in sorted(there)
        if turn > 1 and (lane, turn - 1) not in there
    ]
