"""Scenes for the tests of what each line of the founding document must be seen to do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import no_settings, pristine, project
from tests.expectations.scene import Scene

__all__ = ["no_settings", "pristine", "project"]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A fresh scene."""
    return Scene(tmp_path / "scene")


@pytest.fixture
def scenes(tmp_path: Path) -> Callable[[str], Scene]:
    """As many as a test needs, each by a name."""
    return lambda name: Scene(tmp_path / name)
