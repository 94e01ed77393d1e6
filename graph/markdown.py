"""Markdown as text: the few rules by which our files are written, so that they can be read back without loss.

Only what stands at the start of a line can be mistaken for structure. Texts that others wrote go into our files either
behind a prefix, or indented, or guarded: a line that would end the section gets a backslash, which markdown hides.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote, unquote

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_FENCE = re.compile(r"(?:(?P<ticks>`{3,})[^`]*|(?P<tildes>~{3,}).*)")
_FENCE_END = re.compile(r" {0,3}(?P<run>`{3,}|~{3,})\s*")
_HEADING = re.compile(r"(?P<marks>#{1,6})(?=\s|$)(?P<rest>.*)")
_UNDERLINE = re.compile(r" {0,3}=+\s*")
_PROSE = re.compile(r" {0,3}(?![#>]|[-*+]\s|\d+[.)]\s)\S")
_GUARDED = re.compile(r"\\*(?:##(?!#)|`{3}|~{3})")
_SPAN = re.compile(r"(?<!`)(?P<ticks>`+)(?!`)(?P<text>.+?)(?<!`)(?P=ticks)(?!`)")
_LINK = re.compile(r"\[(?:[^\[\]\\]|\\.)*\]\((?:<(?P<angle>[^<>]*)>|(?P<bare>[^()\s]*))\)")


def one_line(text: str) -> str:
    """The text on one line: white space of any kind becomes one blank, control and half characters are dropped."""
    return " ".join(_CONTROL.sub("", re.sub(r"\s", " ", text)).split())


def block(text: str) -> str:
    """The text over lines ended by a newline, without control characters and without blank lines at its ends."""
    clean = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n".join(line if line.strip() else "" for line in clean.split("\n")).strip("\n")


def code(text: str) -> str:
    """A code span that shows `text`, whatever backticks it holds."""
    fence = "`" * (longest_run(text, "`") + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def longest_run(text: str, mark: str) -> int:
    """The length of the longest run of one character."""
    return max(map(len, re.findall(f"{re.escape(mark)}+", text)), default=0)


def code_spans(text: str) -> list[str]:
    """What the code spans of one line show, in their order."""
    return [m["text"].strip() for m in _SPAN.finditer(text)]


def fences(lines: Sequence[str]) -> list[range]:
    """The fenced code blocks that start in column 0, each as the lines from its opening to its closing fence.

    A fence that nothing closes is no block here: half a file must not vanish because of one forgotten line.
    """
    found: list[range] = []
    hopeless: dict[str, int] = {}
    i = 0
    while i < len(lines):
        run = _opening(lines[i])
        end = None
        if run and len(run) < hopeless.get(run[0], len(run) + 1):
            end = _closing(lines, i + 1, run)
            if end is None:
                hopeless[run[0]] = len(run)
        if end is not None:
            found.append(range(i, end + 1))
        i = end + 1 if end is not None else i + 1
    return found


def _opening(line: str) -> str:
    match = _FENCE.fullmatch(line)
    return (match["ticks"] or match["tildes"]) if match else ""


def _closing(lines: Sequence[str], start: int, run: str) -> int | None:
    for i in range(start, len(lines)):
        match = _FENCE_END.fullmatch(lines[i])
        if match and match["run"].startswith(run):
            return i
    return None


def fenced(lines: Sequence[str]) -> set[int]:
    """The indexes of all lines that belong to a fenced code block."""
    return {i for span in fences(lines) for i in span}


def guard(text: str) -> str:
    r"""The text as it can stand in a `##` section without ending it: `## x` becomes `\## x`. See `unguard`."""
    return _outside_code(text, lambda line: f"\\{line}" if _GUARDED.match(line) else line)


def unguard(text: str) -> str:
    """Take back what `guard` did."""
    return _outside_code(text, lambda line: line[1:] if line.startswith("\\") and _GUARDED.match(line) else line)


def close_fences(text: str) -> str:
    """The text with a backslash before a code fence that nothing closes: it would swallow all that follows."""
    return _outside_code(text, lambda line: f"\\{line}" if _FENCE.fullmatch(line) else line)


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    lines = text.split("\n")
    inside = fenced(lines)
    return "\n".join(line if i in inside else change(line) for i, line in enumerate(lines))


def demote(text: str, top: int) -> str:
    """Push the headings down together until none is above level `top`; what was below stays below, six is the end."""
    lines = list(_without_underlines(text.split("\n")))
    inside = fenced(lines)
    heads = {i: _HEADING.fullmatch(line) for i, line in enumerate(lines) if i not in inside}
    levels = {i: len(m["marks"]) for i, m in heads.items() if m}
    shift = max(0, top - min(levels.values(), default=top))
    for i, level in levels.items():
        lines[i] = "#" * min(6, level + shift) + lines[i][level:]
    return "\n".join(lines)


def _without_underlines(lines: Sequence[str]) -> Iterator[str]:
    """A title underlined with `=` is a heading of level 1 as well; write it as one."""
    inside = fenced(lines)
    underlines: set[int] = set()
    for i, line in enumerate(lines):
        above = i - 1 if i and i - 1 not in inside | underlines else None
        if above is not None and i not in inside and _UNDERLINE.fullmatch(line) and _PROSE.match(lines[above]):
            underlines.add(i)
    for i, line in enumerate(lines):
        if i not in underlines:
            yield f"# {line.strip()}" if i + 1 in underlines else line


def headings(text: str) -> list[tuple[int, str]]:
    """Level and words of each `#` heading outside code blocks."""
    lines = text.split("\n")
    inside = fenced(lines)
    found = [_HEADING.fullmatch(line) for i, line in enumerate(lines) if i not in inside]
    return [(len(m["marks"]), m["rest"].strip()) for m in found if m]


def link(target: str, text: str = "") -> str:
    """A link; its words are the last part of the target unless others are given."""
    words = re.sub(r"([\\\[\]`<>])", r"\\\1", text or target.rstrip("/").rpartition("/")[2] or target)
    return f"[{words}]({quote(target, safe='/:')})"


def links(text: str) -> list[str]:
    """The targets of the links in one line."""
    return [m["angle"] if m["bare"] is None else unquote(m["bare"]) for m in _LINK.finditer(text)]
