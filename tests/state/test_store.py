import stat
import subprocess
from pathlib import Path

import pytest

from stretto.state import store
from stretto.state.errors import BadInput, StrettoError


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_the_project_is_the_top_of_the_git_tree_also_in_a_worktree(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert store.find_project(deep) == tmp_path

    (deep / ".git").write_text("gitdir: elsewhere\n")
    assert store.find_project(deep) == deep


def test_without_git_the_project_is_where_one_stands(tmp_path: Path) -> None:
    assert store.find_project(tmp_path) == tmp_path


def test_the_option_wins_over_the_environment_over_the_project(tmp_path: Path) -> None:
    environ = {"STRETTO_STORE": "/from/environ"}

    assert store.store_directory(tmp_path, "/from/option", environ) == Path("/from/option")
    assert store.store_directory(tmp_path, None, environ) == Path("/from/environ")
    assert store.store_directory(tmp_path, None, {}) == tmp_path / ".stretto" / "state"


def test_a_home_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="~nobody-here"):
        store.store_directory(tmp_path, "~nobody-here/store", {})


def test_a_store_in_its_default_place_is_private_and_leaves_git_status_clean(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    directory = store.store_directory(tmp_path, None, {})

    store.create(directory)
    store.create(directory)
    (directory / "file").touch()

    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert git(tmp_path, "status", "--porcelain", "--untracked-files=all") == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == [".git", ".stretto"]


def test_a_gitignore_that_the_user_wrote_stays(tmp_path: Path) -> None:
    (tmp_path / ".stretto").mkdir()
    (tmp_path / ".stretto" / ".gitignore").write_text("mine\n")

    store.create(tmp_path / ".stretto" / "state")

    assert (tmp_path / ".stretto" / ".gitignore").read_text() == "mine\n"


def test_a_store_elsewhere_gets_no_gitignore(tmp_path: Path) -> None:
    store.create(tmp_path / "elsewhere")

    assert list(tmp_path.rglob("*")) == [tmp_path / "elsewhere"]


@pytest.mark.parametrize("linked", [".stretto", ".stretto/state"])
def test_a_project_cannot_send_the_default_store_elsewhere_by_a_link(tmp_path: Path, linked: str) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.mkdir()
    (project / linked).parent.mkdir(exist_ok=True)
    (project / linked).symlink_to(outside)

    with pytest.raises(StrettoError, match="is a link"):
        store.create(project / ".stretto" / "state")

    assert list(outside.iterdir()) == []


def test_a_store_that_cannot_be_made_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StrettoError, match="cannot be used") as refused:
        store.create(tmp_path / "file" / "state")

    assert refused.value.next_steps
