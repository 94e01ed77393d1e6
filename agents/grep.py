"""The search program: a JSON question on stdin, hits on stdout.

A process of its own, because a pattern comes from a model: one that backtracks for ever is ended by a time limit, and
the driver never waits for it. Standard library only, started as `python -I -S grep.py`.
"""

import json
import os
import re
import stat
import sys
from pathlib import Path
from typing import Any

_BYTES = 2_000_000
_WIDTH = 300


def hits(pattern: str, root: str, files: list[str], limit: int) -> list[str]:
    """Lines that fit, as `path:number:line`; links, binary files and files above 2 MB are skipped."""
    fits = re.compile(pattern)
    found: list[str] = []
    for name in files:
        for number, line in enumerate(_lines(root, name), start=1):
            if fits.search(line):
                found.append(f"{name}:{number}:{line[:_WIDTH]}")
                if len(found) >= limit:
                    return found
    return found


def _lines(root: str, name: str) -> list[str]:
    path = Path(root, name)
    try:
        if os.path.realpath(path.parent) != str(path.parent):
            return []
        content = _content(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK))
    except OSError:
        return []
    if len(content) > _BYTES or b"\0" in content[:8000]:
        return []
    return [line.removesuffix("\r") for line in content.decode("utf-8", "replace").split("\n")]


def _content(handle: int) -> bytes:
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return b""
        with open(handle, "rb", closefd=False) as file:
            return file.read(_BYTES + 1)
    finally:
        os.close(handle)


def main() -> int:
    """Answer one question; 2 for a pattern that does not compile."""
    question: dict[str, Any] = json.load(sys.stdin)
    try:
        found = hits(question["pattern"], question["root"], question["files"], question["limit"])
    except (re.error, OverflowError, RecursionError) as error:
        sys.stderr.write(f"{error}")
        return 2
    sys.stdout.buffer.write("\n".join(found).encode("utf-8", "replace"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
