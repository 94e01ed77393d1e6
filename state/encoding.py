"""Encoding: channels' values as LangGraph's serializer writes them, with the messages of a long list not built anew.

A chat is written whole in every turn, and most of the time goes to its old messages, which are pydantic models. What a
model holds is encoded in a quarter of the time that the model takes, and tells whether it is as it was: then the bytes
that stand for it are known. MessagePack has a list as its length and then its elements, so those bytes can be joined.
"""

import struct
from typing import Any

from stretto.state.documents import Serializer
from stretto.state.reading import KINDS, Encoded

_FEW = 2
_MOST, _LARGEST = 4096, 4096
_FIXED, _SHORT = 16, 1 << 16


class Encoder:
    """Encodes values, and remembers messages by their ids. For any number of threads.

    Args:
        messages: The classes, no subclass of one, whose instances with the same fields are the same message.
    """

    def __init__(self, messages: set[type]) -> None:
        self._messages = messages
        self._known: dict[str, tuple[bytes, bytes]] = {}

    def encode(self, serde: Serializer, value: Any) -> Encoded:
        """The same as `serde` makes of the value. TypeError for what would not be loaded again."""
        if type(value) is list:
            items: list[Any] = value  # pyright: ignore[reportUnknownVariableType] - of anything
            if len(items) > _FEW and self._messages.issuperset(map(type, items)):
                return "msgpack", b"".join(self._list(serde, items))
        kind, data = serde.dumps_typed(value)
        if kind not in KINDS:
            raise TypeError(f"{kind!r} is not an encoding that may be loaded again")
        return kind, bytes(data)

    def _list(self, serde: Serializer, messages: list[Any]) -> list[bytes]:
        found, known, dump = [_head(len(messages))], self._known.get, serde.dumps_typed
        for message in messages:
            _, held = dump((type(message).__name__, message.__dict__, message.__pydantic_extra__))
            before, data = known(message.id) or (b"", b"")
            found.append(data if before == held else self._anew(serde, message, held))
        return found

    def _anew(self, serde: Serializer, message: Any, held: bytes) -> bytes:
        data = self.encode(serde, message)[1]
        if message.id and len(held) <= _LARGEST and _held(serde, message) == held:
            self._known[message.id] = held, data
            if len(self._known) > _MOST:
                self._known.pop(next(iter(self._known)), None)
        return data


def _held(serde: Serializer, message: Any) -> bytes:
    return serde.dumps_typed((type(message).__name__, message.__dict__, message.__pydantic_extra__))[1]


def _head(count: int) -> bytes:
    """How MessagePack begins a list of so many elements."""
    if count < _FIXED:
        return bytes((0x90 | count,))
    return struct.pack(">BH", 0xDC, count) if count < _SHORT else struct.pack(">BI", 0xDD, count)
