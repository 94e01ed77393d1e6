"""Projects for the tests of the doors, cut off from the settings of whoever runs them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.door import Project, copied, new_project
from tests.commands.host import Host, Kept, task, wrote


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


@pytest.fixture(scope="module")
def handed_out(pristine: Project, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A workflow with two orders, both open."""
    folder = tmp_path_factory.mktemp("orders") / "here"
    with pytest.MonkeyPatch.context() as patch:
        project = copied(pristine, folder)
        patch.chdir(project.root)
        project.agent(wrote("T1", "T2"))
        Host(project, patch).implement(task("T1"), task("T2"))
    return Kept(folder)


@pytest.fixture
def host(handed_out: Kept, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The assistant in whose project they were handed out, as it stood then."""
    handed_out.again()
    monkeypatch.chdir(handed_out.folder / "calc")
    return Host(Project(handed_out.folder / "calc"), monkeypatch)
