"""Real git projects for the tests of workspaces, cut off from the settings of whoever runs them."""

import shutil
from pathlib import Path

import pytest

from tests.agents.gitproject import GitProject


@pytest.fixture
def git_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def git_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once and copied for each test: a copy costs less than six runs of git."""
    folder = tmp_path_factory.mktemp("template")
    project = GitProject(folder / "project", folder / "store")
    project.begin({"app.py": "one\ntwo\nthree\nfour\nfive\n", "README.md": "A project\n", ".gitignore": "*.log\n"})
    return project.root


@pytest.fixture
def git_project(tmp_path: Path, git_settings: None, git_template: Path) -> GitProject:
    shutil.copytree(git_template, tmp_path / "project", symlinks=True)
    return GitProject(tmp_path / "project", tmp_path / "store")
