"""Characters that a reader does not see and a model does, and letters that look like others."""

import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u2028\u2029\u2800\u3164\uffa0")
"""Drawn as nothing, though their category says otherwise."""
_JOINERS = "\u200c\u200d"
_STYLES = "\ufe0e\ufe0f"
_LIKE = str.maketrans(
    "асеорхуіјѕԁһӏАВЕКМНОРСТХУІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧονгпԛԝ",
    "aceopxyijsdhlABEKMHOPCTXYIJSABEZHIKMNOPTYXovrnqw",
)
"""Letters of other alphabets, each with the Latin one that it looks like."""
_STRONGEST = 60
"""Hidden characters of one file that are told one by one."""


class Hidden(NamedTuple):
    """One of them: where it stands, counted from 1, and what it is."""

    line: int
    char: str

    def __str__(self) -> str:
        name = unicodedata.name(self.char, "")
        return f"holds the hidden character U+{ord(self.char):04X}" + (f" ({name})" if name else "")


class Folded(NamedTuple):
    """A text as a model reads it: small Latin letters, without what is hidden in it or only marks it up."""

    text: str
    places: tuple[int, ...] | None
    """Where each of its characters stands in the original; None if that is the same place."""

    def place(self, at: int) -> int:
        """The place in the original of what stands at `at`."""
        return at if self.places is None else self.places[at]


def hidden(text: str) -> Iterator[Hidden]:
    """The hidden characters of a text, each kind once a line, and a limited number of them."""
    found = 0
    start = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not line.isascii() or not line.isprintable():
            last = start + len(line)
            here = {text[at]: None for at in range(start, last) if _is_hidden(text, at)}
            for char in here:
                found += 1
                if found > _STRONGEST:
                    return
                yield Hidden(number, char)
        start += len(line) + 1


def _is_hidden(text: str, at: int) -> bool:
    char = text[at]
    before, after = text[max(at - 1, 0) : at], text[at + 1 : at + 2]
    if char in "\t\n" or (char == "\r" and after == "\n"):
        return False
    if char in _STYLES:  # how a symbol is drawn; letters have none, and two of them carry a message
        return not (before and (_drawn(before) or before in "#*0123456789"))
    if char in _JOINERS:  # of a composed emoji, or of a script that joins its letters
        return not ((_drawn(before) or before in _STYLES) and _drawn(after)) and not (
            _joined(before) and _joined(after)
        )
    code = ord(char)
    selector = 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF
    nothing = 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
    return char in _BLANK or selector or nothing or unicodedata.category(char) in ("Cc", "Cf", "Co")


def _drawn(char: str) -> bool:
    """Whether it is a symbol: those of an older Unicode than the text's are not known."""
    return bool(char) and unicodedata.category(char) in ("So", "Sk", "Sm", "Cn", "Po")


def _joined(char: str) -> bool:
    return bool(char) and unicodedata.category(char) in ("Lo", "Mn", "Mc")


def mixed(word: str) -> bool:
    """Whether a word has Latin letters and letters of another alphabet that look like Latin ones."""
    return (
        not word.isascii() and word.translate(_LIKE) != word and any(char.isascii() and char.isalpha() for char in word)
    )


def fold(text: str) -> Folded:
    """A text to look for words in."""
    if text.isascii():
        plain = text.lower()
        if "*" not in plain and "`" not in plain:
            return Folded(plain, None)
    chars: list[str] = []
    places: list[int] = []
    for at, char in enumerate(text):
        if char not in "*`" and (char.isascii() or unicodedata.category(char) not in ("Cf", "Mn", "Co")):
            read = char if char.isascii() else unicodedata.normalize("NFKC", char.translate(_LIKE))
            chars.append(read.lower())
            places.extend([at] * len(chars[-1]))
    return Folded("".join(chars), tuple(places))
