"""Mending a row in which one bit has flipped: its checksum says which.

A CRC of 32 bits tells every single flipped bit from every other in a text of up to 500 MB. That a row damaged otherwise
looks like that has odds of one in 2**32 for each of its bits; what is read out must be a row of the same shape besides,
and an event must fit its SHA-256 hash as well.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from stretto.state.care_rows import Row, is_whole
from stretto.state.reader import seal

_LONGEST = 200_000
_LONGEST_TRIED = 1_500
_POLYNOMIAL = 0xEDB88320


def mend(row: Row) -> Row | None:
    """The row as it was before one bit of it flipped; None if that is not what happened."""
    if not isinstance(row[-1], int):
        return None
    for found in _candidates(row):
        if is_whole(found) and [type(v) for v in found] == _types(row) and _decent(found):
            return found
    return None


def _candidates(row: Row) -> Iterator[Row]:
    values = row[:-1]
    difference = row[-1] ^ seal(values)
    if difference.bit_count() == 1:  # in the checksum itself
        yield (*values, seal(values))
    yield from ((*found, row[-1]) for found in _by_syndrome(values, difference))
    yield from ((*found, row[-1]) for found in _by_trying(values))


def _types(row: Row) -> list[type]:
    return [str if isinstance(value, bytes) else type(value) for value in row]


def _decent(row: Row) -> bool:
    """Whether what looks like JSON is JSON."""
    for value in row:
        if isinstance(value, str) and value[:1] in ("{", "["):
            try:
                json.loads(value)
            except ValueError:
                return False
    return True


def _by_syndrome(values: Row, difference: int) -> Iterator[list[Any]]:
    """By what a flip of each bit, counted from the end of the sealed text, does to its CRC."""
    text = json.dumps(values, default=repr).encode()
    if len(text) > _LONGEST:
        return
    effects = [_shifted(1 << bit) for bit in range(8)]
    for place in range(len(text) - 1, -1, -1):
        for bit, effect in enumerate(effects):
            if effect == difference:
                flipped = bytearray(text)
                flipped[place] ^= 1 << bit
                yield from _read(bytes(flipped), len(values))
        effects = [(effect >> 8) ^ _TABLE[effect & 0xFF] for effect in effects]


def _read(text: bytes, count: int) -> Iterator[list[Any]]:
    try:
        found: object = json.loads(text)
    except ValueError:
        return
    if isinstance(found, list) and len(found) == count:  # pyright: ignore[reportUnknownArgumentType] - counted only
        yield found


def _by_trying(values: Row) -> Iterator[list[Any]]:
    """One bit after the other, where a flip changes the sealed text's length: in numbers, and where escapes are."""
    for place, value in enumerate(values):
        flips = _number_flips(value) if isinstance(value, int) else _text_flips(value)
        for flipped in flips:
            yield [*values[:place], flipped, *values[place + 1 :]]


def _number_flips(value: int) -> Iterator[int]:
    yield from (value ^ (1 << bit) for bit in range(63))


def _text_flips(value: object) -> Iterator[str]:
    data = value.encode() if isinstance(value, str) else value
    if not isinstance(data, bytes):
        return
    places = range(len(data)) if len(data) <= _LONGEST_TRIED else _not_text(data)
    for place in places:
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            with suppress(UnicodeDecodeError):
                yield flipped.decode()


def _not_text(data: bytes) -> range:
    """Where long data stops being UTF-8; nowhere if it does not."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return range(max(error.start - 1, 0), min(error.start + 4, len(data)))
    return range(0)


def _shifted(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = [_shifted(byte) for byte in range(256)]
"""What a byte at the end of a text does to its CRC."""
