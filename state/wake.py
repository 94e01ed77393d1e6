"""Waking those who wait for events: a datagram to a socket of each, in a folder of the store.

Only a hint, so that nobody has to look every few milliseconds: it may be lost, or come when there is nothing new. Who
rings never waits. Who listens looks every `LOOK_SECONDS` anyway.
"""

from __future__ import annotations

import os
import time

from stretto.state.light import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from pathlib import Path
    from typing import Self

FOLDER = "wake"
LOOK_SECONDS = 0.5
_LONGEST = 100
"""Bytes of a socket's path that every system takes; Linux has a way round it."""


class Bell:
    """A socket that is rung after every write of events. Without one (a read-only store) there is only the clock."""

    def __init__(self, found: socket.socket | None, path: Path | None, folder: int | None = None) -> None:
        self._socket = found
        self._path = path
        self._folder = folder

    @classmethod
    def hang(cls, directory: Path) -> Self:
        """Listen for events of the store in `directory`, if that is possible there."""
        import socket

        folder = directory / FOLDER
        path = folder / f"{os.getpid()}-{os.urandom(6).hex()}"
        found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        opened: int | None = None
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            found.bind(_address(opened, path))
        except OSError:
            found.close()
            if opened is not None:
                os.close(opened)
            return cls(None, None)
        return cls(found, path, opened)

    def wait(self, seconds: float) -> None:
        """Return when it rings, or after so many seconds; what rang before counts once."""
        if self._socket is None:
            time.sleep(max(seconds, 0))
            return
        with suppress(TimeoutError, BlockingIOError):
            self._socket.settimeout(max(seconds, 0))
            self._socket.recv(1)
        with suppress(BlockingIOError):
            self._socket.setblocking(False)
            while True:
                self._socket.recv(1)

    def ring(self) -> None:
        """Let whoever waits go on, in another thread."""
        if self._socket is not None and self._path is not None and self._folder is not None:
            with suppress(OSError):
                self._socket.sendto(b"1", _address(self._folder, self._path))

    def close(self) -> None:
        """Take it down. A second time does nothing."""
        found, self._socket = self._socket, None
        if found is None or self._path is None or self._folder is None:
            return
        found.close()
        self._path.unlink(missing_ok=True)
        os.close(self._folder)


def ring(directory: str) -> None:
    """Wake everybody who listens to the store in `directory`, and forget those who died."""
    folder = os.path.join(directory, FOLDER)
    try:
        names = os.listdir(folder)
    except OSError:
        return
    if not names:
        return
    import socket

    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in names:
                _send(bell, opened, os.path.join(folder, name))
        finally:
            os.close(opened)


def _send(bell: socket.socket, folder: int, path: str) -> None:
    """Names are never used again, so one that nobody listens to is a dead one's."""
    try:
        bell.sendto(b"1", _address(folder, path))
    except ConnectionRefusedError:
        with suppress(FileNotFoundError):
            os.unlink(path)
    except OSError:  # its buffer is full: it has been rung already
        return


def _address(folder: int, path: Path | str) -> str:
    text = str(path)
    return text if len(os.fsencode(text)) <= _LONGEST else f"/proc/self/fd/{folder}/{os.path.basename(text)}"
