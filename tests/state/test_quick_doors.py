import subprocess
import sys
from pathlib import Path

import stretto.state

MODULES = ("errors", "ids", "registry", "wire", "machine", "store", "log", "lease", "view", "show")
SLOW = {
    "dataclasses",
    "asyncio",
    "pydantic",
    "langgraph",
    "langchain_core",
    "diskcache",
    "hashlib",
    "inspect",
    "subprocess",
}
# As in a plugin's folder: nothing is installed, and the door makes the package itself.
DOOR = """
import importlib, sys, types
stretto = types.ModuleType("stretto")
stretto.__path__ = [sys.argv[1]]
sys.modules["stretto"] = stretto
for name in sys.argv[2:]:
    before = set(sys.modules)
    importlib.import_module(f"stretto.state.{name}")
    print(name, *sorted({m.partition(".")[0] for m in set(sys.modules) - before}))
"""


def test_what_a_status_command_needs_is_in_the_standard_library_and_nothing_slow() -> None:
    root = str(Path(stretto.state.__path__[0]).parent)

    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", DOOR, root, *MODULES], capture_output=True, text=True, check=True
    ).stdout

    imported = {name: set(loaded) for name, *loaded in map(str.split, told.splitlines())}
    assert tuple(imported) == MODULES
    for name, loaded in imported.items():
        assert not loaded & SLOW, name
        assert loaded <= sys.stdlib_module_names | {"stretto"}, name
