"""Ropes: a value as pieces of immutable segments, so that a value which grows or changes a little is stored once.

A piece is a slice of a segment, or a few bytes that lie in the rope itself. A new value is compared with the one it
replaces: what both begin with and what both end with become slices of the old segments, and only what is between is
new. A rope of too many pieces has some neighbours merged to one new segment, the smallest ones first. The bytes are
MessagePack as a rule: the few that head a list or map hold its length, and are compared apart from what follows.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

LITERAL = 64
"""Up to so many bytes lie in the rope itself: a row for them would take more."""
_MOST, _RUN, _TIER = 24, 10, 4
_HEADERS = {0xDC: 3, 0xDD: 5, 0xDE: 3, 0xDF: 5, 0xD9: 2, 0xDA: 3, 0xDB: 5, 0xC4: 2, 0xC5: 3, 0xC6: 5}
_FIX = range(0x80, 0xC0)


class Slice(NamedTuple):
    """`length` bytes from `offset` of the segment with this digest."""

    digest: bytes
    offset: int
    length: int


Piece = bytes | Slice
Rope = tuple[Piece, ...]
Keep = Callable[[bytes], bytes]
"""Stores a segment and returns its digest."""


def length(piece: Piece) -> int:
    """How many bytes of the value it is."""
    return piece.length if isinstance(piece, Slice) else len(piece)


def weave(data: bytes, base: tuple[Rope, bytes] | None, keep: Keep) -> Rope:
    """The rope for `data`, given the rope and the bytes of a value that it may resemble."""
    if base is None:
        return _whole(data, keep)
    rope, old = base
    if data == old:
        return rope
    head, old_head = _header(data), _header(old)
    prefix = common_prefix(old, old_head, data, head)
    suffix = common_suffix(old, data, min(len(old) - old_head, len(data) - head) - prefix)
    if (prefix + suffix) * 2 <= len(data):
        return _whole(data, keep)
    new = data[head + prefix : len(data) - suffix]
    return _merge(
        (
            *_literal(data[:head]),
            *cut(rope, old_head, old_head + prefix),
            *_stored(new, keep),
            *cut(rope, len(old) - suffix, len(old)),
        ),
        data,
        keep,
    )


def cut(rope: Rope, start: int, end: int) -> Rope:
    """The pieces of bytes `start` to `end` of the value."""
    found: list[Piece] = []
    position = 0
    for piece in rope:
        size = length(piece)
        low, high = max(start - position, 0), min(end - position, size)
        if low == 0 and high == size:
            found.append(piece)
        elif low < high:
            found.append(
                Slice(piece.digest, piece.offset + low, high - low) if isinstance(piece, Slice) else piece[low:high]
            )
        position += size
    return tuple(found)


def common_prefix(one: bytes, at_one: int, two: bytes, at_two: int) -> int:
    """How many bytes are the same from there on."""
    most = min(len(one) - at_one, len(two) - at_two)
    view = memoryview(one)
    return _longest(most, lambda n, m: two.startswith(view[at_one + n : at_one + m], at_two + n))


def common_suffix(one: bytes, two: bytes, most: int) -> int:
    """How many bytes are the same at the end, `most` at most."""
    view = memoryview(one)
    return _longest(most, lambda n, m: two.endswith(view[len(one) - m : len(one) - n], 0, len(two) - n))


def _longest(most: int, same: Callable[[int, int], bool]) -> int:
    """The greatest n up to `most` for which bytes 0 to n are the same; `same` compares a range with one memcmp."""
    if most <= 0 or same(0, most):
        return max(most, 0)
    low, step = 0, 1024
    while low + step < most and same(low, low + step):
        low, step = low + step, step * 2
    high = min(most, low + step)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if same(low, middle) else (low, middle - 1)
    return low


def _header(data: bytes) -> int:
    """How many bytes head a list, map, string or binary of MessagePack. A guess is harmless: any split is right."""
    if not data:
        return 0
    return 1 if data[0] in _FIX else _HEADERS.get(data[0], 0)


def _whole(data: bytes, keep: Keep) -> Rope:
    head = _header(data)
    return (*_literal(data[:head]), *_stored(data[head:], keep))


def _literal(data: bytes) -> Rope:
    return (data,) if data else ()


def _stored(data: bytes, keep: Keep) -> Rope:
    return _literal(data) if len(data) <= LITERAL else (Slice(keep(data), 0, len(data)),)


def _merge(rope: Rope, data: bytes, keep: Keep) -> Rope:
    """The rope, or one of fewer pieces: a run of neighbours becomes one segment, the smallest that are enough of a run.

    So a segment is merged with those of its own size, as in a log-structured merge tree, and a list that grows by small
    pieces has each of its bytes written again once for every power of `_RUN` that it has grown by.
    """
    if len(rope) <= _MOST:
        return rope
    sizes = [length(piece) for piece in rope]
    limit = LITERAL
    while (run := _longest_run(sizes, limit))[1] - run[0] < _RUN:
        limit *= _TIER
    first, last = run
    start = sum(sizes[:first])
    merged = data[start : start + sum(sizes[first:last])]
    return (*rope[:first], *_stored(merged, keep), *rope[last:])


def _longest_run(sizes: Sequence[int], limit: int) -> tuple[int, int]:
    """The longest range of neighbours that are all within the limit."""
    best, first = (0, 0), 0
    for at, size in enumerate(sizes, 1):
        if size > limit:
            first = at
        elif at - first > best[1] - best[0]:
            best = (first, at)
    return best
