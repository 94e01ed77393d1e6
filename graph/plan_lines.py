"""Where things stand in a plan's file: sections, phases, tasks and criteria, each with its line.

Reading (`plan_file.parse`) and ticking (`plan_file.tick`) look at the file through this one scanner, so a box that was
read is the box that gets ticked. Structure is what stands at the start of a line outside code blocks: prose never is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from stretto.graph.markdown import block, fenced, fences
from stretto.state.errors import BadInput
from stretto.state.light import NamedTuple

CHECKBOX = re.compile(r" ?(?:[-*+]|\d{1,3}[.)])[ \t]+\[(?P<mark>[ xX])\][ \t]+(?P<text>.*\S)\s*")
_SECTION = re.compile(r"##\s+.*\S\s*")
_TITLE = re.compile(r"#\s+(?P<title>.*\S)\s*")
_PHASE = re.compile(
    r"###\s+phase\s+(?P<number>\d{1,4})(?!\w|\.\w)\s*[:.\u2014\u2013-]?\s*(?P<name>.*?)\s*", re.IGNORECASE
)
_PHASE_LIKE = re.compile(r"###\s+phase\b.*", re.IGNORECASE)
_DONE = re.compile(r"(?P<name>.*?)(?<!\\)\[completed(?:[ :-][^\[\]]*)?\]", re.IGNORECASE)
_LABEL = re.compile(r"(?P<loud>#{4,6}\s+|\*\*)?(?P<name>[A-Za-z][A-Za-z /&-]{0,39})(?P<end>[:*]{0,3})\s*")
_REGIONS = {"tasks": "tasks", "testing": "testing", "tests": "testing", "test": "testing"}
_INTRO = frozenset({"objective", "complexity"})
PHASES = ("implementation phases", "phases")


class Item(NamedTuple):
    """A line with a checkbox, and the lines that hang below it (not dedented)."""

    line: int
    done: bool
    text: str
    below: tuple[str, ...]


class PhaseLines(NamedTuple):
    """One phase as it stands in the file; `line` is its heading. `testing` are stripped lines."""

    line: int
    number: int
    name: str
    completed: bool
    intro: tuple[str, ...]
    items: tuple[Item, ...]
    testing: tuple[str, ...]


class Section(NamedTuple):
    """The lines of one `##` section, without its heading."""

    title: str
    lines: range


class Outline:
    """A plan's file, taken apart. Lines are counted from 0."""

    def __init__(self, text: str, source: str) -> None:
        self.source = source
        self.lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
        self.code = fenced(self.lines)
        self.sections = tuple(self._sections())

    def _plain(self, span: range) -> Iterator[tuple[int, str]]:
        return ((i, self.lines[i]) for i in span if i not in self.code)

    def _sections(self) -> Iterator[Section]:
        heads = [i for i, line in self._plain(range(len(self.lines))) if _SECTION.fullmatch(line)]
        for i, end in pairwise((*heads, len(self.lines))):
            title = self.lines[i].strip("#: \t")
            yield Section(title.lower(), range(i + 1, end))

    def error(self, line: int, problem: str) -> BadInput:
        """What is wrong with the file, at which line (given from 0, shown from 1)."""
        return BadInput(
            f"{self.source}, line {line + 1}: {problem}",
            field=f"{self.source}:{line + 1}",
            next_steps=(
                "A plan has a '# … Implementation Plan' title and, under '## Implementation Phases',"
                " headings '### Phase 1: Name' with tasks as '- [ ] …' lines.",
            ),
        )

    def title(self) -> str:
        """The words of the first `#` heading.

        Raises:
            BadInput: There is none.
        """
        match = _TITLE.fullmatch(self.lines[max(0, self.title_line())])
        if match is None:
            raise self.error(0, "there is no title: a line '# … Implementation Plan'.")
        return match["title"]

    def title_line(self) -> int:
        """The line of the first `#` heading, or -1."""
        return next((i for i, line in self._plain(range(len(self.lines))) if _TITLE.fullmatch(line)), -1)

    def body(self, *titles: str) -> str:
        """The text of the sections with one of these titles (lower case), as it stands."""
        spans = [s.lines for s in self.sections if s.title in titles]
        return "\n\n".join(filter(None, (block("\n".join(self.lines[i] for i in span)) for span in spans)))

    def criteria(self) -> tuple[Item, ...]:
        """The boxes under Success Criteria."""
        spans = [s.lines for s in self.sections if s.title == "success criteria"]
        return tuple(item for span in spans for item in self._items(span))

    def phases(self) -> tuple[PhaseLines, ...]:
        """The phases, in their order.

        Raises:
            BadInput: There is no such section, no phase in it, a heading without a number, or one out of order.
        """
        spans = [s.lines for s in self.sections if s.title in PHASES]
        if not spans:
            raise self.error(len(self.lines) - 1, "the file ends without a section '## Implementation Phases'.")
        found = tuple(phase for span in spans for phase in self._phases(span))
        if not found:
            raise self.error(spans[0].start - 1, "this section has no phase: a heading '### Phase 1: Name'.")
        for before, after in pairwise(found):
            if after.number <= before.number:
                raise self.error(after.line, f"phase {after.number} comes after phase {before.number}.")
        return found

    def _phases(self, span: range) -> Iterator[PhaseLines]:
        heads = [i for i, line in self._plain(span) if re.match(r"###\s", line)]
        for i, end in pairwise((*heads, span.stop)):
            if match := _PHASE.fullmatch(self.lines[i]):
                yield self._phase(i, end, match)
            elif _PHASE_LIKE.fullmatch(self.lines[i]):
                raise self.error(i, f"{self.lines[i].strip()!r} has no whole number: write '### Phase 2: Name'.")

    def _phase(self, line: int, end: int, heading: re.Match[str]) -> PhaseLines:
        done = _DONE.fullmatch(heading["name"])
        number, name = int(heading["number"]), (done["name"] if done else heading["name"]).strip()
        regions = list(self._regions(range(line + 1, end)))
        if number < 1:
            raise self.error(line, "phases are numbered from 1.")
        return PhaseLines(
            line=line,
            number=number,
            name=name or f"Phase {number}",
            completed=bool(done),
            intro=tuple(text for region, span in regions if region == "intro" for _, text in self._plain(span)),
            items=tuple(i for region, span in regions if region in {"intro", "tasks"} for i in self._items(span)),
            testing=tuple(self.lines[i].strip() for region, span in regions if region == "testing" for i in span),
        )

    def _regions(self, span: range) -> Iterator[tuple[str, range]]:
        """A phase's parts: what comes first, and what follows each label (`Tasks:`, `Testing:`, `**Notes**:`)."""
        name, start = "intro", span.start
        for i, line in self._plain(span):
            if label := _label(line):
                yield name, range(start, i)
                name, start = label, i + 1
        yield name, range(start, span.stop)

    def _items(self, span: range) -> Iterator[Item]:
        """The boxes at the left edge. A line at the edge that is no box ends the item, unless it continues its text."""
        head: tuple[int, re.Match[str]] | None = None
        below: list[str] = []
        for i in span:
            line = self.lines[i]
            box = None if i in self.code else CHECKBOX.fullmatch(line)
            if head and (box or not _hangs(line, below)):
                yield _item(head, below)
                head, below = None, []
            if box:
                head = (i, box)
            elif head:
                below.append(line)
        if head:
            yield _item(head, below)


