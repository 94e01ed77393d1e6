"""The operating system's sandbox for handlers of packs: bubblewrap where it works, else Landlock, else none.

What each of them holds stands in docs/pack-trust.md.
"""

import asyncio
import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from stretto.agents.process import run
from stretto.packs.confine import OLDEST, abi
from stretto.state.errors import StrettoError

Kind = Literal["bubblewrap", "landlock", "none"]
_CONFINE = Path(__file__).with_name("confine.py")
_SECONDS = 20.0
_LIBRARIES = (
    *("/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/local/lib", "/lib", "/lib32", "/lib64"),
    *("/usr/share", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/alternatives"),
)
_NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/pki", "/etc/ca-certificates")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
_LOADERS = ("/lib*/ld-linux*.so*", "/lib*/*/ld-linux*.so*", "/lib/ld-musl*.so*")


class Bounds(NamedTuple):
    """What a program may do. Paths are absolute and real.

    `read` and `write` hold files and folders, `run` programs; `network` is all of it or nothing; `processes` is how
    many may be added to those that the user has now.
    """

    read: Sequence[str]
    write: Sequence[str]
    run: Sequence[str]
    network: bool
    processes: int


@cache
def sandbox() -> Kind:
    """Which sandbox this machine has, found by trying it once in each process."""
    return asyncio.run(look())


async def look() -> Kind:
    """The same, for those who are in an event loop; not remembered."""
    if await bubblewrap_works():
        return "bubblewrap"
    return "landlock" if abi() >= OLDEST else "none"


async def bubblewrap_works() -> bool:
    """Whether bubblewrap is installed and may make its namespaces here."""
    program = shutil.which("bwrap")
    if program is None:
        return False
    argv = [
        program,
        *_NAMESPACES,
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--",
        python(),
        "-I",
        "-S",
    ]
    try:
        done = await run([*argv, "-c", ""], cwd=Path("/"), env={"PATH": "/usr/bin:/bin"}, timeout=_SECONDS)
    except StrettoError:
        return False
    return done.exit_code == 0


_NAMESPACES = ("--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL")


def python() -> str:
    """The interpreter itself, without the environment that leads to it."""
    return os.path.realpath(sys.executable)


def wrapped(kind: Kind, argv: Sequence[str], bounds: Bounds, cwd: Path) -> list[str]:
    """The arguments that run `argv`, whose first is an absolute path, within `bounds`. With `none`, just that."""
    if kind == "none":
        return [*argv]
    helpers = [*_there(_LIBRARIES), *_of_python(), *(_there(_NETWORK) if bounds.network else ())]
    running = [*bounds.run, python(), *(helpers if bounds.run else _loaders())]
    spec = {
        "landlock": kind == "landlock",
        "read": [*bounds.read, *helpers, *_there(_DEVICES), str(_CONFINE)],
        "write": [*bounds.write, "/dev/null"],
        "run": running,
        "network": bounds.network,
        "forks": bool(bounds.run),
        "processes": bounds.processes + _processes(),
    }
    confined = [python(), "-I", "-S", str(_CONFINE), json.dumps(spec), "--", *argv]
    if kind == "landlock":
        return confined
    return [shutil.which("bwrap") or "bwrap", *_mounts(bounds, helpers), "--chdir", str(cwd), "--", *confined]


def _mounts(bounds: Bounds, helpers: Sequence[str]) -> Iterator[str]:
    """An empty tree with what is named in it; later ones lie over earlier ones."""
    yield from _NAMESPACES
    if bounds.network:
        yield "--share-net"
    yield from ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")  # noqa: S108 - of its own
    for path in [*helpers, python(), str(_CONFINE), *bounds.run, *bounds.read]:
        yield from ("--ro-bind", path, path)
    for path in bounds.write:
        yield from ("--bind", path, path)
    yield from ("--remount-ro", "/tmp", "--remount-ro", "/")  # noqa: S108


def _there(paths: Sequence[str]) -> list[str]:
    return [path for path in paths if os.path.exists(path)]  # noqa: PTH110 - strings from here to the kernel


def _of_python() -> list[str]:
    """Where its library and its own shared objects lie."""
    known = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), sysconfig.get_config_var("LIBDIR"))
    return _there(sorted({os.path.realpath(path) for path in known if path}))


def _loaders() -> list[str]:
    """The programs that begin every other one: to run Python is to run them."""
    return sorted({str(path.resolve()) for pattern in _LOADERS for path in Path("/").glob(pattern[1:])})


def _processes() -> int:
    """How many processes this user has, with their threads, as the kernel counts them."""
    count = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.stat().st_uid == os.getuid():
                count += sum(1 for _ in (path / "task").iterdir())
        except OSError:
            continue  # it has ended
    return count


def programs(names: Sequence[str], environ: Mapping[str, str]) -> dict[str, list[str]]:
    """For each name the real path of that program, and of what interprets it if it is a script. Absent ones are not."""
    found: dict[str, list[str]] = {}
    for name in names:
        path = shutil.which(name, path=environ.get("PATH", os.defpath))
        if path:
            found[name] = [*dict.fromkeys(_chain(os.path.realpath(path), environ))]
    return found


def _chain(path: str, environ: Mapping[str, str], depth: int = 3) -> Iterator[str]:
    yield path
    with open(path, "rb") as file:  # noqa: PTH123
        first = file.readline(256)
    words = first[2:].decode("utf-8", "replace").split() if first.startswith(b"#!") else []
    if words and os.path.basename(words[0]) == "env":  # noqa: PTH119
        yield os.path.realpath(words[0])
        words = [word for word in words[1:] if not word.startswith("-")]
    inner = shutil.which(words[0], path=environ.get("PATH", os.defpath)) if words else None
    if inner and depth:
        yield from _chain(os.path.realpath(inner), environ, depth - 1)
