"""An integration document as data: its examples, what each runs, what each expects, and what its prose promises.

An example is what stands below a heading of level one to three, up to the next; those without commands or events are
left out. Examples may stand inside a ```` ```markdown ```` fence, as templates do: fences are followed line by line,
since nested ones of three backticks are none to a reader of markdown. Inside such a fence a bare ``` opens a fence if
something but a heading follows it at once, and closes the fence around it otherwise.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stretto.commands.fence import each_statement
from stretto.state.errors import BadInput
from stretto.state.registry import is_known
from stretto.state.wire import Line, parse_event

LARGEST = 4 << 20
"""Bytes of the largest document that is read."""
_FENCE = re.compile(r"[ \t]*(?P<mark>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)")
_HEADING = re.compile(r"(?P<level>#{1,6})[ \t]+(?P<name>.*)")
_BULLET = re.compile(r"[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]+(?P<text>.*)")
_CHECK = re.compile(r"<!--[ \t]*check:[ \t]*(?P<check>[^<>]{0,200})-->")
_BOLD = re.compile(r"\*\*(?P<title>[^*]+?):?\*\*:?")
_EVENT = re.compile(r"[A-Za-z][A-Za-z0-9_.]*:[^\s:]+:[^\s:]+:[ \t]*\{")
_NO_DATA = re.compile(r"(?P<type>[A-Z][A-Z0-9_]*):[^\s:]+:[^\s:]+(?::.*)?")
_PROMPT = re.compile(r"^([ \t]*)\$[ \t](?=[ \t]*/)", re.MULTILINE)
"""What a terminal shows before a command."""
_CONTAINERS = ("markdown", "md")
_SHELLS = ("bash", "sh", "shell", "console", "zsh")


class Step(NamedTuple):
    """Something to do: a `command`, an `event` that happens from outside, or a line that is neither (`other`).

    `line` counts from 1 in the document; `section` is the bold title above it; `problem` says why it cannot be done.
    """

    kind: str
    text: str
    line: int
    section: str = ""
    problem: str = ""


class Expected(NamedTuple):
    """An event that must be found in the log; `event` is None if the line is none, and `problem` says why."""

    event: Line | None
    text: str
    line: int
    problem: str = ""


class Bullet(NamedTuple):
    """A promise in prose, and the check that it is bound to, if any."""

    text: str
    line: int
    check: str = ""


class Example(NamedTuple):
    """One example, as it runs: in an isolated store."""

    name: str
    line: int
    steps: tuple[Step, ...]
    expected: tuple[Expected, ...]
    bullets: tuple[Bullet, ...]


def read_document(path: Path) -> tuple[Example, ...]:
    """The examples of the document at `path`.

    Raises:
        BadInput: There is no such file, or it is no text, or there is no example in it.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{str(path)!r} is larger than {LARGEST >> 20} MiB and was not read.", field="file")
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise BadInput(f"{str(path)!r} cannot be read: {error}.", field="file") from error
    if found := parse_document(text, path.stem):
        return found
    raise BadInput(
        f"{str(path)!r} holds no example: a heading, and below it a bash fence with slash commands or a fence with"
        " event lines.",
        field="file",
        next_steps=("See docs/verify.md for a template.",),
    )


def parse_document(text: str, name: str) -> tuple[Example, ...]:
    """The examples of a text; `name` is that of what stands above the first heading."""
    reader = _Reader(text.replace("\r\n", "\n").split("\n"), name)
    reader.read()
    return tuple(draft.example() for draft in reader.drafts if draft.steps or draft.expected)


class _Open(NamedTuple):
    """A fence that is open."""

    mark: str
    language: str
    line: int

    @property
    def holds_markdown(self) -> bool:
        return self.language in _CONTAINERS


