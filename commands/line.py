"""The lexer: a raw slash line, or argv, to flags and values that know where they stood.

Quoting is that of a POSIX shell, and nothing is evaluated: variables, globs, `;` and `|` are plain characters. A value
that begins with an unquoted `[` or `{` runs to the bracket that closes it, so `--events=["a", "b"]` is one value. A
`$(…)` is kept apart for `stretto.commands.find`; a backtick is an error. Plain words are cut without a regular
expression: to import `re` takes a third of the interpreter's start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stretto.commands.source import Source
from stretto.state.errors import BadInput
from stretto.state.light import NamedTuple, pattern

BLANK = " \t\r\n"
_BLANKS = frozenset(BLANK)
_FLAG_ENDS = _BLANKS | {"="}
_PLAIN_ENDS = _BLANKS | set("\"'`\\$")
_DOUBLE_ENDS = frozenset('"\\$`')
_STRING = pattern(r'(?s)"[^"\\]*(?:\\.[^"\\]*)*"')
_MARK = pattern(r'["\[\]{}]')
_NESTED = pattern(r"""(?s)'[^']*'|"[^"\\]*(?:\\.[^"\\]*)*"|\\.|[()]""")
_BARE = pattern(r"(?!--)[\w./:@%+=,^-]+")

SUBSTITUTION = "Only $(find DIR -name GLOB [-o -name GLOB]…) is understood, as a whole value; nothing is ever executed."
_LITERAL = "Use single quotes if it is meant as text."


class Value(NamedTuple):
    """One value.

    `quoted` tells that quotes or escapes were used, so that it is never taken for an operation. `runs` pair an
    index of `text` with the offset of that character in the source. `inner` is the extent of what a `$(…)` holds.
    """

    text: str
    at: int
    runs: tuple[tuple[int, int], ...]
    quoted: bool
    inner: tuple[int, int] | None = None

    def offset(self, index: int) -> int:
        """Where in the source the character at `index` of `text` stands."""
        from bisect import bisect_right  # here: only errors ask

        run = bisect_right(self.runs, index, key=lambda r: r[0]) - 1
        if run < 0:
            return self.at
        start, at = self.runs[run]
        return at + index - start


class Item(NamedTuple):
    """`--flag`, `--flag=value`, or a positional value (`flag` is None)."""

    flag: str | None
    at: int
    value: Value | None


def is_bare(text: str) -> bool:
    """Whether a text means itself without quotes, here and in a shell."""
    return _BARE.fullmatch(text) is not None


def looks_like_json(text: str) -> bool:
    """Whether a text begins as an object or an array does."""
    return text.lstrip()[:1] in ("{", "[")


def lex(source: Source, start: int = 0, end: int | None = None) -> list[Item]:
    """Cut a stretch of the source into flags and values.

    Raises:
        BadInput: A quote or a bracket is not closed, or there is a backtick or part of a value is a `$(…)`.
    """
    return list(_Lexer(source, start, len(source.text) if end is None else end).items())


