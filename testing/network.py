"""The network, cut: sockets of this process reach this machine alone.

By an audit hook, which sees every way in which Python opens a connection. A hook stays as long as the process, so it
is set once, and asks a switch. Programs that a test starts have sockets of their own, which it cannot see.
"""

import ipaddress
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

_CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_LOOKS_UP = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})
_OURS = frozenset({"", "localhost", "localhost.localdomain", "ip6-localhost"})


class NetworkCut(OSError):
    """A test that is replayed from a cassette tried to reach another machine."""


class _Switch:
    """How many tests want the network cut; whether the hook is there."""

    cuts = 0
    hooked = False


@contextmanager
def cut() -> Generator[None]:
    """No connection but to this machine, until the block is left. Sockets of the file system stay as they are."""
    if not _Switch.hooked:
        _Switch.hooked = True
        sys.addaudithook(_look)
    _Switch.cuts += 1
    try:
        yield
    finally:
        _Switch.cuts -= 1


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if not _Switch.cuts or not event.startswith("socket."):
        return
    if event in _CONNECTS and isinstance(arguments[0], socket.SocketType):
        if arguments[0].family in (socket.AF_INET, socket.AF_INET6):
            address: tuple[object, ...] = arguments[1]
            _check(address[0])
    elif event in _LOOKS_UP:
        _check(arguments[0])


def _check(host: object) -> None:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    if name.lower() in _OURS or _loops_back(name):
        return
    raise NetworkCut(f"The network is cut in a test with a cassette; it tried to reach {name!r}.")


def _loops_back(name: str) -> bool:
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
