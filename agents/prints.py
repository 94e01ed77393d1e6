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
_VOLATILE = (
    (re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", re.IGNORECASE), "<uuid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "<date>"),
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:ms|s|sec|secs|seconds)\b"), "<seconds>"),
    (re.compile(r"\b[0-9a-f]{40}\b"), "<sha>"),
    (re.compile(r"\b0x[0-9a-f]{6,16}\b"), "<address>"),
    (re.compile(r"(?<![\w.])(?:/private)?(?:/var/folders|/var/tmp|/tmp)/[\w./+-]+"), "<tmp>"),
)


class Normal:
    """Texts of one attempt in their normal form: workspace path first, then secrets, then what is volatile."""

    def __init__(self, cwd: str, redact: Callable[[str], str]) -> None:
        forms = sorted({os.path.realpath(cwd), cwd.rstrip("/")} - {"", "/"}, key=len, reverse=True)
        self._cwd = re.compile(rf"(?:{'|'.join(map(re.escape, forms))})(?![\w-]|\.\w)") if forms else None
        self._redact = redact

    def portable(self, text: str) -> str:
        """`text` as it may be stored: without the workspace's path, without secrets."""
        return self._redact(self._cwd.sub(CWD, text) if self._cwd else text)

    def portable_json(self, value: Any) -> Any:
        """A JSON value as it may be stored."""
        return mapped(value, self.portable)

    def text(self, text: str) -> str:
        """`text` as it is compared."""
        text = self.portable(text)
        for pattern, name in _VOLATILE:
            text = pattern.sub(name, text)
        return text

    def json(self, value: object) -> str:
        """A JSON value as it is compared."""
        return json.dumps(mapped(value, self.text), sort_keys=True, ensure_ascii=False)


def prints(messages: Sequence[BaseMessage], normal: Normal) -> Prints:
    """The four fingerprints of a request."""
    canon = _canon(messages, normal)
    return Prints(
        system=_hash([entry for entry in canon if entry["role"] == "system"]),
        shape=_hash([[entry["role"], [call[0] for call in entry["calls"]], entry["status"]] for entry in canon]),
        tail=_hash(canon[-1:]),
        full=_hash(canon),
    )


def tail_of(messages: Sequence[BaseMessage], normal: Normal) -> str:
    """The last message of a request, in words that a person can compare."""
    last = messages[-1]
    text = normal.text(text_of(last))[:_TAIL]
    return f"{last.name} ({last.status}): {text}" if isinstance(last, ToolMessage) else f"{last.type}: {text}"


def note(name: str, result: Result, normal: Normal) -> ToolNote:
    """What is kept of a tool's result: enough to see that it was another one."""
    return ToolNote(name=name, status="success" if result.ok else "error", hash=_hash(normal.text(result.text)))


def _canon(messages: Sequence[BaseMessage], normal: Normal) -> list[dict[str, Any]]:
    numbers: dict[str, int] = {}
    canon: list[dict[str, Any]] = []
    turn = 0
    for message in messages:
        turn += isinstance(message, AIMessage)
        canon.append(_entry(message, turn, numbers, normal))
    return canon


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
