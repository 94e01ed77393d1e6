"""The arrow between the rooms, and the fences around what only some modules may use: read from the source itself."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("testing", "commands", "packs", "graph", "agents", "state")
FENCES: dict[str, tuple[str, ...]] = {
    "langgraph": ("graph/", "state/checkpoint.py", "state/configs.py", "state/node_cache.py"),
    "langchain_core": ("agents/", "state/checkpoint.py", "state/configs.py"),
    "tenacity": ("agents/retry.py",),
    "diskcache": ("state/",),
    "rich": ("commands/",),
    "pydantic": ("commands/", "packs/", "graph/", "agents/"),
    "yaml": ("graph/", "agents/"),
    "subprocess": (
        "commands/hook_dry.py",
        "agents/git.py",
        "agents/process.py",
        "state/process.py",
        "state/tracked.py",
    ),
    "pickle": (),
    "dill": (),
    "marshal": (),
    "shelve": (),
}
"""Where each may be imported: a module, a whole room, or nowhere."""
STARTERS = {
    "agents/git.py": {"subprocess.run"},
    "agents/guardian.py": {"os.fork", "os.execvp"},
    "agents/process.py": {"subprocess.Popen"},
    "commands/hook_dry.py": {"subprocess.run"},
    "packs/confine.py": {"os.execv"},  # becomes the handler that it confined; agents/process.py starts it
    "state/process.py": {"subprocess.run"},
    "state/tracked.py": {"subprocess.run"},
}
"""The modules that start programs, and by what."""


class Source(NamedTuple):
    """One module of the product."""

    name: str
    tree: ast.Module

    @property
    def room(self) -> str:
        return self.name.partition("/")[0]

    @property
    def module(self) -> str:
        return "stretto." + self.name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def imports(self) -> set[str]:
        """Every module it imports, wherever in it that happens."""
        return set(imported(self.tree))

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


@cache
def sources() -> tuple[Source, ...]:
    paths = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    return tuple(Source(p.relative_to(ROOT).as_posix(), ast.parse(p.read_text("utf-8"))) for p in paths)


def test_there_is_something_to_look_at() -> None:
    assert {s.room for s in sources()} == set(ROOMS)
    assert len(sources()) > 100


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_stands_to_its_right(room: str) -> None:
    left = ROOMS[: ROOMS.index(room)]
    forbidden = tuple(f"stretto.{other}" for other in left)

    wrong = [
        f"{s.name} imports {name}"
        for s in sources()
        if s.room == room
        for name in s.imports()
        if any(name == f or name.startswith(f + ".") for f in forbidden)
    ]

    assert wrong == []


@pytest.mark.parametrize("package", FENCES)
def test_a_package_stays_within_its_fence(package: str) -> None:
    wrong = [
        f"{s.name} imports {name}"
        for s in sources()
        for name in s.imports()
        if name.partition(".")[0] == package and not any(s.name == f or s.name.startswith(f) for f in FENCES[package])
    ]

    assert wrong == []


def test_imports_are_absolute_and_name_the_distribution() -> None:
    files = {s.name: s.tree for s in sources()}
    for folder in ("tests", "examples", "benchmarks"):
        paths = (p for p in (ROOT / folder).rglob("*.py") if "project" not in p.relative_to(ROOT).parts)
        files |= {p.relative_to(ROOT).as_posix(): ast.parse(p.read_text("utf-8")) for p in paths}

    wrong = [
        f"{name} imports {module}"
        for name, tree in files.items()
        for module in imported(tree)
        if module.startswith(".") or module.partition(".")[0] in ROOMS
    ]

    assert wrong == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_package_imports_nothing_when_it_is_imported(room: str) -> None:
    """Checkers follow the imports below TYPE_CHECKING; at run time a function imports what it is asked for."""
    tree = next(s.tree for s in sources() if s.name == f"{room}/__init__.py")
    kept = (node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"))

    assert [name for node in kept for name in imported(node)] == []


def test_no_two_modules_need_each_other() -> None:
    known = {s.module for s in sources()}
    needs = {s.module: at_import(s.tree) & known - {s.module} for s in sources() if not s.name.endswith("__init__.py")}

    assert len(list(TopologicalSorter(needs).static_order())) >= len(needs)  # raises CycleError for a circle


def at_import(tree: ast.Module) -> set[str]:
    """What is imported as soon as a module is: nothing inside functions."""
    found: set[str] = set()
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.update(imported(node))
            if isinstance(node, ast.ImportFrom):  # `from package import module` needs the module, too
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def test_only_the_command_line_prints() -> None:
    wrong = [s.name for s in sources() for call in s.calls() if ast.unparse(call.func) == "print"]

    assert set(wrong) == {"commands/cli.py"}


def test_programs_are_started_in_few_modules_only() -> None:
    starts = (
        "subprocess.",
        "os.exec",
        "os.spawn",
        "os.posix_spawn",
        "os.fork",
        "os.popen",
        "asyncio.create_subprocess",
    )
    found: dict[str, set[str]] = {}
    for s in sources():
        names = {ast.unparse(call.func) for call in s.calls()}
        if started := {n for n in names if n.startswith(starts)}:
            found[s.name] = started

    assert found == STARTERS


def test_nothing_is_handed_to_a_shell_or_evaluated() -> None:
    banned = {"eval", "exec", "os.system", "os.popen", "asyncio.create_subprocess_shell", "__import__"}

    # Of our own tables, behind a constant prefix: importlib costs.
    from_a_table = {("commands/hook.py", "__import__(module)"), ("commands/cli.py", "__import__(name)")}

    wrong = [
        f"{s.name}:{call.lineno}"
        for s in sources()
        for call in s.calls()
        if (ast.unparse(call.func) in banned or any(k.arg == "shell" for k in call.keywords))
        and (s.name, ast.unparse(call)) not in from_a_table
    ]

    assert wrong == []


def test_a_file_stays_short_enough_to_be_read() -> None:
    lines = {s.name: len((ROOT / s.name).read_text("utf-8").splitlines()) for s in sources()}

    assert {name: count for name, count in lines.items() if count > 450} == {}
    assert sorted(lines.values())[len(lines) // 2] <= 150


def test_every_module_says_what_it_is() -> None:
    without = [s.name for s in sources() if not ast.get_docstring(s.tree)]

    assert without == []
