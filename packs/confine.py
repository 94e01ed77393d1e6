"""A small program that gives up what a pack's handler may not do, and then becomes the handler. Linux only.

    python -I -S confine.py SPEC -- PROGRAM ARGUMENTS…

SPEC is a JSON object: `landlock` (whether the kernel is to hold the files, or a mount namespace does already), `read`,
`write` and `run` (paths), `network` and `forks` (whether it may), `processes` (how many the user may have).
It ends with 125 and a line on stderr if any of it cannot be had: a handler never runs with less than was promised.

Landlock holds reading, writing and executing of files. It knows nothing of modes, owners and times of files, nor of
sockets beyond TCP: those calls a seccomp filter refuses. Standard library only, by file name: nothing of ours is seen
from here.
"""

import ctypes
import json
import os
import platform
import resource
import stat
import struct
import sys

OLDEST = 3
"""Landlock's first version that holds truncate(2), without which any file could be emptied."""
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_RIGHTS = {3: (1 << 15) - 1, 4: (1 << 15) - 1}
_ALL = (1 << 16) - 1
_SPECIAL = (1 << 6) | (1 << 9) | (1 << 10) | (1 << 11)
"""Devices, sockets and pipes: nobody may make them."""
_CONNECT_BIND = 3
_SCOPED = 3
_NO_NEW_PRIVS, _SECCOMP, _CAPBSET_DROP = 38, 22, 24
_EPERM, _ENOSYS = 1, 38
_REFUSE, _ALLOW, _KILL = 0x00050000, 0x7FFF0000, 0x80000000
_CLONE_THREAD = 0x10000


class _Machine:
    """The numbers of calls, which every kind of machine has its own of."""

    def __init__(self, audit: int, socket: int, clone: int, forks: tuple[int, ...], marks: tuple[int, ...]) -> None:
        self.audit, self.socket, self.clone, self.forks, self.marks = audit, socket, clone, forks, marks


_MACHINES = {
    "x86_64": _Machine(
        0xC000003E,
        41,
        56,
        (57, 58),
        (*(90, 91, 92, 93, 94, 260, 268, 452), *(188, 189, 190, 197, 198, 199), *(132, 235, 261, 280)),
    ),
    "aarch64": _Machine(0xC00000B7, 198, 220, (), (*(52, 53, 54, 55, 452), *(5, 6, 7, 14, 15, 16), 88)),
}
_URING, _CLONE3, _KEYS = 425, 435, {"x86_64": (248, 249, 250, 101), "aarch64": (217, 218, 219, 117)}
"""The same everywhere: io_uring (which opens sockets, too) and clone3; and keys of the kernel, with ptrace."""


def abi() -> int:
    """The version of Landlock that this kernel has; 0 for none, or for a machine whose calls are not known here."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return 0
    try:
        return max(0, int(_libc().syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1))))
    except (OSError, AttributeError):
        return 0


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def main(argv: list[str]) -> None:
    """Confine this process and become the program."""
    try:
        spec = json.loads(argv[1])
        _few_processes(spec["processes"])
        _prctl(_NO_NEW_PRIVS, 1)
        _drop_capabilities()
        if spec["landlock"]:
            _landlock(spec)
        _seccomp(spec)
        os.execv(argv[3], argv[3:])  # noqa: S606 - no shell is what we want
    except (OSError, ValueError, KeyError) as error:
        os.write(2, f"stretto: the handler was not run, because it cannot be confined: {error}\n".encode())
        os._exit(125)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option: int, *values: int) -> None:
    words = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    _checked(_libc().prctl(option, *words), f"prctl {option}")


def _few_processes(most: int) -> None:
    """As many as the user has, and some more. The kernel does not hold the superuser to it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_NPROC, (bound, bound))


def _drop_capabilities() -> None:
    """For those who run as the superuser: what is left is a user like any other. With no new privileges, for good."""
    if os.geteuid() == 0:
        header = struct.pack("Ii", 0x20080522, 0)
        _checked(_libc().capset(header, bytes(24)), "capset")


def _landlock(spec: dict[str, list[str]]) -> None:
    version = abi()
    if version < OLDEST:
        raise OSError(0, f"Landlock is of version {version}, and {OLDEST} is needed")
    rights = _RIGHTS.get(version, _ALL)
    network = _CONNECT_BIND if version >= 4 and not spec["network"] else 0
    fields = [rights, *([network] if version >= 4 else []), *([_SCOPED] if version >= 6 else [])]
    attributes = struct.pack(f"{len(fields)}Q", *fields)
    rules = _checked(
        _libc().syscall(_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0)), "landlock"
    )
    reading = _READ_FILE | _READ_DIR
    for path in spec["read"]:
        _allow(rules, path, reading)
    for path in spec["run"]:
        _allow(rules, path, reading | _EXECUTE)
    for path in spec["write"]:
        _allow(rules, path, rights & ~_EXECUTE & ~_SPECIAL & ~_IOCTL)
    _checked(_libc().syscall(_RESTRICT, ctypes.c_int(rules), ctypes.c_uint(0)), "landlock_restrict_self")
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, place)
        _checked(
            _libc().syscall(_ADD, ctypes.c_int(rules), ctypes.c_int(1), rule, ctypes.c_uint(0)), f"landlock {path}"
        )
    finally:
        os.close(place)


def _seccomp(spec: dict[str, object]) -> None:
    name = platform.machine()
    machine = _MACHINES.get(name)
    if machine is None:
        return  # a mount namespace holds the rest; Landlock is not offered there
    refused = [_URING, *_KEYS[name]]
    if spec["landlock"]:
        refused += machine.marks
        if not spec["network"]:
            refused.append(machine.socket)
    program = b"".join(_filter(machine, refused, forks=bool(spec["forks"])))
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HP", len(program) // 8, ctypes.addressof(code))
    _checked(_libc().prctl(_SECCOMP, ctypes.c_ulong(2), head, ctypes.c_ulong(0), ctypes.c_ulong(0)), "seccomp")


def _filter(machine: _Machine, refused: list[int], *, forks: bool) -> list[bytes]:
    """A program for the kernel: what is refused fails as if it were not permitted; other kinds of calls end it."""
    load, equal, at_least, has, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    lines = [
        _line(load, 4),
        _line(equal, machine.audit, 1, 0),
        _line(answer, _KILL),
        _line(load, 0),
        _line(at_least, 0x40000000, 0, 1),
        _line(answer, _KILL),
    ]
    for number in [*refused, *(() if forks else machine.forks)]:
        lines += [_line(equal, number, 0, 1), _line(answer, _REFUSE | _EPERM)]
    if not forks:  # threads, though
        lines += [_line(equal, _CLONE3, 0, 1), _line(answer, _REFUSE | _ENOSYS)]
        lines += [_line(equal, machine.clone, 0, 4), _line(load, 16), _line(has, _CLONE_THREAD, 1, 0)]
        lines += [_line(answer, _REFUSE | _EPERM), _line(answer, _ALLOW)]
    return [*lines, _line(answer, _ALLOW)]


def _line(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


if __name__ == "__main__":
    main(sys.argv)
