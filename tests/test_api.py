"""What `stretto.graph`, `stretto.agents` and `stretto.state` offer to programs."""

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

import stretto.agents
import stretto.graph
import stretto.state

PACKAGES = (stretto.graph, stretto.agents, stretto.state)
SHOWS_WHAT_WAS_LOADED = """
import sys
before = set(sys.modules)
import stretto.graph, stretto.agents, stretto.state, stretto.commands
print(*sorted(m for m in set(sys.modules) - before if m != "stretto"))
"""


def test_importing_the_packages_loads_nothing_else() -> None:
    told = subprocess.run(
        [sys.executable, "-c", SHOWS_WHAT_WAS_LOADED], capture_output=True, text=True, check=True
    ).stdout

    assert told.split() == ["stretto.agents", "stretto.commands", "stretto.graph", "stretto.state"]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_every_public_name_is_the_one_of_its_module(package: ModuleType) -> None:
    homes: dict[str, str] = vars(package)["_HOMES"]
    assert sorted(homes) == sorted(package.__all__)

    for name, home in homes.items():
        assert getattr(package, name) is getattr(importlib.import_module(f"{package.__name__}.{home}"), name)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_a_name_that_is_not_there_is_said_not_to_be(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match=rf"module '{package.__name__}' has no attribute 'nothing'"):
        _ = package.nothing


def test_a_module_can_be_imported_from_its_package_as_ever() -> None:
    from stretto.graph import run, spec

    assert run.__name__ == "stretto.graph.run"
    assert spec.Spec is stretto.graph.Spec
