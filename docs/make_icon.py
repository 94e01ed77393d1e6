"""Draws `.claude-plugin/icon.png`: voices of a fugue, each of which enters before the one ahead has finished.

Standard library only; the picture is the same on every machine.
"""

import struct
import zlib
from pathlib import Path

SIDE = 512
PAPER, INK = (250, 247, 240), ((38, 70, 83), (42, 117, 117), (199, 112, 48), (150, 62, 55))
BAR, FIRST, STEP, LENGTH = 56, 92, 88, 216
"""Height of a bar, top of the first, from one top to the next, and its length; pixels."""
TARGET = Path(__file__).parents[1] / ".claude-plugin" / "icon.png"


def pixel(x: int, y: int) -> tuple[int, int, int]:
    """The colour at a place: on one of four bars with round ends, or paper."""
    for voice, ink in enumerate(INK):
        left, middle = 72 + voice * 50, FIRST + voice * STEP + BAR // 2
        nearest = min(max(x, left + BAR // 2), left + LENGTH - BAR // 2)
        if (x - nearest) ** 2 + (y - middle) ** 2 <= (BAR // 2) ** 2:
            return ink
    return PAPER


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png() -> bytes:
    """The icon as a file."""
    rows = (b"\0" + bytes(value for x in range(SIDE) for value in pixel(x, y)) for y in range(SIDE))
    head = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(b"".join(rows), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


if __name__ == "__main__":
    TARGET.write_bytes(png())
