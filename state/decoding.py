"""Decoding: channels' values as LangGraph's serializer reads them, with the messages of a long list not built anew.

A chat is loaded whole at the start of every turn, and most of the time goes to building its old messages, each of which
pydantic validates. The bytes of a message never change their meaning, so one that was decoded before is copied from
what is kept of it: if it holds nothing but plain data, and whoever loads it gets lists and dicts of his own. It is
found by the end of its bytes, and used only if all of them are the same.
"""

import struct
import threading
from collections.abc import Callable
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
_ATOMS = frozenset({type(None), bool, int, float, str, bytes})
_set = object.__setattr__


class _Kept(NamedTuple):
    """A message: its bytes and who decoded them, its fields, and what makes those that each copy has for its own."""

    data: bytes
    serde: Serializer
    kind: type[object]
    fields: dict[str, Any]
    own: tuple[tuple[str, Callable[[], Any]], ...]
    names: set[str]
    extra: Callable[[], Any]

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        return 2 * len(self.data) + _BESIDES

    def copy(self) -> object:
        """A message like it, made as pydantic makes a copy, that shares nothing which can be changed."""
        message = object.__new__(self.kind)
        fields = self.fields.copy()
        for name, copy in self.own:
            fields[name] = copy()
        _set(message, "__dict__", fields)
        _set(message, "__pydantic_fields_set__", self.names.copy())
        _set(message, "__pydantic_extra__", self.extra())
        _set(message, "__pydantic_private__", None)
        return message


class Decoder:
    """Decodes values, and remembers messages by their bytes. For any number of threads.

    Args:
        messages: The classes, no subclass of one, whose instances are nothing but their fields.
    """

    def __init__(self, messages: set[type]) -> None:
        self._messages = messages
        self._kept: dict[bytes, _Kept] = {}
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
        found: list[object] = []
        known = self._kept.get
        for _ in range(count):
            end = _end_of_model(data, at)
            if not at < end <= len(data):
                return None
            tail = data[max(at, end - _TAIL) : end]
            kept = known(tail)
            if kept and len(kept.data) == end - at and data.startswith(kept.data, at) and kept.serde is serde:
                found.append(kept.copy())
            else:
                found.append(self._decoded(serde, data[at:end], tail))
            at = end
        return found if at == len(data) else None

    def _decoded(self, serde: Serializer, data: bytes, tail: bytes) -> object:
        message: Any = serde.loads_typed(("msgpack", data))
        if type(message) in self._messages and message.__pydantic_private__ is None:
            fields, extra, seen = message.__dict__, message.__pydantic_extra__, set[int]()
            if _plain(fields, seen) and _plain(extra, seen):
                fields = {name: _copy(value) for name, value in fields.items()}
                own = tuple((name, _copier(value)) for name, value in fields.items() if type(value) not in _ATOMS)
                names = set(message.__pydantic_fields_set__)
                self._keep(tail, _Kept(data, serde, type(message), fields, own, names, _copier(_copy(extra))))
        return message

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
