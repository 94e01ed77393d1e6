"""A disk that loses its power, made of a trace: which files there are then, and what stands in them.

It keeps no promise but those of POSIX. What was written to a file is safe after a sync of that file; that a file was
made, renamed or deleted is safe after a sync of the folder in which it was, and only if the folder itself is. All else
may have come to the disk or not, in parts of 512 bytes. `ordered` is a disk with a journal, as those of ext4, xfs and
btrfs are: any sync also makes safe what happened to names before it.
"""

from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from tests.faults.shim import Call

SECTOR = 512

Luck = Literal["nothing", "names", "some"]
"""What of the unsynced comes to the disk: nothing, only what happened to names, or a random part of all."""


class File:
    """What is safe of a file, and the writes (place, bytes) and truncations (length) since the last sync."""

    def __init__(self) -> None:
        self.safe = b""
        self.since: list[tuple[int, bytes | None]] = []

    def sync(self) -> None:
        self.safe, self.since = changed(self.safe, self.since), []

    def lose(self) -> None:
        """A sync failed: the kernel drops what it could not write, and says so once."""
        self.since = []

    def torn(self, chance: Random) -> bytes:
        kept: list[tuple[int, bytes | None]] = []
        for at, data in self.since:
            if data is None:
                kept += [(at, data)] if chance.random() < 0.5 else []
            else:
                parts = [(at + n, data[n : n + SECTOR]) for n in range(0, len(data), SECTOR)]
                kept += [part for part in parts if chance.random() < 0.5]
        return changed(self.safe, kept)


def changed(data: bytes, changes: Iterable[tuple[int, bytes | None]]) -> bytes:
    """`data` after writes (place, bytes) and truncations (length, None)."""
    now = bytearray(data)
    for at, new in changes:
        if len(now) < at:
            now.extend(bytes(at - len(now)))
        if new is None:
            del now[at:]
        else:
            now[at : at + len(new)] = new
    return bytes(now)


Names = dict[str, File | None]
"""Paths, and what they are: None for a folder."""


class Step(NamedTuple):
    """What one call did to names, which comes to the disk as a whole or not at all."""

    put: Names
    drop: str = ""

    def apply(self, names: Names) -> None:
        names.pop(self.drop, None)
        names.update(self.put)

    def folders(self) -> set[str]:
        return {path.rpartition("/")[0] for path in (*self.put, self.drop)}


class Disk:
    """What is on it after the calls so far. `root` is on it from the beginning."""

    def __init__(self, root: Path, *, ordered: bool = False) -> None:
        self.root = str(root)
        self.ordered = ordered
        self.names: Names = {self.root: None}
        self._safe: Names = {self.root: None}
        self._since: list[Step] = []

    def adopt(self) -> None:
        """What lies below `root` now has been safe for long."""
        for path in sorted(Path(self.root).rglob("*")):
            file = None if path.is_dir() else File()
            if file:
                file.safe = path.read_bytes()
            self.names[str(path)] = self._safe[str(path)] = file

    def call(self, call: Call) -> None:
        match call.kind:
            case "c" | "m":
                self._change(Step({call.path: File() if call.kind == "c" else None}))
            case "k" | "r":
                self._change(Step({call.other: self.names[call.path]}, call.path if call.kind == "r" else ""))
            case "u":
                self._change(Step({}, call.path))
            case "s":
                self._sync(call)
            case _:
                self._write(call)

    def _change(self, step: Step) -> None:
        step.apply(self.names)
        self._since.append(step)

    def _write(self, call: Call) -> None:
        file = self.names.get(call.path)
        if file and not call.failed:
            file.since.append((call.at, call.data if call.kind == "w" else None))

    def _sync(self, call: Call) -> None:
        file = self.names.get(call.path)
        if file and call.failed:
            file.lose()
        if call.failed:
            return
        if file:
            file.sync()
        synced = [step for step in self._since if self.ordered or call.path in step.folders()]
        for step in synced:
            step.apply(self._safe)
            self._since.remove(step)

    def cut(self, target: Path, luck: Luck, chance: Random) -> None:
        """Write to `target` what is below `root` after the power was cut."""
        names = dict(self._safe)
        steps = {"nothing": 0, "names": len(self._since), "some": chance.randint(0, len(self._since))}[luck]
        for step in self._since[:steps]:
            step.apply(names)
        target.mkdir(parents=True)
        for path in sorted(names.keys() - {self.root}):
            there = target / Path(path).relative_to(self.root)
            file = names[path]
            if not there.parent.is_dir():
                continue
            if file is None:
                there.mkdir()
            else:
                there.write_bytes(file.torn(chance) if luck == "some" else file.safe)
