"""Keys made of texts: sorted as their parts are, and unambiguous whatever the parts hold."""

import re
from typing import NamedTuple

_END = re.compile(rb"\x00(?!\xff)")


class Range(NamedTuple):
    """All keys with low <= key < high."""

    low: bytes
    high: bytes


def join(*parts: str) -> bytes:
    """The parts, each ended by a NUL; a NUL inside one is marked by 0xFF, which UTF-8 never has."""
    joined = "\0".join(parts) + "\0"
    if joined.count("\0") == len(parts):
        return joined.encode("utf-8", "surrogatepass")
    return b"".join([part.encode("utf-8", "surrogatepass").replace(b"\0", b"\0\xff") + b"\0" for part in parts])


def split(joined: bytes, count: int) -> tuple[list[str], bytes]:
    """The first `count` parts, and the bytes after them, which must not begin with 0xFF.

    Raises:
        ValueError: There are fewer parts, or one is no text.
    """
    *parts, rest = _END.split(joined, maxsplit=count)
    if len(parts) < count:
        raise ValueError(f"{len(parts)} parts where {count} are expected")
    return [part.replace(b"\0\xff", b"\0").decode("utf-8", "surrogatepass") for part in parts], rest


def below(prefix: bytes) -> Range:
    """The keys that go on after `prefix`, which is made of whole parts."""
    return Range(prefix, prefix + b"\xff")
