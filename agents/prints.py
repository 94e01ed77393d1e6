"""Fingerprints of a conversation: what stays the same when the same thing is said again.

Four prints tell how a request differs from a recorded one: `system` (the role's prompt), `shape` (who spoke, which
tools were called, which of them failed), `tail` (the last message) and `full`. Before hashing, what changes from run to
run is replaced: ids, times, durations, temporary paths, the workspace's own path.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from stretto.agents.cassette import Prints, ToolNote
from stretto.agents.redact import mapped
from stretto.agents.speech import asked, text_of
from stretto.agents.tools import Result

CWD = "<cwd>"
_TAIL = 400
_REMEMBERED = 64
_VOLATILE = (
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<uuid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "<date>"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|s|sec|secs|seconds)\b"), "<seconds>"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "<sha>"),
    (re.compile(r"\b0x[0-9a-f]{6,16}\b"), "<address>"),
    (re.compile(r"(?<![\w.])(?:/private)?(?:/var/folders|/var/tmp|/tmp)/[\w./+-]+"), "<tmp>"),
)
_DIGIT_OR_PLACE = re.compile(r"\d|/tmp/|/var/|[0-9a-fA-F]{8}")
"""What volatile texts hold; most others need no closer look."""


class Normal:
    """Texts of one attempt in their normal form: workspace path first, then secrets, then what is volatile."""

    def __init__(self, cwd: str, redact: Callable[[str], str]) -> None:
        forms = sorted({os.path.realpath(cwd), cwd.rstrip("/")} - {"", "/"}, key=len, reverse=True)
        self._forms = forms
        self._cwd = re.compile(rf"(?:{'|'.join(map(re.escape, forms))})(?![\w-]|\.\w)")
        self._redact = redact
        self._stored: dict[str, str] = {}

    def portable(self, text: str) -> str:
        """`text` as it may be stored: without the workspace's path, without secrets.

        A turn holds most of its texts twice, once to be stored and once to be compared: the last ones are remembered.
        """
        known = self._stored.get(text)
        if known is None:
            if len(self._stored) >= _REMEMBERED:
                self._stored.clear()
            known = self._stored[text] = self._redact(self.placed(text))
        return known

    def placed(self, text: str) -> str:
        """`text` without the workspace's path."""
        return self._cwd.sub(CWD, text) if any(form in text for form in self._forms) else text

    def portable_json(self, value: Any) -> Any:
        """A JSON value as it may be stored."""
        return mapped(value, self.portable)

    def text(self, text: str) -> str:
        """`text` as it is compared."""
        text = self.portable(text)
        if not _DIGIT_OR_PLACE.search(text):
            return text
        for pattern, name in _VOLATILE:
            text = pattern.sub(name, text)
        return text

    def json(self, value: object) -> str:
        """A JSON value as it is compared."""
        return json.dumps(mapped(value, self.text), sort_keys=True, ensure_ascii=False)


def prints(messages: Sequence[BaseMessage], normal: Normal) -> Prints:
    """The four fingerprints of a request."""
    return Printer(normal).prints(messages)


class Printer:
    """The fingerprints of one conversation as it grows: what was said before is looked at once."""

    def __init__(self, normal: Normal) -> None:
        self.normal = normal
        self._seen: list[BaseMessage] = []
        self._begin()

    def _begin(self) -> None:
        self._seen.clear()
        self._numbers: dict[str, int] = {}
        self._turn = 0
        self._last: list[dict[str, Any]] = []
        self._full, self._shape, self._system = _Hashed(), _Hashed(), _Hashed()

    def prints(self, messages: Sequence[BaseMessage]) -> Prints:
        """The fingerprints of a request that is the last one and more; of any other, too, from its beginning."""
        old = len(self._seen)
        if len(messages) < old or any(a is not b for a, b in zip(messages, self._seen, strict=False)):
            self._begin()
            old = 0
        for message in messages[old:]:
            self._take(message)
        full, shape, system = self._full.print(), self._shape.print(), self._system.print()
        return Prints(system=system, shape=shape, tail=_hash(self._last), full=full)

    def _take(self, message: BaseMessage) -> None:
        self._seen.append(message)
        self._turn += isinstance(message, AIMessage)
        entry = _entry(message, self._turn, self._numbers, self.normal)
        self._last = [entry]
        self._full.add(entry)
        self._shape.add([entry["role"], [call[0] for call in entry["calls"]], entry["status"]])
        if entry["role"] == "system":
            self._system.add(entry)


class _Hashed:
    """The hash of a list that grows, the same as that of the whole list."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"[")
        self._empty = True

    def add(self, item: object) -> None:
        text = json.dumps(item, sort_keys=True, ensure_ascii=False)
        self._hash.update(("" if self._empty else ", ").encode() + text.encode("utf-8", "replace"))
        self._empty = False

    def print(self) -> str:
        ended = self._hash.copy()
        ended.update(b"]")
        return ended.hexdigest()[:12]


def tail_of(messages: Sequence[BaseMessage], normal: Normal) -> str:
    """The last message of a request, in words that a person can compare."""
    last = messages[-1]
    text = shown(text_of(last), normal)
    return f"{last.name} ({last.status}): {text}" if isinstance(last, ToolMessage) else f"{last.type}: {text}"


def shown(text: str, normal: Normal) -> str:
    """The beginning of a text in its normal form; looked at again, since a cut may make a time of what was none."""
    return normal.text(normal.text(text)[:_TAIL])


def volatile(text: str) -> bool:
    """Whether something in `text` changes from run to run."""
    return any(pattern.search(text) for pattern, _ in _VOLATILE)


def note(name: str, result: Result, normal: Normal, *, keep: bool = False) -> ToolNote:
    """What is kept of a tool's result: enough to see that it was another one; to `keep` its text, that too."""
    return ToolNote(
        name=name,
        status="success" if result.ok else "error",
        hash=_hash(normal.text(result.text)),
        text=normal.portable(result.text) if keep else None,
    )


def _entry(message: BaseMessage, turn: int, numbers: dict[str, int], normal: Normal) -> dict[str, Any]:
    entry: dict[str, Any] = {"role": message.type, "text": normal.text(text_of(message)), "status": "", "calls": []}
    if isinstance(message, AIMessage):
        entry["calls"] = [
            [call.name, normal.json(call.args), numbers.setdefault(call.id, len(numbers))]
            for call in asked(message, turn)
        ]
    if isinstance(message, ToolMessage):
        entry["status"] = message.status
        entry["for"] = numbers.get(message.tool_call_id, -1)
    return entry


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
