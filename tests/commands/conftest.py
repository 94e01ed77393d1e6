"""Projects for the tests of the doors, cut off from the settings of whoever runs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.door import Project, copied, new_project


@pytest.fixture(scope="package", autouse=True)
def no_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No settings of the user's: neither git's nor Stretto's."""
    home = str(tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_CONFIG_HOME"):
            patch.setenv(name, home)
        patch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.delenv("VIRTUAL_ENV", raising=False)
        for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "STRETTO_STORE", "STRETTO_RUNNER", "CLAUDECODE"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="package")
def pristine(no_settings: None, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of one commit that no test changes."""
    return new_project(tmp_path_factory.mktemp("pristine") / "calc")


@pytest.fixture
def project(tmp_path: Path, pristine: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A fresh project, which is the current folder."""
    fresh = copied(pristine, tmp_path)
    monkeypatch.chdir(fresh.root)
    return fresh
