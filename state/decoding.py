"""Decoding: channels' values as LangGraph's serializer reads them, with the messages of a long list not built anew.

A chat is loaded whole at the start of every turn, and most of the time goes to building its old messages, each of which
pydantic validates. The bytes of a message never change their meaning, so one that was decoded before is copied from
what is kept of it: if it holds nothing but plain data, and whoever loads it gets lists and dicts of his own. It is
found by the end of its bytes, and used only if all of them are the same. Those that a list loaded lately begins with
are found by one comparison for all.
"""

import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from stretto.state.documents import Serializer
from stretto.state.reading import Encoded

_FEW, _SMALL = 2, 500
"""So many messages, and lists of so many bytes, are decoded as fast as they are looked for."""
_TAIL = 160
"""Of so many bytes at its end, a message's id is nearly always one part."""
_HEADS = {0xC7: struct.Struct(">xBB"), 0xC8: struct.Struct(">xHB"), 0xC9: struct.Struct(">xIB")}
"""How MessagePack heads an extension: the length of what follows, and its code."""
_MODEL = 5
"""LangGraph's code for a pydantic model."""
_MOST, _LARGEST, _BESIDES = 16 << 20, 1 << 20, 3072
"""Bytes of all that is kept, and of one message of it: those of its encoding, of its text, and what Python needs."""
_RUNS, _LONGEST = 4, 4 << 20
"""So many lists are remembered whole, of so many bytes: the next one begins as they do."""
_ATOMS = frozenset({type(None), bool, int, float, str, bytes})


class _Kept(NamedTuple):
    """A message: its bytes, who decoded them, and what makes a copy of it."""

    data: bytes
    serde: Serializer
    copy: Callable[[], object]

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return 2 * len(self.data) + _BESIDES


class _Run(NamedTuple):
    """The messages of a list that was loaded before: its bytes, and where the first begins, and what makes copies."""

    data: bytes
    start: int
    serde: Serializer
    copies: Sequence[Callable[[], object]]


class Decoder:
    """Decodes values, and remembers messages by their bytes. For any number of threads.

    Args:
        messages: The classes, no subclass of one, whose instances are nothing but their fields.
    """

    def __init__(self, messages: set[type]) -> None:
        self._messages = messages
        self._kept: dict[bytes, _Kept] = {}
        self._runs: dict[bytes, _Run] = {}
        self._size = 0
        self._lock = threading.Lock()

    def decode(self, serde: Serializer, value: Encoded) -> Any:
        """The same as `serde` makes of the value."""
        kind, data = value
        if len(data) > _SMALL and kind == "msgpack" and (found := self._list(serde, data)) is not None:
            return found
        return serde.loads_typed(value)

    def _list(self, serde: Serializer, data: bytes) -> list[object] | None:
        """The list, or None if this is none of models."""
        count, at = _counted(data)
        if count <= _FEW or at >= len(data) or data[at] not in _HEADS:
            return None
        start, first = at, _tail(data, at, _end_of_model(data, at))
        found, copies, at = self._again(serde, data, at, first)
        while at < len(data):
            end = _end_of_model(data, at)
            if not at < end <= len(data):
                return None
            tail = _tail(data, at, end)
            kept = self._kept.get(tail)
            if kept and len(kept.data) == end - at and data.startswith(kept.data, at) and kept.serde is serde:
                found.append(kept.copy())
                copies.append(kept.copy)
            else:
                found.append(self._decoded(serde, data[at:end], tail, copies))
            at = end
        if len(found) != count:
            return None
        if len(copies) == count:
            self._remember(first, _Run(data, start, serde, copies))
        return found

    def _again(
        self, serde: Serializer, data: bytes, at: int, first: bytes
    ) -> tuple[list[object], list[Callable[[], object]], int]:
        """Copies of the messages that a list loaded before began with, what made them, and where the others begin."""
        run = self._runs.get(first)
        if run and run.serde is serde and data.startswith(memoryview(run.data)[run.start :], at):
            return [copy() for copy in run.copies], [*run.copies], at + len(run.data) - run.start
        return [], [], at

    def _decoded(self, serde: Serializer, data: bytes, tail: bytes, copies: list[Callable[[], object]]) -> object:
        """A message that is not known; from now on it is, and what makes copies of it joins them, if it is plain."""
        message: Any = serde.loads_typed(("msgpack", data))
        if type(message) in self._messages and message.__pydantic_private__ is None:
            fields, extra, seen = message.__dict__, message.__pydantic_extra__, set[int]()
            if _plain(fields, seen) and _plain(extra, seen):
                copies.append(_message_copier(message, fields, extra))
                self._keep(tail, _Kept(data, serde, copies[-1]))
        return message

    def _remember(self, first: bytes, run: _Run) -> None:
        if len(run.data) > _LONGEST:
            return
        with self._lock:
            self._runs.pop(first, None)
            self._runs[first] = run
            if len(self._runs) > _RUNS:
                del self._runs[next(iter(self._runs))]

    def _keep(self, tail: bytes, kept: _Kept) -> None:
        if len(kept.data) > _LARGEST:
            return
        with self._lock:
            self._forget(tail)
            self._kept[tail] = kept
            self._size += kept.size
            while self._size > _MOST:
                self._forget(next(iter(self._kept)))

    def _forget(self, tail: bytes) -> None:
        if kept := self._kept.pop(tail, None):
            self._size -= kept.size


