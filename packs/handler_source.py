"""What the source of a handler says that it does. It is parsed and never run."""

import ast
import re
import warnings
from collections.abc import Iterator

from stretto.agents.paths import covers
from stretto.packs.manifest import Capabilities

_NETWORK = frozenset(
    {
        *("socket", "ssl", "urllib.request", "http.client", "http.server", "ftplib", "smtplib", "imaplib", "poplib"),
        *("telnetlib", "xmlrpc", "socketserver", "requests", "httpx", "aiohttp", "urllib3", "websockets", "paramiko"),
    }
)
_UNREADABLE = frozenset(
    {"ctypes", "cffi", "importlib", "imp", "runpy", "code", "codeop", "pickle", "marshal", "shelve"}
)
_EVALUATES = frozenset({"eval", "exec", "compile", "__import__"})
_STARTS = re.compile(
    r"(?:subprocess\.(?:run|Popen|call|check_call|check_output|getoutput|getstatusoutput)|os\.(?:system|popen|startfile"
    r"|exec\w+|spawn\w+|posix_spawnp?)|pty\.spawn|asyncio\.create_subprocess_(?:exec|shell))"
)
_WRITES = frozenset({"write_text", "write_bytes", "unlink", "rmdir", "mkdir", "touch", "symlink_to"})
"""Not `rename` and `replace`: a text has such methods, too."""
_REMOVES = re.compile(
    r"(?:os\.(?:remove|unlink|rename|replace|rmdir|mkdir|makedirs|symlink|link|truncate)|shutil\.\w+)"
)
_HOST = re.compile(r"https?://(?:[^/\s@]*@)?([A-Za-z0-9.-]+)")

Found = tuple[int, str]
"""A line, and what is done there that is not declared."""


def beyond(source: str, may: Capabilities) -> list[Found]:
    """What a handler does beyond `may`, in the order of its lines. Empty if nothing was seen, which proves nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = error.lineno if isinstance(error, SyntaxError) else None
        return [(line or 0, f"is no Python: {error}")]
    names = _names(tree)
    found = {one for node in ast.walk(tree) for one in _in_node(node, may, names)}
    return sorted(found)


def _names(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for, so that `from subprocess import run as go` hides nothing."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _in_node(node: ast.AST, may: Capabilities, names: dict[str, str]) -> Iterator[Found]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _imported(node.lineno, alias.name, may)
    elif isinstance(node, ast.ImportFrom):
        for module in [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]:
            yield from _imported(node.lineno, module, may)
    elif isinstance(node, ast.Call):
        yield from _called(node, may, names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        for host in _HOST.findall(node.value):
            if host.lower() not in may.hosts:
                yield node.lineno, f"names the host {host!r}, which is not in capabilities.hosts"


def _imported(line: int, module: str, may: Capabilities) -> Iterator[Found]:
    parts = module.split(".")
    heads = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    if heads & _NETWORK and not may.hosts:
        yield line, f"imports {module}, and capabilities.hosts names no host"
    if heads & _UNREADABLE:
        yield line, f"imports {module}, by which it can do what nobody reads in it"


def _called(node: ast.Call, may: Capabilities, names: dict[str, str]) -> Iterator[Found]:
    written = ast.unparse(node.func)
    head, dot, rest = written.partition(".")
    name = names.get(head, head) + dot + rest
    last = name.rpartition(".")[2]
    if name.removeprefix("builtins.") in _EVALUATES:
        yield node.lineno, f"calls {last}, by which it can do what nobody reads in it"
    elif _STARTS.fullmatch(name):
        yield from _started(node, may)
    elif _REMOVES.fullmatch(name) or (last in _WRITES and dot) or (last == "open" and _for_writing(node, name)):
        yield from _written(node, name, may)


def _started(node: ast.Call, may: Capabilities) -> Iterator[Found]:
    first = node.args[0] if node.args else None
    first = first.elts[0] if isinstance(first, ast.List | ast.Tuple) and first.elts else first
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        program = first.value.split(maxsplit=1)[0] if first.value.strip() else ""
        if program not in may.commands:
            yield node.lineno, f"runs {program!r}, which is not in capabilities.commands"
    elif not may.commands:
        yield node.lineno, "runs a program, and capabilities.commands names none"


def _for_writing(node: ast.Call, name: str) -> bool:
    at = 1 if name in ("open", "io.open", "os.open") else 0  # Path.open takes the mode first
    modes = [*node.args[at : at + 1], *(word.value for word in node.keywords if word.arg == "mode")]
    return name == "os.open" or any(
        not isinstance(mode, ast.Constant) or set("wax+") & set(str(mode.value)) for mode in modes
    )


def _written(node: ast.Call, name: str, may: Capabilities) -> Iterator[Found]:
    """The path is told when it is a constant: `open("a")`, `Path("a").write_text`."""
    place: ast.expr | None = node.args[0] if node.args else None
    if isinstance(node.func, ast.Attribute) and not _REMOVES.fullmatch(name) and name not in ("io.open", "os.open"):
        owner = node.func.value
        place = owner.args[0] if isinstance(owner, ast.Call) and owner.args else None
    if isinstance(place, ast.Constant) and isinstance(place.value, str):
        if not any(covers(entry, place.value) for entry in may.paths):
            yield node.lineno, f"writes {place.value!r}, which is not in capabilities.paths"
    elif not may.paths:
        yield node.lineno, "writes files, and capabilities.paths names none"
