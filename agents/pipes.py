"""The driver's ends of a child's pipes, on the event loop, and what is kept of the output."""

import asyncio
import os
from collections.abc import Callable
from typing import Protocol

_CHUNK = 65536


class End(Protocol):
    """One end of a pipe or a socket."""

    def fileno(self) -> int:
        """Its descriptor."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class Reader:
    """Reads one end on the event loop until the other is closed, and hands on what comes."""

    def __init__(self, end: End, *sinks: Callable[[bytes], None]) -> None:
        self._end, self._sinks = end, sinks
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(end.fileno(), False)
        self._loop.add_reader(end.fileno(), self._readable)

    def _readable(self) -> None:
        try:
            data = os.read(self._end.fileno(), _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
        for sink in self._sinks if data else ():
            sink(data)

    def close(self) -> None:
        """Stop reading."""
        if not self.closed.done():
            self._loop.remove_reader(self._end.fileno())
            self._end.close()
            self.closed.set_result(None)


class Writer:
    """Writes data to one end on the event loop, then closes it; with `more` it stays open until `finish`.

    That nobody reads to the end is no error.
    """

    def __init__(self, end: End, data: bytes, *, more: bool = False) -> None:
        self._end, self._rest, self._more = end, memoryview(data), more
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(end.fileno(), False)
        self._loop.add_writer(end.fileno(), self._writable)

    def _writable(self) -> None:
        try:
            self._rest = self._rest[os.write(self._end.fileno(), self._rest[:_CHUNK]) :]
        except BlockingIOError:
            return
        except OSError:
            self._rest, self._more = self._rest[:0], False
        if not self._rest:
            self._written()

    def _written(self) -> None:
        if self._more:
            self._loop.remove_writer(self._end.fileno())
        else:
            self.close()

    def write(self, data: bytes) -> None:
        """Write more, if it is still open."""
        if self._more and not self.closed.done():
            self._rest = memoryview(bytes(self._rest) + data)
            self._loop.add_writer(self._end.fileno(), self._writable)

    def finish(self) -> None:
        """Nothing more is to be written: close it when all is."""
        self._more = False
        if not self._rest:
            self.close()

    def close(self) -> None:
        """Stop writing."""
        if not self.closed.done():
            self._loop.remove_writer(self._end.fileno())
            self._end.close()
            self.closed.set_result(None)


class Kept:
    """The first and the last half of a limit of bytes."""

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._head, self._tail = bytearray(), bytearray()
        self._total = 0

    def add(self, data: bytes) -> None:
        """Take more, and forget the middle."""
        self._total += len(data)
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._half + _CHUNK:
            del self._tail[: -self._half]

    @property
    def left_out(self) -> int:
        """How many bytes are forgotten, or will be when read."""
        return max(0, self._total - 2 * self._half)

    def read(self) -> bytes:
        """Head and tail, with a mark between them when there was more."""
        mark = b"\n[... %d bytes left out ...]\n" % self.left_out if self.left_out else b""
        return bytes(self._head + mark + self._tail[-self._half :])


class Lines:
    """Cuts bytes to lines and hands each on; one that does not end is cut at `longest` bytes, or a chunk later."""

    def __init__(self, sink: Callable[[str], None] | None, longest: int = _CHUNK) -> None:
        self._sink = sink
        self._longest = longest
        self._open = bytearray()

    def add(self, data: bytes) -> None:
        """Take more."""
        if self._sink is None:
            return
        rest, *begun = data.split(b"\n")
        self._open += rest
        for part in begun:
            self._sink(self._open.removesuffix(b"\r").decode(errors="replace"))
            self._open = bytearray(part)
        if len(self._open) >= self._longest:
            self.flush()

    def flush(self) -> None:
        """Hand on what has no end."""
        if self._sink and self._open:
            self._sink(self._open.decode(errors="replace"))
        self._open.clear()
