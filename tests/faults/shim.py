"""The shim of shim.c: built, told what to do, and its trace read back."""

import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from os.path import normpath
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCE = Path(__file__).with_name("shim.c")
CHANGES = "cwtsrum"
"""Every kind of call that changes the disk: file made, write, truncate, sync, rename, unlink, folder made."""
FOREVER = 10**9
_HEAD = struct.Struct("=cbHHQQ")


def build(folder: Path) -> Path:
    """The shim as a library; the test is skipped where none can be made or none would be loaded."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("no fault was injected: a library that is preloaded needs Linux, and cc to make it")
    made = folder / "shim.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, SOURCE, "-ldl", "-lpthread"], check=True)
    return made


class Fault(NamedTuple):
    """What happens at the calls number `first` to `last`, counted from 1, of the kinds `ops` below a folder."""

    action: str
    ops: str
    first: int
    last: int = FOREVER
    number: int = 0

    def __str__(self) -> str:
        return f"{self.action} {self.ops} {self.first} {self.last} {self.number}"


class Call(NamedTuple):
    """One call that was made, or that failed. `a` is an acknowledgement; `data` what was written."""

    kind: str
    failed: bool
    path: str
    other: str
    at: int
    data: bytes


def read_trace(path: Path) -> list[Call]:
    return list(_calls(path.read_bytes()))


def _calls(raw: bytes) -> Iterator[Call]:
    place = 0
    while place < len(raw):
        kind, failed, path, other, at, length = _HEAD.unpack_from(raw, place)
        place += _HEAD.size
        ends = (place + path, place + path + other)
        length = length if kind in b"wa" else 0
        name, other_name = (normpath(text) if text else "" for text in _texts(raw, place, *ends))
        yield Call(kind.decode(), bool(failed), name, other_name, at, raw[ends[1] : ends[1] + length])
        place = ends[1] + length


def _texts(raw: bytes, *cuts: int) -> tuple[str, ...]:
    return tuple(raw[start:end].decode() for start, end in pairwise(cuts))