class _Draft:
    """An example that is being read."""

    def __init__(self, name: str, line: int) -> None:
        self.name = name
        self.line = line
        self.section = ""
        self.steps: list[Step] = []
        self.expected: list[Expected] = []
        self.bullets: list[Bullet] = []

    def example(self) -> Example:
        """As it was read."""
        return Example(self.name, self.line, tuple(self.steps), tuple(self.expected), tuple(self.bullets))

    def fence(self, language: str, lines: list[str], first: int) -> None:
        """Take what stands in one fence, whose first line has this number."""
        if language in _SHELLS:
            self.steps += _steps(_PROMPT.sub(r"\1  ", "\n".join(lines)), first, self.section)
        elif any(_is_event(line.strip()) for line in lines):
            self.expected += _expected(lines, first)

    def prose(self, text: str, line: int) -> None:
        """Take one line outside of fences."""
        if bold := _BOLD.fullmatch(text.strip()):
            self.section = bold["title"]
        check = _CHECK.search(text)
        words = _CHECK.sub("", text).strip()
        bullet = _BULLET.fullmatch(words)
        if bullet:
            self.bullets.append(Bullet(bullet["text"], line, check["check"].strip() if check else ""))
        elif check and not words and self.bullets and not self.bullets[-1].check:
            self.bullets[-1] = self.bullets[-1]._replace(check=check["check"].strip())
        elif check:
            self.bullets.append(Bullet(words or check["check"].strip(), line, check["check"].strip()))


class _Reader:
    """Walks over the lines with the fences that are open, and the example that each container interrupts."""

    def __init__(self, lines: list[str], name: str) -> None:
        self.lines = lines
        self.drafts = [_Draft(name, 1)]
        self.open: list[_Open] = []
        self.around: list[_Draft] = []
        self.draft = self.drafts[0]
        self.content: list[str] = []

    def read(self) -> None:
        for index, line in enumerate(self.lines):
            fence = _FENCE.fullmatch(line.rstrip())
            if self.open and not self.open[-1].holds_markdown:
                self._inside(line, fence)
            elif fence:
                self._at_fence(index, fence)
            else:
                self._prose(line, index + 1)
        if self.open and not self.open[-1].holds_markdown:
            raise BadInput(f"The fence that opens in line {self.open[-1].line} is never closed.", field="file")

    def _inside(self, line: str, fence: re.Match[str] | None) -> None:
        top = self.open[-1]
        if fence is None or fence["info"] or not fence["mark"].startswith(top.mark):
            self.content.append(line)
            return
        self.open.pop()
        self.draft.fence(top.language, self.content, top.line + 1)

    def _at_fence(self, index: int, fence: re.Match[str]) -> None:
        if self.open and not fence["info"] and fence["mark"].startswith(self.open[-1].mark) and self._closes(index):
            self.open.pop()
            self.draft = self.around.pop()
            return
        words = fence["info"].split()
        self.open.append(_Open(fence["mark"], words[0].lower() if words else "", index + 1))
        self.content = []
        if self.open[-1].holds_markdown:
            self.around.append(self.draft)

    def _closes(self, index: int) -> bool:
        """Whether a bare fence in a container is the container's end, and not the beginning of one inside."""
        following = (self.lines[i].strip() for i in range(index + 1, len(self.lines)))
        if at_once := next(following, ""):
            return bool(_HEADING.fullmatch(at_once))
        return not _EVENT.match(next(filter(None, following), ""))

    def _prose(self, line: str, number: int) -> None:
        heading = _HEADING.fullmatch(line.strip())
        if heading is None:
            self.draft.prose(line, number)
        elif len(heading["level"]) <= 3:
            self.draft = _Draft(heading["name"].rstrip(" \t#"), number)
            self.drafts.append(self.draft)


def _steps(text: str, first: int, section: str) -> Iterator[Step]:
    try:
        for one in each_statement(text):
            problem = "neither a slash command nor an event line" if one.kind == "other" else ""
            yield Step(one.kind, one.text, first + one.line - 1, section, problem)
    except BadInput as error:
        line = int(error.details.get("line", 1))
        yield Step("other", text.split("\n")[line - 1], first + line - 1, section, error.message)


def _is_event(line: str) -> bool:
    """Whether a line of a fence is meant for an event: it has data, or at least a type that there is."""
    bare = _NO_DATA.fullmatch(line)
    return bool(_EVENT.match(line) or (bare and is_known(bare["type"])))


def _expected(lines: list[str], first: int) -> Iterator[Expected]:
    for number, line in enumerate(map(str.strip, lines), first):
        if not line or line.startswith("#"):
            continue
        try:
            yield Expected(parse_event(line), line, number)
        except BadInput as error:
            yield Expected(None, line, number, error.message)
