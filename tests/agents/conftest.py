"""Real git projects for the tests of workspaces, cut off from the settings of whoever runs them."""

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


@pytest.fixture
def git_project(tmp_path: Path, git_settings: None) -> GitProject:
    project = GitProject(tmp_path / "project", tmp_path / "store")
    project.begin({"app.py": "one\ntwo\nthree\nfour\nfive\n", "README.md": "A project\n", ".gitignore": "*.log\n"})
    return project