def _counted(data: bytes) -> tuple[int, int]:
    """How many elements a list has, and where the first begins; 0 for what is no list."""
    first = data[0] if data else 0
    if first & 0xF0 == 0x90:
        return first & 0x0F, 1
    size = 2 if first == 0xDC else 4 if first == 0xDD else 0
    return int.from_bytes(data[1 : 1 + size]), 1 + size


def _end_of_model(data: bytes, at: int) -> int:
    """Where the model ends that begins there; 0 if none does."""
    try:
        head = _HEADS[data[at]]
        length, code = head.unpack_from(data, at)
    except (IndexError, KeyError, struct.error):
        return 0
    return at + head.size + int(length) if code == _MODEL else 0


def _tail(data: bytes, at: int, end: int) -> bytes:
    """By what a message is looked for."""
    return data[max(at, end - _TAIL) : end]


def _message_copier(message: Any, fields: dict[str, Any], extra: Any) -> Callable[[], object]:
    """What makes messages like this plain one, as pydantic makes a copy; they share nothing which can be changed."""
    kind = _kind(message)
    names = set(message.__pydantic_fields_set__)
    fields = {name: _copy(value) for name, value in fields.items()}
    own = [(name, _copier(value)) for name, value in fields.items() if type(value) not in _ATOMS]
    extras = _copier(_copy(extra))
    new, put = object.__new__, object.__setattr__

    def copy() -> object:
        made: object = new(kind)
        its = fields.copy()
        for name, of in own:
            its[name] = of()
        put(made, "__dict__", its)
        put(made, "__pydantic_fields_set__", names.copy())
        put(made, "__pydantic_extra__", extras())
        put(made, "__pydantic_private__", None)
        return made

    return copy


def _kind(value: object) -> Any:
    return type(value)


def _plain(value: Any, seen: set[int]) -> bool:
    """Whether it is made of dicts, lists and what cannot be changed, and each dict and list is there but once."""
    kind = _kind(value)
    if kind in _ATOMS:
        return True
    if id(value) in seen or kind not in (dict, list):
        return False
    seen.add(id(value))
    if kind is dict and not _ATOMS.issuperset(map(type, value)):
        return False
    return all(_plain(each, seen) for each in (value.values() if kind is dict else value))


def _copy(value: Any) -> Any:
    """Plain data, with dicts and lists of its own."""
    kind = _kind(value)
    if kind is dict:
        return {name: _copy(each) for name, each in value.items()}
    return [_copy(each) for each in value] if kind is list else value


def _copier(value: Any) -> Callable[[], Any]:
    """What makes copies of plain data that nobody changes."""
    kind = _kind(value)
    if kind in (dict, list) and _ATOMS.issuperset(map(_kind, value.values() if kind is dict else value)):
        return cast("Callable[[], Any]", value.copy)
    return lambda: _copy(value)
