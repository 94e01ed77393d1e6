"""What a plan's file says of its tasks and of itself, read with the standard library alone.

`plan_file.parse` makes a `Plan` of it; the lists of documents go by it, too, so that both say the same is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from stretto.graph.markdown import block, code_spans, links
from stretto.graph.plan_lines import Item, PhaseLines

TASK_ID = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_OUTSIDE = re.compile(r"[/~]|[A-Za-z]:")
PLAIN_ID = r"(?:[A-Za-z]|[Tt]ask[-_]?)?\d{1,6}(?:[._-]\d{1,6})*[a-z]?"
_NAMED = re.compile(
    rf"(?:\*\*(?:`(?P<coded>[^`]+)`|(?P<plain>{PLAIN_ID})):?\*\*:?|(?P<bare>T\d{{1,6}}(?:\.\d{{1,6}})*):)\s+(?P<title>.+)"
)
_FIELD = re.compile(
    r"\s+[-*+]\s+(?:\*\*)?(?P<name>reads|writes|files|depends on|depends|dependencies|checks?)(?:\*\*)?\s*:(?:\*\*)?"
    r"\s*(?P<value>.*)",
    re.IGNORECASE,
)
_FIELDS = {"files": "writes", "depends": "depends on", "dependencies": "depends on", "check": "checks"}
_META = re.compile(r"\s*[-*+]\s+\**(?P<name>[A-Za-z][A-Za-z ]{0,39}?)\**:\**\s*(?P<value>.*)")
_NOTHING = frozenset({"", "-", "none", "n/a", "nothing"})


def task_id(text: str) -> str:
    """The text, if it is the id of a task. Raises ValueError for anything else."""
    if not TASK_ID.fullmatch(text):
        raise ValueError(f"{text!r} is not a task id: letters, digits, '_', '-' and single dots, at most 64")
    return text


def inside(text: str) -> str:
    """A path below the project's root. Declared paths come from models, so nothing else is let through.

    Raises:
        ValueError: It is another one.
    """
    parts = text.split("/")
    if _OUTSIDE.match(text) or ".." in parts or "\\" in text or any(p.lower() == ".git" for p in parts):
        raise ValueError(f"{text!r} is not a path inside the project")
    return text.removeprefix("./")


def read_metadata(text: str) -> dict[str, list[str]]:
    """Each name with its value, followed by the bullets nested below it."""
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for line in text.split("\n"):
        nested = line.startswith((" ", "\t"))
        if not nested and (match := _META.fullmatch(line)):
            values = found.setdefault(match["name"].strip().lower(), [match["value"].strip()])
        elif line.strip():
            values.append(re.sub(r"^\s*[-*+]\s+", "", line))
    return found


def linked(values: Iterable[str]) -> Iterator[str]:
    """Files as links, or as `listed` takes them."""
    for value in values:
        yield from links(value) or listed(value)


def listed(value: str) -> tuple[str, ...]:
    """Names as code, or as words between commas."""
    return tuple(code_spans(value)) or words(value)


def words(value: str) -> tuple[str, ...]:
    """What stands between commas, but for words that say that there is nothing."""
    """What stands between commas, but for words that say that there is nothing."""
    return tuple(w for w in map(str.strip, value.split(",")) if w.lower() not in _NOTHING)


def identified(phase: PhaseLines) -> list[tuple[Item, str, str]]:
    """Each task of a phase with its id and title; ids are made where none is written."""
    named = [(item, _NAMED.fullmatch(item.text)) for item in phase.items]
    taken = {m["coded"] or m["plain"] or m["bare"] for _, m in named if m}
    free = (f"T{phase.number}.{n}" for n in range(1, 10**6) if f"T{phase.number}.{n}" not in taken)
    return [
        (item, m["coded"] or m["plain"] or m["bare"], m["title"]) if m else (item, next(free), item.text)
        for item, m in named
    ]


def below(lines: Sequence[str]) -> tuple[dict[str, str], str]:
    """What hangs below a task: its fields, which stand before the first blank line, and its description."""
    end = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
    named = [(line, _FIELD.fullmatch(line)) for line in lines[:end]]
    fields = {_FIELDS.get(name, name): m["value"].strip() for _, m in named if m for name in [m["name"].lower()]}
    prose = [line for line, m in named if not m]
    return fields, block("\n".join(map(_dedent, (*prose, *lines[end:]))))


def _dedent(line: str) -> str:
    return line[1:] if line.startswith("\t") else line.removeprefix("  ")