def _item(head: tuple[int, re.Match[str]], below: Sequence[str]) -> Item:
    line, box = head
    return Item(line, box["mark"] != " ", box["text"], tuple(below))


def _hangs(line: str, below: Sequence[str]) -> bool:
    """Whether a line belongs to the item above: indented, blank, or prose that goes on without a blank line."""
    indented = not line.strip() or line.startswith(("  ", "\t"))
    return indented or (all(b.strip() for b in below) and re.match(r"\w", line) is not None)


def _label(line: str) -> str:
    """The region that a line opens, or an empty string. An unknown label opens one that nobody reads."""
    match = _LABEL.fullmatch(line)
    if not match or not (match["loud"] or ":" in match["end"]):
        return ""
    name = match["name"].strip().lower()
    return _REGIONS.get(name, "other" if match["loud"] and name not in _INTRO else "")


def commands(lines: Sequence[str]) -> list[str]:
    """The commands among a Testing region's lines: those in code blocks, and bullets that begin with a code span."""
    blocks = fences(lines)
    inside = {i for span in blocks for i in span}
    script = "\n".join("\n".join(lines[i] for i in span[1:-1]) for span in blocks)
    bullets = [_bullet_command(line) for i, line in enumerate(lines) if i not in inside]
    return [*re.sub(r"\\\n\s*", " ", script).split("\n"), *filter(None, bullets)]


def _bullet_command(line: str) -> str:
    match = re.match(
        r"(?:[-*+]|\d{1,3}[.)])\s+(?:\[[ xX]\]\s+)?(?:[Rr]un:?\s+)?(?P<ticks>`+)(?P<code>.+?)(?P=ticks)", line
    )
    return match["code"].strip() if match else ""