class _Parts:
    """A value while it grows."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.texts: list[str] = []
        self.runs: list[tuple[int, int]] = []
        self.size = 0
        self.quoted = False
        self.inner: list[tuple[int, int]] = []

    def add(self, text: str, at: int) -> None:
        if text:
            self.texts.append(text)
            self.runs.append((self.size, at))
            self.size += len(text)


class _Lexer:
    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source = source
        self.text = source.text
        self.pos: int = start
        self.end: int = end

    def items(self) -> Iterator[Item]:
        flags = True
        while self._more():
            at = self.pos
            if not flags or not self.text.startswith("--", at, self.end):
                yield Item(None, at, self._value())
                continue
            self.pos += 2
            name = self._upto(_FLAG_ENDS)
            if self._here() == "=":
                self.pos += 1
                yield Item(name, at, self._value())
            elif name:
                yield Item(name, at, None)
            else:
                flags = False

    def _more(self) -> bool:
        """Whether anything but blanks and continued lines follows; they are passed over."""
        while passed := 1 if self._here() in _BLANKS else self._continued():
            self.pos += passed
        return self.pos < self.end

    def _continued(self) -> int:
        """How long a line end is that a backslash takes away; 0 if there is none here."""
        ends = ("\\\n", "\\\r\n")
        return next((len(end) for end in ends if self.text.startswith(end, self.pos, self.end)), 0)

    def _upto(self, ends: frozenset[str]) -> str:
        """What stands before the first of these characters, or before the end."""
        begun = self.pos
        while self.pos < self.end and self.text[self.pos] not in ends:
            self.pos += 1
        return self.text[begun : self.pos]

    def _value(self) -> Value:
        parts = _Parts(self.pos)
        if self._here() in ("[", "{"):
            self._bracket(parts)
        while self._here() not in ("", *BLANK):
            self._piece(parts)
        text = "".join(parts.texts)
        if parts.inner and (text or len(parts.inner) > 1):
            raise self._refused(parts.inner[0][0] - 2, "A substitution must be the whole value.")
        return Value(text, parts.at, tuple(parts.runs), parts.quoted, parts.inner[0] if parts.inner else None)

    def _here(self) -> str:
        return self.text[self.pos : min(self.pos + 1, self.end)]

    def _piece(self, parts: _Parts) -> None:
        match self._here():
            case "'":
                self._single(parts)
            case '"':
                self._double(parts)
            case "\\":
                self._escape(parts)
            case "`":
                raise self._refused(self.pos, "Backticks are not executed.")
            case _:
                self._run(_PLAIN_ENDS, parts)

    def _run(self, ends: frozenset[str], parts: _Parts) -> None:
        at = self.pos
        if self.text.startswith("$(", at):
            self._substitution(parts)
            return
        if self._here() == "$":  # it stands for itself
            self.pos += 1
        parts.add(self.text[at : self.pos] or self._upto(ends), at)

    def _single(self, parts: _Parts) -> None:
        close = self.text.find("'", self.pos + 1, self.end)
        if close < 0:
            raise self._open("quote", "Close it, or put a text with an apostrophe in double quotes.")
        parts.quoted = True
        parts.add(self.text[self.pos + 1 : close], self.pos + 1)
        self.pos = close + 1

    def _double(self, parts: _Parts) -> None:
        opened = self.pos
        parts.quoted = True
        self.pos += 1
        while self._here() not in ("", '"'):
            if self._here() == "`":
                raise self._refused(self.pos, "Backticks are not executed.")
            if self._here() == "\\":
                self._escape(parts, special='"\\$`')
            else:
                self._run(_DOUBLE_ENDS, parts)
        if self.pos >= self.end:
            self.pos = opened
            raise self._open("quote", "Close it.")
        self.pos += 1

    def _escape(self, parts: _Parts, special: str = "") -> None:
        """A backslash; within double quotes it stays unless a special character follows."""
        if continued := self._continued():
            self.pos += continued
            return
        if self.pos + 1 >= self.end:
            raise self._open("backslash", "Nothing follows it; take it away, or quote it.")
        keep = special and self.text[self.pos + 1] not in special
        taken = self.pos if keep else self.pos + 1
        parts.quoted = True
        parts.add(self.text[taken : self.pos + 2], taken)
        self.pos += 2

    def _bracket(self, parts: _Parts) -> None:
        close = closing(self.text, self.pos, self.end)
        if close < 0:
            raise self._open(f"{self._here()!r}", "Close it, or put the value in quotes.")
        parts.add(self.text[self.pos : close], self.pos)
        self.pos = close

    def _substitution(self, parts: _Parts) -> None:
        pos, depth = self.pos + 1, 0
        while match := _NESTED.search(self.text, pos, self.end):
            pos = match.end()
            depth += {"(": 1, ")": -1}.get(match[0], 0)
            if depth == 0:
                parts.quoted = True
                parts.inner.append((self.pos + 2, pos - 1))
                self.pos = pos
                return
        raise self._refused(self.pos, "This $( is not closed.")

    def _open(self, what: str, next_step: str) -> BadInput:
        return self.source.error(self.pos, f"This {what} is not closed.", field="line", next_steps=(next_step,))

    def _refused(self, at: int, message: str) -> BadInput:
        return self.source.error(at, f"{message} {SUBSTITUTION}", field="line", next_steps=(_LITERAL,))


def closing(text: str, at: int, end: int) -> int:
    """The offset behind the bracket that closes the one at `at`, or -1. Brackets in JSON strings do not count."""
    depth, pos = 0, at
    while mark := _MARK.search(text, pos, end):
        pos = mark.end()
        if mark[0] == '"':
            string = _STRING.match(text, mark.start(), end)
            if string is None:
                return -1
            pos = string.end()
            continue
        depth += 1 if mark[0] in "[{" else -1
        if depth == 0:
            return pos
    return -1


def lex_argv(source: Source, argv: Sequence[str]) -> list[Item]:
    """Like `lex`, for arguments that a shell has split and unquoted; `source` holds them joined by blanks.

    A list that the shell has cut in pieces is put together again, as far as the next flag.
    """
    found: list[Item] = []
    offsets = _offsets(argv)
    index, flags = 0, True
    while index < len(argv):
        at, word = offsets[index], argv[index]
        index += 1
        name, has_value = _flag(word) if flags else (None, False)
        if flags and word == "--":
            flags = False
        elif name is not None and not has_value:
            found.append(Item(name, at, None))
        else:
            start = at if name is None else at + len(f"--{name}=")
            if name is not None or (found and found[-1].flag and found[-1].value is None):
                index = _whole_list(source, start, argv, offsets, index)
            text = source.text[start : offsets[index - 1] + len(argv[index - 1])]
            value = Value(text, start, ((0, start),), not text or any(c in BLANK for c in text))
            found.append(Item(name, at, value))
    return found


def _flag(word: str) -> tuple[str | None, bool]:
    """The name of the flag that an argument is, and whether a value follows in it; no name if it is a value itself."""
    name, equals, _ = word[2:].partition("=")
    is_flag = word.startswith("--") and name.split() == [name]
    return (name, bool(equals)) if is_flag else (None, False)


def _offsets(argv: Sequence[str]) -> list[int]:
    offsets, at = list[int](), 0
    for word in argv:
        offsets.append(at)
        at += len(word) + 1
    return offsets


def _whole_list(source: Source, start: int, argv: Sequence[str], offsets: Sequence[int], index: int) -> int:
    """The index behind the argument that closes a list which begins at `start` and is open before `index`."""
    here = offsets[index - 1] + len(argv[index - 1])
    if not source.text.startswith("[", start) or closing(source.text, start, here) >= 0:
        return index
    stop = index
    while stop < len(argv) and not argv[stop].startswith("--"):
        stop += 1
    close = closing(source.text, start, offsets[stop - 1] + len(argv[stop - 1]))
    ends = [i for i in range(index, stop) if offsets[i] + len(argv[i]) == close]
    return ends[0] + 1 if ends else index
