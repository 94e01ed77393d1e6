"""The programs in examples/ are no package; a test reads the one it needs as Python would run it."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

Program = Callable[[str], dict[str, Any]]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Program:
    """The names that a program of the examples defines."""
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    return lambda name: runpy.run_path(str(EXAMPLES / f"{name}.py"))
