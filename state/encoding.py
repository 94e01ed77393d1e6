"""Encoding: channels' values as LangGraph's serializer writes them, with the messages of a long list not built anew.

A chat is written whole in every turn, and most of the time goes to its old messages, which are pydantic models. What a
model holds is encoded in a quarter of the time that the model takes, and tells whether it is as it was: then the bytes
that stand for it are known. One of nothing but texts is compared with what it held, and not even that is encoded.
MessagePack has a list as its length and then its elements, so those bytes can be joined.
"""

import struct
from typing import Any, NamedTuple, cast

import ormsgpack

from stretto.state.documents import Serializer
from stretto.state.reading import KINDS, Encoded

_FEW = 2
_MOST, _LARGEST = 4096, 4096
_FIXED, _SHORT = 16, 1 << 16


class _Known(NamedTuple):
    """A message: its class, its fields if equal ones are encoded alike, what they are encoded to, and the message."""

    kind: type[Any]
    fields: dict[str, Any] | None
    held: bytes
    data: bytes


class Encoder:
    """Encodes values, and remembers messages by their ids. For any number of threads.

    Args:
        messages: The classes, no subclass of one, whose instances with the same fields are the same message.
        plain: The serializer, no subclass of it, that writes texts and numbers as MessagePack does.
    """

    def __init__(self, messages: set[type], plain: type) -> None:
        self._messages = messages
        self._plain = plain
        self._known: dict[str, _Known] = {}

    def encode(self, serde: Serializer, value: object) -> Encoded:
        """The same as `serde` makes of the value. TypeError for what would not be loaded again."""
        kind = type(value)
        if kind is list:
            items = cast("list[Any]", value)
            if len(items) > _FEW and self._messages.issuperset(map(type, items)):
                return "msgpack", b"".join(self._list(serde, items))
        elif type(serde) is self._plain:
            if value is None:
                return "null", b""
            if kind is str or kind is int:
                try:
                    return "msgpack", ormsgpack.packb(value)
                except ormsgpack.MsgpackEncodeError:
                    pass  # serde knows what to do
        encoding, data = serde.dumps_typed(value)
        if encoding not in KINDS:
            raise TypeError(f"{encoding!r} is not an encoding that may be loaded again")
        return encoding, bytes(data)

    def _list(self, serde: Serializer, messages: list[Any]) -> list[bytes]:
        found = [_head(len(messages))]
        for message in messages:
            one = self._known.get(message.id)
            same = one and one.fields == message.__dict__ and not message.__pydantic_extra__
            if one and same and one.kind is type(message):
                found.append(one.data)
                continue
            held = _held(serde, message)
            found.append(one.data if one and one.held == held else self._anew(serde, message, held))
        return found

    def _anew(self, serde: Serializer, message: Any, held: bytes) -> bytes:
        data = self.encode(serde, message)[1]
        if message.id and len(held) <= _LARGEST and _held(serde, message) == held:
            self._known[message.id] = _Known(type(message), _texts(message), held, data)
            if len(self._known) > _MOST:
                self._known.pop(next(iter(self._known)), None)
        return data


def _texts(message: Any) -> dict[str, Any] | None:
    """Its fields, if each is a text or empty: what is equal to that is encoded alike, as 1 and True are not."""
    fields: dict[str, Any] = message.__dict__
    if message.__pydantic_extra__ or not all(map(_is_text, fields.values())):
        return None
    return {name: value.copy() if type(value) in (list, dict) else value for name, value in fields.items()}


def _is_text(value: object) -> bool:
    kind = type(value)
    return kind is str or value is None or (kind in (list, dict) and not value)


def _held(serde: Serializer, message: Any) -> bytes:
    return serde.dumps_typed((type(message).__name__, message.__dict__, message.__pydantic_extra__))[1]


def _head(count: int) -> bytes:
    """How MessagePack begins a list of so many elements."""
    if count < _FIXED:
        return bytes((0x90 | count,))
    return struct.pack(">BH", 0xDC, count) if count < _SHORT else struct.pack(">BI", 0xDD, count)
