"""What stands in a pack to be read by a model and not by a person: hidden characters, and words that take over.

Grave things are refused. Others have good uses as well, and are shown before somebody agrees to the pack. Neither list
is a proof of good will: what a pack can do is held by what it declares.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from stretto.packs.files import SIGNATURE, Files
from stretto.packs.hidden_text import Folded, fold, hidden, mixed
from stretto.packs.injection_rules import ADDRESSED, RULES, Rule
from stretto.packs.pack import Problem

_COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)|^[ \t]*\[//\]:[ \t]*#[ \t]*\(?(.*?)\)?$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"\s*check: [a-z-]+( [\w.-]+)*\s*|\s*[^\n]{0,30}made by `[^`\n]{1,80}`\s*")
"""A comment that a tool reads: of a scenario, or of what makes a part of the page."""
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2}))")
_BLOB = re.compile(r"[A-Za-z0-9+/_-]{32,}={0,2}")
_LONG = 240
_MOST = 20
"""Places that are told of one rule in one file."""
_WORD = re.compile(r"[^\W\d_]+")
_NEGATION = r"(?:\bnot|n.?t|\bnever|\bnor|\bavoid|\brefuses? to|\bcannot)(?:\s+\S+){{0,{}}}\s+$"


class _Found(NamedTuple):
    line: int
    text: str
    grave: bool


def scan(files: Files) -> list[Problem]:
    """What is refused: hidden characters, and words that take an assistant over."""
    return _problems(files, grave=True)


def shown(files: Files) -> list[Problem]:
    """What somebody should see before agreeing to the pack: it has good uses, and bad ones."""
    return _problems(files, grave=False)


def _problems(files: Files, *, grave: bool) -> list[Problem]:
    return [
        Problem(path, found.line, found.text)
        for path, content in sorted(files.items())
        if path != SIGNATURE
        for found in dict.fromkeys(_looked_through(path, content.decode("utf-8", "replace")))
        if found.grave == grave
    ]


def _looked_through(path: str, text: str) -> Iterator[_Found]:
    for one in hidden(text):
        yield _Found(one.line, str(one), grave=True)
    if path.endswith(".jsonl"):  # what a model once said; nobody is told it again
        return
    if path.endswith((".yaml", ".toml", ".py")):
        yield from _escaped(text)
    if path.endswith(".md"):
        yield from _comments(text)
    yield from _mixed(text, grave=path.endswith((".toml", ".py")))
    yield from _worded(text)
    yield from _encoded(text)


def _escaped(text: str) -> Iterator[_Found]:
    """Hidden characters that a reader of TOML, YAML or Python makes of their escapes."""
    for match in _ESCAPE.finditer(text):
        code = int(match[1] or match[2] or match[3], 16)
        if 0x9F < code <= 0x10FFFF and any(hidden(chr(code))):
            yield _Found(_line(text, match.start()), f"holds the hidden character U+{code:04X}, escaped", grave=True)


def _comments(text: str) -> Iterator[_Found]:
    """Comments are not seen where a page is read by a person."""
    for match in _COMMENT.finditer(text):
        said = match[1] if match[1] is not None else match[2]
        if _MARK.fullmatch(said):
            continue
        if ADDRESSED.search(fold(said).text):
            yield _Found(
                _line(text, match.start()), "speaks to an assistant in a comment, which no reader sees", grave=True
            )
        elif len(said) > _LONG:
            yield _Found(_line(text, match.start()), "has a long comment, which no reader sees", grave=False)


def _mixed(text: str, *, grave: bool) -> Iterator[_Found]:
    if not text.isascii():
        for match in _WORD.finditer(text):
            if mixed(match[0]):
                told = f"has letters of two alphabets that look alike in {match[0][:40]!r}"
                yield _Found(_line(text, match.start()), told, grave)


def _worded(text: str) -> Iterator[_Found]:
    folded = fold(text)
    for rule in RULES:
        for match in islice(rule.pattern.finditer(folded.text), _MOST):
            grave = rule.grave and not _negated(folded, match.start(), rule)
            yield _Found(_line(text, folded.place(match.start())), rule.told, grave)


def _negated(folded: Folded, at: int, rule: Rule) -> bool:
    before = re.split(r"[.;:!?]\s|\n\s*\n", folded.text[max(at - 120, 0) : at])[-1]
    return re.search(_NEGATION.format(rule.within), before) is not None


def _encoded(text: str) -> Iterator[_Found]:
    """Base64: what it hides is looked through as well."""
    for match in _BLOB.finditer(text):
        line = _line(text, match.start())
        if any(found.grave for found in _worded(_decoded(match[0]))):
            yield _Found(line, "hides words that take an assistant over in base64", grave=True)
        elif len(match[0]) > _LONG:
            yield _Found(line, f"holds {len(match[0])} characters that say nothing to a reader", grave=False)


def _decoded(blob: str) -> str:
    body = blob.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
